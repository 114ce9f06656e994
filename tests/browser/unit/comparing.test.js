// The comparison: over which seconds, who is ahead, how sure that is, and when nothing may be said.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fairSeconds } from "../../../static/js/fair.js";
import { Store } from "../../../static/js/store.js";
import { compare } from "../../../static/js/verdict.js";
import { at, loaded, put, under } from "./sample.js";

const SECONDS = 60;

/** An engine under `load` (see `loaded`; a function of the second or fixed) for a minute. */
const engine = (name, load = {}, more = {}) => ({ name, store: under(load, SECONDS), work: "sleep:10ms", cores: 4, workers: 4, live: true, ...more });
const said = (...engines) => Object.fromEntries(compare(engines, at(0), at(SECONDS)).rows.map(({ metric, verdict }) => [metric.key, verdict.text]));
const verdictOf = (key, ...engines) => compare(engines, at(0), at(SECONDS)).rows.find(({ metric }) => metric.key === key).verdict;
const speed = (p50, more = {}) => ({ latency_ms: { count: 1, p50, p95: 2 * p50, p99: 3 * p50, max: 4 * p50 }, ...more });

test("a load on one engine only ranks none", () => {
  const texts = said(engine("hyper", { offered: 5000 }), engine("may", { offered: 0 }), engine("worker-pool", { offered: 0 }));
  for (const text of Object.values(texts)) assert.doesNotMatch(text, /ahead|equal/);
  assert.equal(texts.p50, "no load yet on may and worker-pool");
  assert.equal(texts.throughput, "no load yet on may and worker-pool");
  assert.equal(texts.connections, "not ranked: set by the load");
});

test("throughput and connections are the client's choice", () => {
  const texts = said(engine("hyper", { offered: 5000, active_connections: 600 }), engine("may", { offered: 120, active_connections: 60 }));
  assert.equal(texts.throughput, "not ranked: set by the load");
  assert.equal(texts.connections, "not ranked: set by the load");
  for (const key of ["p50", "p95", "p99", "errors", "cpu", "cpuPerRequest"]) assert.equal(texts[key], "not ranked: different load", key);
  assert.equal(compare([engine("hyper", { offered: 5000 }), engine("may", { offered: 120 })], at(0), at(SECONDS)).basis, "The engines got different loads: nothing to rank. Load them alike, at the same time");
});

test("under the same load the rate is equal unless requests fail, and so are equal connections", () => {
  const texts = said(engine("hyper", { offered: 500 }), engine("may", { offered: 530, active_connections: 215 }));
  assert.equal(texts.throughput, "about equal");
  assert.equal(texts.connections, "about equal");
  assert.equal(said(engine("hyper", { offered: 500 }), engine("may", { offered: 500, late: 250 })).throughput, "hyper ahead by 2.0×");
});

test("over the seconds with the same load it names who is ahead, by how much and how surely", () => {
  const slow = engine("may", speed(40));
  assert.equal(said(slow, engine("hyper", speed(20))).p50, "hyper ahead by 2.0×");
  const { winner, sure } = verdictOf("p50", slow, engine("hyper", speed(20)));
  assert.deepEqual([winner, sure], [1, true]);
  assert.equal(said(slow, engine("hyper", speed(37))).p50, "hyper probably ahead by 8%", "under 10 %");
  assert.equal(said(slow, engine("hyper", speed(39.5))).p50, "about equal", "under 5 %");
  const scattered = (n) => speed(20 + 60 * (n % 2));
  assert.equal(said(slow, engine("hyper", scattered)).p50, "about equal", "a difference within the scatter");
  const few = (n) => ({ ...speed(20), offered: n < 45 ? 500 : 100 });
  assert.match(said(slow, engine("hyper", (n) => ({ ...few(n), total_requests: n < 45 ? n * 500 : 22_000 + n * 100 }))).p50, /^hyper probably ahead/, "few seconds");
});

test("with too few seconds it says how many there are", () => {
  const changing = (n) => ({ total_requests: n < 53 ? n * 10 : 530 + (n - 53) * 100, requests_per_sec: n < 53 ? 10 : 100 });
  const { rows, basis } = compare([engine("may"), engine("hyper", changing)], at(0), at(SECONDS));
  assert.equal(rows.find(({ metric }) => metric.key === "p50").verdict.text, "too few seconds yet");
  assert.match(basis, /^The same load \(±10%\) for [1-9] s so far, 10 s needed$/);
});

test("only the seconds with the same load count", () => {
  // hyper is quick while it alone has little to do, slow as soon as both have the same.
  const hyper = engine("hyper", (n) => (n < 30 ? { ...speed(1), total_requests: n * 10, requests_per_sec: 10 } : { ...speed(80), total_requests: 300 + (n - 30) * 100 }));
  const may = engine("may", speed(40));
  const { rows, basis } = compare([may, hyper], at(0), at(SECONDS));
  const p50 = rows.find(({ metric }) => metric.key === "p50");
  assert.equal(p50.verdict.text, "may probably ahead by 2.0×");
  assert.deepEqual(p50.stats.map(({ value }) => value), [40, 80]);
  assert.equal(basis, "Ranked over 25 s in which they got the same load (±10%)");
});

test("an engine that is down is not ranked, and it says so", () => {
  const [may, hyper, pool] = [engine("may", speed(40), { live: false }), engine("hyper", speed(20)), engine("worker-pool", speed(60))];
  assert.equal(said(may, hyper, pool).p50, "hyper ahead of worker-pool by 3.0×");
  assert.equal(said({ ...may, live: false }, hyper).p50, "needs two engines that answer");
  assert.match(compare([may, hyper, pool], at(0), at(SECONDS)).basis, /Left out: may$/);
});

test("never compares different work", () => {
  const pool = engine("worker-pool", speed(100), { work: "sleep:100ms" });
  assert.equal(said(pool, engine("may", speed(12))).p50, "not ranked: different work");
  assert.equal(said(pool, engine("may", speed(12)), engine("hyper", speed(20))).p50, "may ahead of hyper by 67%");
});

test("the millisecond step of timers is no lead", () => {
  assert.equal(said(engine("may", speed(10.1)), engine("hyper", speed(11.1))).p50, "about equal");
  const cpu = { work: "cpu:10ms" };
  assert.equal(said(engine("may", speed(10.1), cpu), engine("hyper", speed(11.3), cpu)).p50, "may ahead by 12%");
});

test("when every engine is saturated alike, throughput is theirs", () => {
  const full = { pi: { cores_percent: [100, 100, 100, 98] }, in_flight_requests: 50, ...speed(60) };
  const texts = said(engine("may", { offered: 1000, ...full }), engine("hyper", { offered: 1500, ...full }));
  assert.equal(texts.throughput, "hyper ahead by 50%");
  assert.equal(said(engine("may", { offered: 1000, ...full }), engine("hyper", { offered: 1500, ...full, in_flight_requests: 5 })).throughput, "not ranked: set by the load");
});

test("runs one after the other are compared over their own seconds at the same rate", () => {
  const turn = (from, p50) => (n) => {
    const busy = n >= from && n < from + 25;
    return { ...(busy ? speed(p50) : { latency_ms: { count: 0 } }), requests_per_sec: busy ? 300 : 0, total_requests: 300 * Math.min(25, Math.max(0, n - from + 1)) };
  };
  const { rows, basis } = compare([engine("may", turn(2, 20)), engine("hyper", turn(32, 40))], at(0), at(SECONDS));
  assert.equal(rows.find(({ metric }) => metric.key === "p50").verdict.text, "may probably ahead by 2.0×");
  assert.match(basis, /one engine after the other$/);
});

test("memory is a median, compared at like connections only, dashboards left out", () => {
  const of = (memory_alloc_mb, active_connections, sse_subscribers = 1) => ({ memory_alloc_mb, active_connections, sse_subscribers });
  assert.equal(said(engine("may", of(30, 500)), engine("hyper", of(20, 500))).memory, "hyper ahead by 50%");
  assert.equal(said(engine("may", of(30, 500)), engine("hyper", of(20, 5000))).memory, "not ranked: different numbers of connections");
  assert.equal(said(engine("may", of(30, 500)), engine("hyper", of(20, 800, 301))).memory, "hyper ahead by 50%");
  const peak = (n) => of(n === 30 ? 90 : 20, 500);
  assert.equal(said(engine("may", of(30, 500)), engine("hyper", peak)).memory, "hyper ahead by 50%", "a moment's peak does not count");
});

test("memory per connection needs enough connections and an idle baseline", () => {
  assert.equal(said(engine("may", { active_connections: 500 }), engine("hyper", { active_connections: 500 })).perConnection, "needs 1,000 connections");
  const many = { active_connections: 5000 };
  assert.equal(said(engine("may", many), engine("hyper", many)).perConnection, "needs an idle baseline first");
  const held = (each) => (n) => ({ ...(n < 10 ? { active_connections: 1, offered: 0, requests_per_sec: 0, memory_alloc_mb: 10 } : { active_connections: 10_001, memory_alloc_mb: 10 + (10_000 * each) / 1_048_576 }), connections: { accepted: 0 } });
  assert.equal(said(engine("may", held(1000)), engine("hyper", held(500))).perConnection, "hyper ahead by 2.0×");
});

test("no requests, no errors", () => {
  assert.equal(said(engine("may", { offered: 0 }), engine("hyper", { offered: 0 })).p50, "no load yet");
  assert.equal(said(engine("may"), engine("hyper")).errors, "no errors");
  assert.equal(said(engine("may", { offered: 1000, late: 740 }), engine("hyper", { offered: 1000 })).errors, "hyper ahead");
});

test("seconds are matched by time, not by position, and gaps are left out", () => {
  const gap = put(put(new Store(), 0, 20, (n) => loaded(n)), 40, 60, (n) => loaded(n));
  const { loaded: seconds } = fairSeconds([{ store: under({}, SECONDS) }, { store: gap }].map((e) => ({ ...e, name: "x", work: "none" })), at(0), at(SECONDS));
  for (const [a, b] of seconds[0].map((i, k) => [i, seconds[1][k]])) assert.equal(a, b < 20 ? b : b + 20);
  assert.ok(seconds[0].length >= 35 && seconds[0].length <= 40, `${seconds[0].length} seconds`);
});
