// The store: bounded for ever, honest about gaps, restarts and clocks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Clock } from "../../../static/js/clock.js";
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

test("starts afresh when the clock steps back", () => {
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

test("tells the memory that came with each connection, given enough of them and an empty moment", () => {
  const store = new Store();
  const push = (n, active_connections, memory_alloc_mb, uptime_seconds = n + 1) =>
    store.push(sample(n, { active_connections, memory_alloc_mb, uptime_seconds }), at(n));
  push(0, 2000, 30);
  push(1, 0, 12);
  push(2, 10, 10);
  push(3, 999, 11);
  push(4, 1024, 11);
  push(5, 1024, 9);
  push(6, 2000, 30, 1);
  const told = Array.from({ length: 7 }, (_, i) => store.value("bytes_per_connection", i));
  assert.deepEqual(told, [NaN, NaN, NaN, NaN, 1024, 0, NaN]);
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

test("a snapshot stands still", () => {
  const store = fill(new Store(), 0, 950);
  const copy = store.snapshot();
  fill(store, 950, 1000);
  assert.equal(copy.lastTime, at(949));
  assert.equal(copy.time(0), at(50));
  assert.equal(copy.value("requests_per_sec", 0), 100);
});

test("an engine's clock is moved to the browser's, by two samples that agree", () => {
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
