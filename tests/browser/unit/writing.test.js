// Numbers in words, axes, addresses, looks, the view's query and the exported files.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crashCount, lastCrash } from "../../../static/js/crashes.js";
import { csv, json } from "../../../static/js/export.js";
import { COLUMNS } from "../../../static/js/fields.js";
import * as format from "../../../static/js/format.js";
import { slotsFor } from "../../../static/js/looks.js";
import { MOST_ENGINES, TYPES, findPeers, parseEngines } from "../../../static/js/peers.js";
import { linearTicks, logTicks, timeStep } from "../../../static/js/scale.js";
import { Store } from "../../../static/js/store.js";
import { loadCommand } from "../../../static/js/startload.js";
import { View } from "../../../static/js/view.js";
import { valueOver } from "../../../static/js/table.js";
import { describeWork, parseWork } from "../../../static/js/workload.js";
import { at, fill } from "./sample.js";

test("crashes of a service are counted, with the last one's reason", () => {
  const last = { time: "2026-01-02T03:04:05Z", reason: "watchdog (ABRT)", after_seconds: 7 };
  assert.equal(crashCount({ total: 3, watchdog: 1, last }), "3 crashes, 1 by the watchdog");
  assert.equal(crashCount({ total: 1, watchdog: 0, last }), "1 crash");
  assert.match(lastCrash({ total: 1, watchdog: 0, last }), /2026.*: watchdog \(ABRT\)$/);
  for (const none of [null, undefined, { total: 0, watchdog: 0, last: null }]) assert.deepEqual([crashCount(none), lastCrash(none)], [null, null]);
});

test("what is not known is a dash, never 0", () => {
  for (const write of [format.count, format.rate, format.latency, format.micros, format.percent, format.load, format.bytes, format.traffic, format.mebibytes, format.celsius, format.duration, format.setting, format.significant]) {
    for (const nothing of [null, undefined, NaN]) assert.equal(write(nothing), "—", write.name);
  }
});

test("numbers keep about three digits and their unit", () => {
  assert.equal(format.count(1_234_567), "1,234,567");
  assert.deepEqual([0, 0.4, 9.96, 1234.6].map(format.rate), ["0", "0.4", "10", "1,235"]);
  assert.deepEqual([0.123, 4.567, 42.12, 421.4, 1240].map(format.latency), ["0.12 ms", "4.57 ms", "42.1 ms", "421 ms", "1.24 s"]);
  assert.deepEqual([42.12, 1200].map(format.micros), ["42.1 µs", "1.20 ms"]);
  assert.deepEqual([0, 0.001, 0.5, 3.14, 42].map(format.percent), ["0%", "<0.01%", "0.50%", "3.1%", "42%"]);
  assert.deepEqual([1012, 16_384, 1_048_576].map(format.bytes), ["1,012 B", "16.0 KiB", "1,024 KiB"]);
  assert.deepEqual([0, 474.4, 5128].map(format.roughBytes), ["0 B", "≈ 470 B", "≈ 5 KiB"]);
  assert.deepEqual([0, 8192, 12_300_000].map(format.traffic), ["0 B", "8,192 B", "12.3 MB"]);
  assert.deepEqual([0.5, 61.23, 1012, 20_480].map(format.mebibytes), ["0.50 MiB", "61.2 MiB", "1,012 MiB", "20.0 GiB"]);
  assert.deepEqual([12, 180, 200, 7500, 363_600].map(format.duration), ["12 s", "3 min", "3 min 20 s", "2 h 5 min", "4 d 5 h"]);
  assert.deepEqual([250, 15_000, 60_000].map(format.setting), ["250 ms", "15 s", "1 min"]);
  assert.deepEqual([0, 950, 1200, 15_000, 2e6].map(format.compact), ["0", "950", "1.2k", "15k", "2M"]);
});

test("a work setting is a time and reads in words", () => {
  assert.deepEqual(["sleep:100ms", "cpu:2ms", "none", "sleep:1s500ms", undefined].map(describeWork), [
    "simulated work: 100 ms", "simulated work: 2 ms of CPU", "no simulated work", "simulated work: 1 s 500 ms", "simulated work: unknown",
  ]);
  assert.deepEqual(parseWork("sleep:1s500ms"), { kind: "sleep", ms: 1500 });
  assert.deepEqual(parseWork("cpu:250us"), { kind: "cpu", ms: 0.25 });
  assert.equal(parseWork("bogus").kind, null);
});

test("the command that starts a load asks every engine for the same", () => {
  assert.equal(loadCommand(["http://pi:8080", "http://pi:8081"]),
    `echo 'import http from "k6/http"; export default () => http.batch(["http://pi:8080/", "http://pi:8081/"])' | k6 run --vus 50 --duration 60s -`);
});

test("axes end on round numbers that cover the data", () => {
  const ticks = [];
  for (const peak of [0.003, 1, 7, 99, 101, 10_028, 3_456_789]) {
    const top = linearTicks(0, peak, 5, ticks);
    assert.ok(top >= peak && top <= peak * 2.5, `${peak} → ${top}`);
    assert.ok(ticks.length >= 2 && ticks.length <= 6, `${ticks}`);
  }
  linearTicks(0, 12, 5, ticks, true);
  assert.deepEqual(ticks, [0, 3, 6, 9, 12]);
  assert.deepEqual(logTicks(3, 120, ticks), [2, 200]);
  assert.deepEqual(ticks, [2, 5, 10, 20, 50, 100, 200]);
  assert.deepEqual(logTicks(0.01, 300, ticks), [0.01, 500]);
  assert.deepEqual(ticks, [0.01, 0.1, 1, 10, 100]);
  assert.deepEqual(logTicks(10, 10, ticks), [10, 20]);
  assert.equal(timeStep(300_000, 6), 60_000);
  assert.equal(timeStep(60_000, 4), 15_000);
});

test("engines from the address: good ones are used, bad ones are reported", () => {
  const { origins, problems } = parseEngines("http://pi:8080, https://b.example/x?y,javascript:alert(1),nonsense,http://pi:8080/");
  assert.deepEqual(origins, ["http://pi:8080", "https://b.example"]);
  assert.equal(problems.length, 2);
  assert.match(problems[0], /javascript:alert\(1\).*not an http:\/\/ or https:\/\/ address/);
  assert.deepEqual(parseEngines(null), { origins: [], problems: [] });
  const many = parseEngines(Array.from({ length: 9 }, (_, i) => `http://pi:${9000 + i}`).join());
  assert.equal(many.origins.length, MOST_ENGINES);
  assert.match(many.problems.join(), /^At most 6 fit on a page, without http:\/\/pi:9006, .*9008$/);
});

test("peers are at the page's own host, at the ports that the sample names, or the usual ones", () => {
  const here = new URL("http://[fd00::1]:3000/compare3");
  const peers = [{ server_type: "worker-pool", port: 3000 }, { server_type: "may", port: 3001 }];
  assert.deepEqual(findPeers(peers, ["worker-pool", "hyper", "may"], here), {
    types: ["worker-pool", "may"], origins: ["http://[fd00::1]:3000", "http://[fd00::1]:3001"], problems: ["hyper is not running on this host"],
  });
  assert.deepEqual(findPeers(null, ["may", "hyper"], here).origins, ["http://[fd00::1]:8081", "http://[fd00::1]:8082"]);
  const moved = findPeers(undefined, ["may", "hyper"], here, "may");
  assert.deepEqual(moved.origins, ["http://[fd00::1]:3000", "http://[fd00::1]:8082"], "the engine that served the page is where it did");
});

test("each engine keeps its look, and a second of its kind gets one of its own", () => {
  assert.deepEqual(slotsFor(["worker-pool", "may", "hyper"]), [0, 1, 2]);
  assert.deepEqual(slotsFor(["hyper"]), [2]);
  assert.deepEqual(slotsFor(["hyper", "hyper", undefined]), [2, 3, 4]);
  assert.equal(new Set(slotsFor(["hyper", "hyper", "hyper", "hyper", "hyper", "hyper"])).size, 6);
});

test("the view goes into the address and comes back; what is as usual leaves no trace", () => {
  const view = new View();
  assert.equal(view.write(new URLSearchParams("engines=http://pi:1&window=1m")).toString(), "engines=http%3A%2F%2Fpi%3A1");
  view.read(new URLSearchParams("window=15m&wall=1&scale=log&tables=cpu,p50&hide=may&zoom=1000-9000"));
  assert.equal(view.span, 8000);
  assert.deepEqual([view.wall, ...view.tables], [true, "cpu", "p50"]);
  const again = new View();
  again.read(view.write(new URLSearchParams()));
  assert.deepEqual(again, view);
  again.read(new URLSearchParams("window=toString&zoom=5-4"));
  assert.equal(again.window, "15m", "an unknown window changes nothing");
  assert.deepEqual([again.zoom, again.span, again.log], [null, 900_000, null]);
});

test("a dragged range is zoomed into, a click is not, and back again", () => {
  const view = new View();
  view.window = "1m";
  view.advance(at(100));
  view.point(0.5);
  view.select();
  view.point(0.75);
  assert.equal(view.zoomIn(), true);
  assert.deepEqual([view.start, view.end], [at(70), at(85)]);
  view.advance(at(200));
  assert.deepEqual([view.start, view.end], [at(70), at(85)], "a zoom does not move");
  view.point(0.5);
  view.select();
  assert.equal(view.zoomIn(), false);
  view.zoomOut();
  assert.deepEqual([view.start, view.end], [at(140), at(200)]);
});

test("the crosshair stays in the window and under a resting pointer", () => {
  const view = new View();
  view.window = "1m";
  view.advance(at(100));
  view.point(0.5);
  assert.equal(view.cursor, at(70));
  view.advance(at(110));
  assert.equal(view.cursor, at(80));
  view.step(-1);
  assert.equal(view.cursor, at(79));
  view.step(-1000);
  assert.equal(view.cursor, at(50));
  view.advance(at(111));
  assert.equal(view.cursor, null, "a fixed time that left the window is let go");
});

test("a row of a long table has the mean of its samples, of p99 the highest", () => {
  const latency = (n) => ({ count: 1, p50: n, p95: n, p99: n, max: n });
  const store = fill(new Store(), 0, 60, (n) => ({ latency_ms: latency(n) }));
  assert.equal(valueOver(store, "p50", at(30), 1000), 30);
  assert.deepEqual(["p50", "p99"].map((key) => valueOver(store, key, at(30), 15_000)), [23, 30]);
  assert.deepEqual([valueOver(store, "p50", at(90), 15_000), valueOver(store, "p50", at(90), 1000)], [NaN, NaN]);
});

test("exports hold what is on the screen, an empty cell where there was nothing", () => {
  const store = fill(new Store(), 0, 60);
  const engines = [{ name: "=hyper", origin: "http://pi:8082", store, sample: { work: "none" } }];
  const lines = csv(engines, at(10), at(19)).trimEnd().split("\n");
  assert.equal(lines.length, 11);
  assert.equal(lines[0], ["time", "engine", "origin", ...COLUMNS].join());
  const cells = lines[1].split(",");
  assert.equal(cells[0], new Date(at(10)).toISOString());
  assert.equal(cells[1], '"\'=hyper"', "a name is no formula");
  assert.equal(cells[3 + COLUMNS.indexOf("requests_per_sec")], "100");
  assert.equal(cells[3 + COLUMNS.indexOf("temperature_c")], "");
  const parsed = JSON.parse(json(engines, at(10), at(19)));
  assert.equal(parsed.engines[0].rows.length, 10);
  assert.equal(parsed.engines[0].rows[0].length, parsed.columns.length);
  assert.equal(parsed.engines[0].rows[0][parsed.columns.indexOf("temperature_c")], null);
  assert.equal(parsed.engines[0].last_sample.work, "none");
});
