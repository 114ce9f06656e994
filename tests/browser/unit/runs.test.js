// What a report says of runs: verdicts, warnings, and what may be compared.

import assert from "node:assert/strict";
import { test } from "node:test";
import { against, comparable, failedShare, table, verdict, warnings } from "../../../static/js/runs/figures.js";

const run = ({ requests = 1000, failed = 0, seconds = 20, p99 = 12, work = "sleep:10ms", cpu = 50, board = {}, ...rest } = {}) => ({
  engine: "may", name: "a", start: 1_700_000_000, seconds, ended_by: "load",
  settings: { work, num_cpu: 4, version: "0.1.0", limits: {} },
  board: { model: null, temperature_max_c: null, throttled: null, under_voltage: null, cpu_freq_min_mhz: null, memory_used_max_percent: null, ...board },
  results: {
    requests, successful: requests - failed, successful_per_sec: { mean: (requests - failed) / seconds, peak: 100 },
    latency_ms: { p50: p99 === null ? null : 10, p90: p99, p99, max: p99 },
    errors: { total: failed, "4xx": failed, "408": failed, "5xx": 0, abandoned: 0, queue_rejected: 0, connections_rejected: 0, connections_timed_out: 0 },
    peak_connections: 10, peak_in_flight: 5, peak_queue_depth: 0, memory_mb: { start: 10, peak: 12 },
    cpu_percent: { mean: 10, peak: 20 }, cpu_us_per_request: cpu,
  },
  ...rest,
});
const texts = (runs) => warnings(runs).map(({ level, text }) => `${level}: ${text}`);
const find = (runs, label) => table(runs).flatMap(([, rows]) => rows).find((row) => row.label === label);

test("a run with failures is never shown as a success", () => {
  assert.equal(verdict(run()), "All 1,000 requests succeeded, 50 a second on average, 99 of 100 within 12.0 ms.");
  assert.equal(verdict(run({ failed: 1 })), "999 of 1,000 requests succeeded, 50 a second on average, 99 of 100 within 12.0 ms.");
  assert.equal(verdict(run({ failed: 740 })), "Failed: 74% of 1,000 requests did not succeed.");
  assert.equal(verdict(run({ requests: 0, p99: null })), "No request was answered.");
  assert.ok(Number.isNaN(failedShare(run({ requests: 0 }))));
  assert.deepEqual(texts([run({ failed: 740 })]), ["bad: 74% of the requests failed"]);
  assert.deepEqual(texts([run()]), []);
});

test("the board's state and a cut end are said, and once where they hold for all", () => {
  const hot = { board: { throttled: ["under_voltage", "throttled"], under_voltage: false }, ended_by: "interrupted" };
  assert.deepEqual(texts([run({ ...hot, seconds: 3 })]), [
    "bad: The power supply was too weak (under-voltage)",
    "bad: The board slowed itself down (throttled)",
    "warn: The server ended without a clean stop, so the last minutes may be missing",
    "warn: Only 3 s long",
  ]);
  assert.deepEqual(texts([run(hot), run({ engine: "hyper", board: hot.board })]).slice(0, 3), [
    "bad: All runs: the power supply was too weak (under-voltage)",
    "bad: All runs: the board slowed itself down (throttled)",
    "warn: may, a: the server ended without a clean stop, so the last minutes may be missing",
  ]);
});

test("only what was offered the same load and work is set against each other", () => {
  const [first, second] = [run(), run({ requests: 1040, cpu: 75, p99: 24 })];
  assert.ok(comparable([first, second]));
  assert.equal(find([first, second], "99 of 100 faster than (p99)").difference, "2.0×");
  assert.equal(find([first, second], "Successful a second, mean").difference, "about equal");
  assert.equal(find([first, second], "CPU a request").difference, "+50%");
  assert.equal(find([first], "CPU a request").difference, "");

  const busy = run({ requests: 41_000 });
  assert.ok(!comparable([first, busy]));
  assert.equal(find([first, busy], "Successful a second, mean").difference, "different load");
  assert.match(texts([first, busy])[0], /^warn: Different load \(50\/s, 2,050\/s\)/);
  assert.match(texts([first, run({ work: "none" })])[0], /^warn: Different work a request \(sleep:10ms, none\)/);
});

test("differences are written as a person would", () => {
  assert.equal(against(100, 103), "about equal");
  assert.equal(against(100, 70), "−30%");
  assert.equal(against(100, 310), "3.1×");
  assert.equal(against(0, 5), "—");
  assert.equal(against(null, 5), "—");
});

test("rows without anything to say are left out", () => {
  assert.equal(find([run()], "Timed out (408)"), undefined);
  assert.deepEqual(find([run(), run({ failed: 3 })], "Timed out (408)").texts, ["0", "3"]);
  assert.equal(find([run()], "Hottest"), undefined);
});
