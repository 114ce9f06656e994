// Alerts in plain words: what is wrong now, and what was checked when nothing is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { byGravity, calmText, engineAlerts } from "../../../static/js/alerts.js";
import { boardAlerts } from "../../../static/js/boardalerts.js";
import { readLamps } from "../../../static/js/lamps.js";
import { reachAlerts } from "../../../static/js/reach.js";
import { Store } from "../../../static/js/store.js";
import { clock } from "../../../static/js/format.js";
import { at, fill, loaded, sample, under } from "./sample.js";

const texts = (alerts) => alerts.map((a) => a.text);
const board = (pi) => texts(boardAlerts(sample(0, { pi }), new Store()));
/** Level and text of what is said of an engine that was under `load` for a minute. */
const said = (load, changes = {}) => engineAlerts(loaded(59, { ...load, ...changes }), under({ ...load, ...changes })).map(({ level, text }) => `${level}: ${text}`);

test("a quiet engine on a well board has no alerts", () => {
  const pi = {
    temperature_c: 50, temperature_limit_c: 80, throttled: { bits: 0, now: [], occurred: [] }, under_voltage: false,
    memory: { total_mb: 4000, available_mb: 3000, used_percent: 25 }, fan: { rpm: 2000, pwm_percent: 40 },
  };
  assert.deepEqual(board(pi), []);
  assert.deepEqual(board(null), []);
  assert.deepEqual(said({}), []);
  const { power, heat, memory } = readLamps(pi);
  assert.deepEqual([power, heat, memory].map((lamp) => lamp.level), ["good", "good", "good"]);
  assert.deepEqual(Object.values(readLamps({})).map((lamp) => lamp.word), ["No sensor", "No sensor", "No sensor"]);
});

test("failed requests are an alert from 1 %, and bad from 5 %, with what they were", () => {
  assert.deepEqual(said({ offered: 1000, late: 740 }), ["bad: 74% of requests failed in the last minute: 43,660 timed out (408)"]);
  assert.deepEqual(said({ offered: 1000, late: 20 }), ["warn: 2.0% of requests failed in the last minute: 1,180 timed out (408)"]);
  assert.deepEqual(said({ offered: 1000, late: 1 }), ["warn: 0.10% of requests failed in the last minute: 59 timed out (408)"]);
  const server = (n) => loaded(n, { responses: { "2xx": 90 * n, "4xx": 0, "5xx": 9 * n, "408": 0 }, error_count: 10 * n, completed_requests: 90 * n });
  const store = new Store();
  for (let n = 0; n < 60; n++) store.push(server(n), at(n));
  assert.deepEqual(texts(engineAlerts(server(59), store)), ["10% of requests failed in the last minute: 531 answered 5xx, 59 abandoned by the client"]);
});

test("a mistyped request is no failure of the engine", () => {
  assert.deepEqual(said({ offered: 5, invalid: 3 }), ["warn: 60% of requests were invalid in the last minute (177 answered 4xx)"]);
});

test("latency far beyond the simulated work is an alert", () => {
  const slow = (p50, p99) => ({ latency_ms: { count: 9, p50, p95: p99, p99, max: p99 } });
  assert.deepEqual(said({}, { work: "sleep:100ms", ...slow(4950, 5000) }), ["bad: Slow: half of the answers take more than 4.95 s, the simulated work takes 100 ms"]);
  assert.deepEqual(said({}, slow(20, 150)), ["warn: Slow: 1 of 100 answers takes more than 150 ms, the simulated work takes 10.0 ms"]);
  assert.deepEqual(said({}, slow(20, 90)), []);
  assert.deepEqual(said({}, { work: "none", ...slow(1, 200) }), ["warn: Slow: 1 of 100 answers takes more than 200 ms, there is no simulated work"]);
});

test("a queue that takes more than a second is an alert", () => {
  const queue = (depth) => ({ work: "sleep:100ms", queue: { depth, capacity: 10_000, rejected: 0 }, workers: { total: 4, busy: 4 } });
  assert.deepEqual(said({}, queue(39)), []);
  assert.deepEqual(said({}, queue(120)), ["warn: Queue: about 3 s of waiting for a worker (120 requests waiting)"]);
  assert.deepEqual(said({}, queue(2400)), ["bad: Queue: about 1 min of waiting for a worker (2,400 requests waiting), and requests time out after 15 s"]);
});

test("a full engine is at its limit", () => {
  assert.deepEqual(said({}, { active_connections: 940 }), []);
  assert.deepEqual(said({}, { active_connections: 960 }), ["warn: Near the connection limit: 960 of 1,000 connections open"]);
  assert.deepEqual(said({}, { active_connections: 1000 }), ["bad: At its connection limit: 1,000 of 1,000 connections open"]);
  const store = fill(new Store(), 0, 60, (n) => ({ connections: { accepted: 1, rejected: n } }));
  assert.deepEqual(texts(engineAlerts(sample(59), store)), ["Connection limit reached: 59 connections rejected in the last minute (limit 1,000)"]);
});

test("without a problem it says what was checked", () => {
  const of = (load) => ({ latest: loaded(59, load), store: under(load) });
  assert.equal(calmText([of({})]), "No problems: 0 errors in 5,900 requests of the last minute, highest p99 15.0 ms");
  assert.equal(calmText([of({}), of({ offered: 1000, invalid: 1 })]), "No problems: 59 errors in 64,900 requests of the last minute, highest p99 15.0 ms");
  assert.equal(calmText([of({ offered: 0 }), of({ offered: 0 })]), "No problems: 2 engines answering, no requests in the last minute");
  assert.equal(calmText([]), "Waiting for the first sample");
});

test("power and heat", () => {
  const throttled = (now, occurred = now) => ({ throttled: { now, occurred }, temperature_limit_c: 80, cpu_freq_mhz: 1000, cpu_freq_max_mhz: 1800 });
  assert.deepEqual(board({ under_voltage: true }), ["Under-voltage: check the power supply"]);
  assert.deepEqual(board({ ...throttled([], ["under_voltage"]), under_voltage: false }), ["Under-voltage since the board started: check the power supply"]);
  assert.deepEqual(board({ ...throttled(["throttled"]), temperature_c: 82.4 }), ["Throttled at 82 °C"]);
  assert.deepEqual(board({ ...throttled(["throttled"]), temperature_c: null }), ["Throttled"]);
  assert.deepEqual(board({ ...throttled(["frequency_capped"]), temperature_c: 60 }), ["Clock capped at 1,000 of 1,800 MHz"]);
  assert.deepEqual(board({ ...throttled(["soft_temperature_limit"]), temperature_c: 62 }), ["Slowed down by the soft temperature limit at 62 °C"]);
  assert.deepEqual(board({ ...throttled([]), temperature_c: 77 }), ["77 °C: throttling begins at 80 °C"]);
  assert.deepEqual(board({ ...throttled([], ["throttled"]), temperature_c: 50 }), ["Throttled earlier, since the board started"]);
  assert.equal(readLamps({ ...throttled(["throttled"]), temperature_c: 82.4 }).heat.level, "bad");
  assert.equal(readLamps({ under_voltage: true }).power.word, "Too low");
});

test("fan and memory", () => {
  assert.deepEqual(board({ temperature_c: 75, fan: { rpm: 0, pwm_percent: 0 } }), ["Fan stopped at 75 °C"]);
  assert.deepEqual(board({ temperature_c: 40, fan: { rpm: 0, pwm_percent: 0 } }), []);
  assert.deepEqual(board({ fan: { rpm: 0, pwm_percent: 95 } }), ["Fan driven at 95% reads 0 rpm: check that it turns"]);
  assert.deepEqual(board({ fan: { rpm: 8000, pwm_percent: 100 } }), ["Fan at full speed: 8,000 rpm"]);
  assert.deepEqual(board({ memory: { total_mb: 900, available_mb: 60 } }), ["Low memory: 60.0 MiB of 900 MiB available"]);
});

test("what was rejected is counted over the last minute only", () => {
  const store = fill(new Store(), 0, 100, (n) => ({ queue: { depth: 0, capacity: 10, rejected: n < 50 ? n : 50 } }));
  const now = sample(99, { queue: { depth: 0, capacity: 10, rejected: 50 } });
  assert.deepEqual(texts(engineAlerts(now, store)), ["Queue full: 11 requests rejected in the last minute"]);
  fill(store, 100, 140, () => ({ queue: { depth: 9, capacity: 10, rejected: 50 } }));
  assert.deepEqual(texts(engineAlerts(sample(139, { queue: { depth: 9, capacity: 10, rejected: 50 } }), store)), ["Queue 90% full"]);
});

test("files, shutting down, overflowing listen queue, gravest first", () => {
  const store = fill(new Store(), 0, 3, (n) => ({ pi: { listen_overflows: 100 + n } }));
  const now = sample(2, { open_fds: 920, max_fds: 1000, draining: true, pi: { listen_overflows: 102 } });
  const alerts = byGravity([...engineAlerts(now, store), ...boardAlerts(now, store)]);
  assert.deepEqual(texts(alerts), [
    "Listen queue overflowed: 2 connections dropped in the last minute",
    "Open files at 92% of the limit",
    "Shutting down: finishing open requests, accepting no new ones",
  ]);
});

const engine = (name, state, more = {}) => ({ name, host: "pi.local", origin: `http://pi.local/${name}`, state, lastSampleAt: at(0), ...more });

test("one silent engine is down, with since when; all of a host are the network", () => {
  const now = at(34);
  assert.deepEqual(texts(reachAlerts([engine("may", "down"), engine("hyper", "live")], now)), [
    `may stopped answering at ${clock(at(0))} (34 s ago). Retrying every 2 s`,
  ]);
  assert.deepEqual(texts(reachAlerts([engine("may", "stale"), engine("hyper", "live")], at(3))), ["No data from may for 3 s"]);
  const all = ["worker-pool", "may", "hyper"].map((name) => engine(name, name === "may" ? "stale" : "down"));
  assert.deepEqual(texts(reachAlerts(all, now)), [`Cannot reach pi.local (3 engines) since ${clock(at(0))}. Check the network and the board's power`]);
  assert.match(texts(reachAlerts(all, now, false))[0], /This computer is offline/);
  assert.match(texts(reachAlerts([engine("may", "down", { lastSampleAt: null }), engine("hyper", "live")], now))[0], /^No answer from may at http:\/\/pi.local\/may: not running/);
});

test("a page whose own engine is down says where else it is", () => {
  const engines = [engine("may", "down"), engine("hyper", "live")];
  const said = (served) => texts(reachAlerts(engines, at(34), true, served))[0];
  assert.match(said("http://pi.local/may"), /Retrying every 2 s\. To reload this page, open it at http:\/\/pi\.local\/hyper$/);
  assert.match(said("http://pi.local/hyper"), /Retrying every 2 s$/);
});

test("alone on a page, an engine's silence is the engine's when its siblings answer", () => {
  const alone = (answering) => texts(reachAlerts([engine("may", "down", { siblings: { asked: 2, answering } })], at(34)))[0];
  assert.match(alone(["worker-pool", "hyper"]), /^may stopped answering .*worker-pool and hyper on the same host answer$/);
  assert.match(alone([]), /^may stopped answering .*Nothing else on pi.local answers either: check the network$/);
});

test("an engine that rejects connections is at its limit, not down", () => {
  assert.deepEqual(texts(reachAlerts([engine("may", "full"), engine("hyper", "live")], at(1))), ["may is at its connection limit: it answers, but accepts no more connections"]);
});
