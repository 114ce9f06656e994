// What happened is kept: failures, limits, restarts, silences, throttling.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Incidents, describe } from "../../../static/js/incidents.js";
import { startsOf } from "../../../static/js/past.js";
import { Store } from "../../../static/js/store.js";
import { at, loaded, sample } from "./sample.js";

function watch() {
  const incidents = new Incidents();
  const engine = { name: "may", host: "pi", origin: "http://pi:8081", state: "live", store: new Store(), latest: null, lastSampleAt: null };
  const take = (one, joins = true, now = one.time_unix_ms) => {
    engine.store.push(one, one.time_unix_ms);
    incidents.observe(engine, one, joins, now);
    engine.latest = one;
    engine.lastSampleAt = one.time_unix_ms;
  };
  const become = (state, now) => {
    engine.state = state;
    incidents.connection(engine, now);
  };
  const texts = (now = at(1000)) => incidents.list.map((incident) => describe(incident, now));
  return { incidents, engine, take, become, texts };
}

test("failures are one event from the first to the last, with how many", () => {
  const { incidents, take, texts } = watch();
  let total = 0;
  for (let n = 0; n < 40; n++) {
    const failing = n >= 10 && n < 20 && n % 2 === 0;
    total += failing ? 50 : 0;
    take(loaded(n, { error_count: total, responses: { "4xx": total, "408": total, "5xx": 0 }, completed_requests: 100 * n - total }));
  }
  assert.deepEqual(texts(), ["may: 250 of 500 requests failed"]);
  const [{ from, to }] = incidents.list;
  assert.deepEqual([from, to], [at(10), at(18)]);
  assert.equal(incidents.within(at(11), at(12)).length, 1);
  assert.equal(incidents.within(at(30), at(40)).length, 0);
});

test("a killed engine leaves when it stopped, that it restarted, and for how long it was away", () => {
  const { take, become, texts } = watch();
  for (let n = 0; n < 10; n++) take(sample(n));
  become("down", at(10));
  assert.deepEqual(texts(at(20)), ["may stopped answering, 11 s ago"]);
  take(sample(43, { uptime_seconds: 1 }), false);
  become("live", at(43));
  assert.deepEqual(texts(), ["may stopped answering and restarted after 33 s"]);
});

test("an engine that had run only for a moment is seen to have restarted", () => {
  const { take, become, texts } = watch();
  for (let n = 0; n < 2; n++) take(sample(n, { uptime_seconds: n + 1 }));
  become("down", at(2));
  take(sample(4, { uptime_seconds: 2.2 }), false);
  become("live", at(4));
  assert.match(texts()[0], /^may stopped answering and restarted after \d+ s$/);
});

test("a lost connection is not the engine's fault when its history has every second", () => {
  const { incidents, take, become, texts } = watch();
  for (let n = 0; n < 10; n++) take(sample(n));
  become("stale", at(12));
  become("down", at(15));
  for (let n = 10; n < 22; n++) take(sample(n), true, at(22));
  become("live", at(22));
  assert.deepEqual(texts(), ["Connection to may lost for 13 s; the engine kept running"]);
  assert.equal(incidents.list[0].level, "info");
});

test("samples that come late leave no silence, a quick restart does", () => {
  const { incidents, take, become, texts } = watch();
  for (let n = 0; n < 10; n++) take(sample(n));
  become("stale", at(12));
  take(sample(10), false, at(12));
  assert.deepEqual(incidents.list, []);
  become("down", at(12.5));
  take(sample(12.4, { uptime_seconds: 0.9 }), false);
  assert.deepEqual(texts(), ["may stopped answering and restarted after 1 s"]);
});

test("an engine that stood still says so", () => {
  const { take, become, texts } = watch();
  for (let n = 0; n < 10; n++) take(sample(n));
  become("stale", at(12));
  take(sample(29));
  become("live", at(29));
  take(sample(30));
  take(sample(50));
  assert.deepEqual(texts(), ["may did not run for 20 s", "may did not run for 20 s"]);
});

test("a start in a silence is noted although the engine is up for longer than before, and no clock's step is taken for one", () => {
  const { take, become, texts } = watch();
  for (let n = 0; n < 5; n++) take(sample(n));
  become("down", at(8));
  take(sample(60, { uptime_seconds: 20 }), false);
  become("live", at(60));
  assert.deepEqual(texts(), ["may stopped answering and restarted after 36 s"]);
  take(sample(64, { uptime_seconds: 21 }));
  assert.equal(texts().length, 1, "the browser's idea of the engine's clock moved by three seconds");
});

test("a restart between two samples is noted", () => {
  const { take, texts } = watch();
  take(sample(100));
  take(sample(101, { uptime_seconds: 0.5 }));
  assert.deepEqual(texts(), ["may restarted"]);
});

test("restarts that only the recorded history shows are added once, in their place", () => {
  const { incidents, engine, take, texts } = watch();
  take(sample(100));
  take(sample(101, { uptime_seconds: 0.5 }));
  const starts = startsOf(["requests_per_sec", "uptime_seconds"], [[at(0) / 1000, 1, 50], [at(10) / 1000, 1, 60], [at(20) / 1000, 1, 4], [at(101) / 1000, 1, 0.5]]);
  assert.deepEqual(starts, [at(16), at(100.5)]);
  for (const time of [...starts, ...starts]) incidents.restarted(engine, time);
  assert.deepEqual(incidents.list.map(({ kind, from }) => [kind, from]), [["restarted", at(16)], ["restarted", at(100.5)]]);
  assert.equal(texts().length, 2);
});

test("the connection limit and throttling, the board's once for all its engines", () => {
  const { incidents, engine, take, texts } = watch();
  const hot = { throttled: { now: ["throttled"], occurred: ["throttled"] } };
  take(sample(0));
  take(sample(1, { active_connections: 1000, connections: { rejected: 7 }, pi: hot }));
  const twin = { ...engine, name: "hyper", origin: "http://pi:8082", store: new Store(), latest: null };
  const theirs = sample(1, { pi: hot });
  twin.store.push(theirs, theirs.time_unix_ms);
  incidents.observe(twin, theirs, false);
  assert.deepEqual(texts(), ["may reached its connection limit: 7 connections rejected", "pi: throttled"]);
});

test("however much happens, no more than 200 events are kept", () => {
  const { incidents, take } = watch();
  for (let n = 0; n < 1000; n++) take(sample(n * 100, { uptime_seconds: 1 }));
  assert.equal(incidents.list.length, 200);
});
