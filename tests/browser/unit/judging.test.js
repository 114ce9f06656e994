// Alerts in plain words, and who is ahead.

import assert from "node:assert/strict";
import { test } from "node:test";
import { boardAlerts, byGravity, connectionAlert, engineAlerts } from "../../../static/js/alerts.js";
import { Store } from "../../../static/js/store.js";
import { METRICS, judge, windowStats } from "../../../static/js/verdict.js";
import { at, fill, sample } from "./sample.js";

const texts = (alerts) => alerts.map((a) => a.text);
const board = (pi) => texts(boardAlerts(sample(0, { pi }), new Store()));

test("a quiet engine on a well board has no alerts", () => {
  const pi = {
    temperature_c: 50, temperature_limit_c: 80, throttled: { bits: 0, now: [], occurred: [] }, under_voltage: false,
    memory: { total_mb: 4000, available_mb: 3000 }, fan: { rpm: 2000, pwm_percent: 40 },
  };
  assert.deepEqual(board(pi), []);
  assert.deepEqual(board(null), []);
  assert.deepEqual(engineAlerts(sample(5), fill(new Store(), 0, 6)), []);
  assert.equal(connectionAlert("may", "live"), null);
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
});

test("fan and memory", () => {
  assert.deepEqual(board({ temperature_c: 75, fan: { rpm: 0, pwm_percent: 0 } }), ["Fan stopped at 75 °C"]);
  assert.deepEqual(board({ temperature_c: 40, fan: { rpm: 0, pwm_percent: 0 } }), []);
  assert.deepEqual(board({ fan: { rpm: 0, pwm_percent: 95 } }), ["Fan driven at 95% reads 0 rpm: check that it turns"]);
  assert.deepEqual(board({ fan: { rpm: 8000, pwm_percent: 100 } }), ["Fan at full speed: 8,000 rpm"]);
  assert.deepEqual(board({ memory: { total_mb: 900, available_mb: 60 } }), ["Low memory: 60.0 MiB of 900 MiB available"]);
});

test("what was refused is counted over the last minute only", () => {
  const store = fill(new Store(), 0, 100, (n) => ({ queue: { depth: 0, capacity: 10, rejected: n < 50 ? n : 50 } }));
  const now = sample(99, { queue: { depth: 0, capacity: 10, rejected: 50 } });
  assert.deepEqual(texts(engineAlerts(now, store)), ["Queue full: 11 requests refused in the last minute"]);
  fill(store, 100, 140, () => ({ queue: { depth: 9, capacity: 10, rejected: 50 } }));
  assert.deepEqual(texts(engineAlerts(sample(139, { queue: { depth: 9, capacity: 10, rejected: 50 } }), store)), ["Queue 90% full"]);
});

test("files, draining, overflowing listen queue, gravest first", () => {
  const store = fill(new Store(), 0, 3, (n) => ({ pi: { listen_overflows: 100 + n } }));
  const now = sample(2, { open_fds: 920, max_fds: 1000, draining: true, pi: { listen_overflows: 102 } });
  const alerts = byGravity([...engineAlerts(now, store), ...boardAlerts(now, store)]);
  assert.deepEqual(texts(alerts), [
    "Listen queue overflowed: 2 connections not taken in the last minute",
    "Open files at 92% of the limit",
    "Draining: finishing what has arrived, taking nothing new",
  ]);
});

/** An engine whose every second is like `changes`. */
function engine(name, changes, seconds = 30) {
  const store = fill(new Store(), 0, seconds, (n) => ({ ...changes, total_requests: n * (changes.requests_per_sec ?? 100) }));
  return { name, work: changes.work ?? "sleep:10ms", stats: windowStats(store, at(0), at(seconds)) };
}
const metric = (key) => METRICS.find((m) => m.key === key);
const says = (key, ...engines) => judge(metric(key), engines).text;
const idle = { requests_per_sec: 0, latency_ms: { count: 0 } };

test("names who is ahead, and by how much", () => {
  const [may, hyper] = [engine("may", { requests_per_sec: 1000 }), engine("hyper", { requests_per_sec: 1250 })];
  assert.equal(says("throughput", may, hyper), "hyper ahead by 25%");
  assert.equal(judge(metric("throughput"), [may, hyper]).winner, 1);
  assert.equal(says("throughput", engine("may", { requests_per_sec: 5000 }), hyper), "may ahead by 4.0×");
});

test("calls level what one-second samples cannot tell apart", () => {
  assert.equal(says("throughput", engine("may", { requests_per_sec: 1000 }), engine("hyper", { requests_per_sec: 1030 })), "level");
  assert.equal(says("errors", engine("may", {}), engine("hyper", {})), "no errors");
  const quick = (p50) => ({ latency_ms: { count: 1, p50, p95: 1, p99: 1, max: 1 } });
  assert.equal(says("p50", engine("may", quick(0.1)), engine("hyper", quick(0.14))), "level");
});

test("says when there was no load yet, and on which engine", () => {
  assert.equal(says("throughput", engine("may", idle), engine("hyper", idle)), "no load yet");
  assert.equal(says("p99", engine("may", idle), engine("hyper", {})), "no load yet on may");
});

test("runs one after the other are compared over their own seconds under load", () => {
  const first = fill(fill(new Store(), 0, 30, () => ({ requests_per_sec: 500 })), 30, 60, () => idle);
  const stats = windowStats(first, at(0), at(60));
  assert.equal(stats.seconds, 30);
  assert.equal(stats.throughput, 500);
  assert.equal(stats.cpuPerRequest, 100);
});

test("never compares different work", () => {
  const pool = engine("worker-pool", { requests_per_sec: 300, work: "sleep:100ms" });
  const may = engine("may", { requests_per_sec: 1000 });
  const hyper = engine("hyper", { requests_per_sec: 1500 });
  assert.equal(says("throughput", pool, may), "not compared: different work");
  assert.equal(says("throughput", pool, may, hyper), "hyper ahead of may by 50%");
  assert.equal(says("p50", pool, may, hyper), "may and hyper level");
  assert.equal(says("connections", pool, may, hyper), "level", "connections do not depend on the work");
});

test("CPU and memory are compared at like load only", () => {
  const small = engine("may", { requests_per_sec: 100, cpu_usage_percent: 5, active_connections: 200 });
  const large = engine("hyper", { requests_per_sec: 1000, cpu_usage_percent: 40, active_connections: 5000 });
  assert.equal(says("cpu", small, large), "different load: see CPU per request");
  assert.equal(says("cpuPerRequest", small, large), "hyper ahead by 25%");
  assert.equal(says("memory", small, large), "different load: see memory per connection");
});

test("a handful of connections is no load, and no reason not to compare memory", () => {
  const few = engine("may", { active_connections: 10, memory_alloc_mb: 30 });
  const fewer = engine("hyper", { active_connections: 1, memory_alloc_mb: 20 });
  assert.equal(says("connections", few, fewer), "no load yet");
  assert.equal(says("memory", few, fewer), "hyper ahead by 50%");
  assert.equal(says("perConnection", few, fewer), "told from 1,000 connections up");
  const many = engine("may", { active_connections: 5000 });
  assert.equal(says("perConnection", many, many), "takes a quiet moment to compare with");
});
