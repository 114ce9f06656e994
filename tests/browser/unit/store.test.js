// The store: bounded for ever, honest about gaps, restarts and clocks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../../../static/js/clock.js";
import { sampleOf } from "../../../static/js/past.js";
import { CAPACITY, Store } from "../../../static/js/store.js";
import { at, fill, sample } from "./sample.js";

test("keeps 900 samples however many come, and takes no more memory for them", () => {
  const store = fill(new Store(), 0, 2000);
  globalThis.gc();
  const before = process.memoryUsage();
  fill(store, 2000, 102_000);
  globalThis.gc();
  const after = process.memoryUsage();
  assert.equal(store.size, CAPACITY);
  assert.equal(store.time(0), at(102_000 - CAPACITY));
  assert.equal(store.lastTime, at(101_999));
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  assert.ok(grown < 256 * 1024, `grew by ${grown} bytes over 100,000 samples`);
});

test("takes each sample once, whatever the history repeats", () => {
  const store = fill(new Store(), 0, 10);
  assert.equal(store.push(sample(9), at(9)), false);
  assert.equal(store.load(Array.from({ length: 8 }, (_, i) => sample(5 + i))), 3);
  assert.equal(store.size, 13);
  assert.equal(store.lastTime, at(12));
});

test("starts again when the clock steps back", () => {
  const store = fill(new Store(), 100, 110);
  assert.equal(store.push(sample(50), at(50)), true);
  assert.equal(store.size, 1);
  const other = fill(new Store(), 100, 110);
  other.load([sample(10), sample(11)]);
  assert.equal(other.size, 2);
});

test("holds counters as growth, and counts on from zero after a restart", () => {
  const store = new Store();
  store.push(sample(0, { total_requests: 1000 }), at(0));
  store.push(sample(1, { total_requests: 1250 }), at(1));
  store.push(sample(2, { total_requests: 40 }), at(2));
  assert.ok(Number.isNaN(store.value("requests", 0)), "growth before the first sample is unknown");
  assert.equal(store.value("requests", 1), 250);
  assert.equal(store.value("requests", 2), 40);
  assert.equal(store.sum("requests", at(-1), at(2)), 290);
  assert.equal(store.sum("requests", at(1), at(2)), 40, "the start of a span is not in it");
});

test("has no latency without a request, no board value without a board", () => {
  const store = new Store();
  store.push(sample(0, { latency_ms: { count: 0, p50: 0, p95: 0, p99: 0, max: 0 } }), at(0));
  for (const key of ["p50", "p99", "max", "temperature_c", "queue_depth", "busy_workers"]) {
    assert.ok(Number.isNaN(store.value(key, 0)), key);
  }
});

test("knows the memory that came with each connection, given enough of them and an idle baseline", () => {
  const store = new Store();
  const push = (n, connections, memory_alloc_mb, changes = {}) => store.push(sample(n, {
    active_connections: connections, sse_subscribers: 0, requests_per_sec: 0, memory_alloc_mb, connections: { accepted: 0 }, ...changes,
  }), at(n));
  push(0, 2000, 30);
  for (const [n, memory] of [[1, 12], [2, 11], [3, 12], [4, 10]]) push(n, 3, memory);
  push(5, 3, 1, { requests_per_sec: 5 });
  push(6, 999, 11);
  push(7, 1024, 11);
  push(8, 1030, 11, { sse_subscribers: 6 });
  push(9, 2000, 30, { uptime_seconds: 1 });
  for (const n of [10, 11, 12]) push(n, 3, 10, { connections: { accepted: 5000 } });
  push(13, 2000, 30);
  const shown = Array.from({ length: 14 }, (_, i) => store.value("bytes_per_connection", i));
  assert.deepEqual(shown.slice(6, 9), [NaN, 1024, 1024], "the least memory while empty for three seconds is the baseline; dashboards do not count");
  assert.ok([0, 9, 13].every((i) => Number.isNaN(shown[i])), "no baseline: not seen idle, restarted, or idle only after a load");
});

test("splits the rate into what succeeded and what failed", () => {
  const store = new Store();
  const push = (n, good, late, requests_per_sec, uptime_seconds = n) => store.push(sample(n, {
    uptime_seconds, requests_per_sec, completed_requests: good, error_count: late, total_requests: good + late, responses: { "2xx": good, "4xx": late, "5xx": 0, "408": late },
  }), at(n));
  push(0, 0, 0, 0);
  push(1, 100, 300, 400);
  push(2, 140, 300, 40);
  push(5, 140, 600, 300, 5);
  const row = (key) => [1, 2, 3].map((i) => store.value(key, i));
  assert.deepEqual(row("successes_per_sec"), [100, 40, 0]);
  assert.deepEqual(row("errors_per_sec"), [300, 0, 100], "three seconds passed before the last");
  assert.deepEqual(row("offered_per_sec"), [400, 40, 100]);
});

test("takes what an engine recorded before its stream, without drawing across what is missing", () => {
  const live = fill(new Store(), 100, 110);
  const older = new Store(20);
  for (let n = 0; n < 105; n += 10) older.push(sample(n, { requests_per_sec: 7 }), at(n));
  const joined = live.after(older, 10_000);
  assert.equal(joined.size, 20);
  assert.deepEqual([joined.firstTime, joined.lastTime], [at(0), at(109)]);
  assert.deepEqual([joined.value("requests_per_sec", 9), joined.value("requests_per_sec", 10)], [7, 100]);
  assert.deepEqual([joined.gapAt(at(90)), joined.gapAt(at(100))], [25_000, 2500]);
  assert.equal(joined.nearest(at(44)), 4);
  joined.push(sample(110, { total_requests: 11_123 }), at(110));
  assert.equal(joined.value("requests", 20), 223, "counters go on from the live sample before");
});

test("a row of a history is a sample again", () => {
  assert.deepEqual(sampleOf(["latency_ms.p50", "latency_ms.p99", "num_cpu"], [1, null, 4]), { latency_ms: { p50: 1, p99: null, count: 1 }, num_cpu: 4 });
});

test("finds the sample under the crosshair, and none in a gap", () => {
  const store = fill(new Store(), 0, 10);
  fill(store, 20, 30);
  assert.equal(store.nearest(at(3) + 400), 3);
  assert.equal(store.nearest(at(3) + 600), 4);
  assert.equal(store.nearest(at(15)), -1);
  assert.equal(store.nearest(at(40)), -1);
  assert.equal(store.indexAt(at(12)), 10);
});

test("a snapshot does not change", () => {
  const store = fill(new Store(), 0, 950);
  const copy = store.snapshot();
  fill(store, 950, 1000);
  assert.equal(copy.lastTime, at(949));
  assert.equal(copy.time(0), at(50));
  assert.equal(copy.value("requests_per_sec", 0), 100);
});

test("an engine's clock is shifted to the browser's, by two samples that agree", () => {
  const clock = new Clock();
  clock.start(10_000_000, 9_999_100);
  assert.equal(clock.shift, 0, "a second is the way here");
  clock.start(10_000_000, 5_000_000);
  assert.equal(clock.shift, 5_000_000);
  assert.equal(clock.observe(10_001_050, 5_001_000), 5_000_000, "small differences move nothing");
  assert.equal(clock.observe(10_009_000, 5_002_000), 5_000_000, "one late sample moves nothing");
  assert.equal(clock.observe(10_009_010, 5_009_000), 5_000_000);
  assert.equal(clock.observe(10_010_000, 10_009_900), 5_000_000);
  assert.equal(clock.observe(10_011_000, 10_010_900), 0, "the engine's clock was set");
});
