// What a report says of its runs: the rows of its table, how two runs differ, and what a reader has to know. Pure.

import { NONE, celsius, clock, count, duration, latency, load, mebibytes, micros, percent, rate, setting } from "../format.js";

/** Runs shorter than this (s) say little. */
const SHORT = 10;
/** Values that differ by less than this share are about equal. */
const EQUAL = 0.05;
/** Offered loads that differ by more than this share make throughput and latency incomparable. */
const SAME_LOAD = 0.1;
/** Shares of failed requests that are worth saying, and that are a failure. */
const FAILED_WARN = 0.001;
const FAILED_BAD = 0.01;

/** Ends that a reader should know of; a run otherwise ends with its load or on request. */
const ENDS = {
  next: "ended when the next run began",
  idle: "ended after ten minutes without load",
  limit: "ended after a day, the longest that a run may last",
  shutdown: "ended because the server stopped",
  interrupted: "the server ended without a clean stop, so the last minutes may be missing",
};

const FLAGS = { under_voltage: "under-voltage", frequency_capped: "clock capped", throttled: "throttled", soft_temperature_limit: "soft temperature limit" };

const two = (n) => String(n).padStart(2, "0");

/** Local date and time of a Unix time: `2026-11-25 14:32`. */
export function moment(seconds) {
  const d = new Date(seconds * 1000);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(d, false)}`;
}

/** The name that a run was given, or one made of its time. */
export function nameOf(run) {
  return run.name ?? `Load at ${clock(run.start * 1000, false)}`;
}

/** Share of requests that failed, NaN without any. */
export function failedShare({ results }) {
  const all = results.successful + results.errors.total;
  return all > 0 ? results.errors.total / all : NaN;
}

/** Requests a second that came in. */
const offered = (run) => (run.seconds > 0 ? run.results.requests / run.seconds : NaN);

const flag = (value) => (value === null || value === undefined ? NONE : value ? "yes" : "no");
const list = (names) => (names ? names.map((name) => FLAGS[name] ?? name).join(", ") || "no" : NONE);
const text = (value) => (value === null || value === undefined ? NONE : String(value));
const other4xx = ({ errors }) => errors["4xx"] - (errors["408"] ?? 0);

const row = (label, value, show, options = {}) => ({ label, value, show, ...options });
/** Rows that say the same for every run, zero for instance, are left out where they are `rare`. */
const rare = { rare: true };
const compared = { compared: true };
const sameLoad = { compared: true, needsLoad: true };

export const GROUPS = [
  ["Requests", [
    row("Received", (r) => r.results.requests, count),
    row("Successful", (r) => r.results.successful, count),
    row("Failed", failedShare, (share) => percent(share * 100)),
    row("Successful a second, mean", (r) => r.results.successful_per_sec.mean, rate, sameLoad),
    row("Successful a second, peak", (r) => r.results.successful_per_sec.peak, rate, sameLoad),
  ]],
  ["Latency inside the server", [
    row("Median (p50)", (r) => r.results.latency_ms.p50, latency, sameLoad),
    row("9 of 10 faster than (p90)", (r) => r.results.latency_ms.p90, latency, sameLoad),
    row("99 of 100 faster than (p99)", (r) => r.results.latency_ms.p99, latency, sameLoad),
    row("Slowest", (r) => r.results.latency_ms.max, latency),
  ]],
  ["Cost", [
    row("CPU a request", (r) => r.results.cpu_us_per_request, micros, compared),
    row("CPU, mean (100% is one core)", (r) => r.results.cpu_percent.mean, load),
    row("CPU, peak", (r) => r.results.cpu_percent.peak, load),
    row("Memory before", (r) => r.results.memory_mb.start, mebibytes),
    row("Memory, peak", (r) => r.results.memory_mb.peak, mebibytes, compared),
    row("Open connections, peak", (r) => r.results.peak_connections, count),
    row("Requests in flight, peak", (r) => r.results.peak_in_flight, count),
    row("Queue, peak", (r) => r.results.peak_queue_depth, count, rare),
  ]],
  ["Errors", [
    row("Timed out (408)", (r) => r.results.errors["408"], count, rare),
    row("Invalid (other 4xx)", (r) => other4xx(r.results), count, rare),
    row("Answered 5xx", (r) => r.results.errors["5xx"], count, rare),
    row("of these rejected by a full queue", (r) => r.results.errors.queue_rejected, count, rare),
    row("Abandoned by the client", (r) => r.results.errors.abandoned, count, rare),
    row("Connections rejected", (r) => r.results.errors.connections_rejected, count, rare),
    row("Connections timed out", (r) => r.results.errors.connections_timed_out, count, rare),
  ]],
  ["Board", [
    row("Model", (r) => r.board.model, text),
    row("Hottest", (r) => r.board.temperature_max_c, celsius),
    row("Slowed down", (r) => r.board.throttled, list),
    row("Under-voltage", (r) => r.board.under_voltage, flag),
    row("Slowest clock", (r) => r.board.cpu_freq_min_mhz, (mhz) => (mhz ? `${count(mhz)} MHz` : NONE)),
    row("Memory in use, peak", (r) => r.board.memory_used_max_percent, load),
  ]],
  ["Settings", [
    row("Work a request", (r) => r.settings.work, text),
    row("Cores", (r) => r.settings.num_cpu, count),
    row("Workers", (r) => r.settings.limits?.workers, count),
    row("Connection limit", (r) => r.settings.limits?.max_connections, count),
    row("Queue limit", (r) => r.settings.limits?.queue_size, count),
    row("Time for a request", (r) => r.settings.limits?.read_timeout_ms, setting),
    row("fastgo", (r) => r.settings.version, text),
  ]],
];

/** Whether figures that depend on the offered load may be set against each other. */
export function comparable(runs) {
  const loads = runs.map(offered);
  return runs.every((run) => run.settings.work === runs[0].settings.work)
    && Math.max(...loads) <= Math.min(...loads) * (1 + SAME_LOAD);
}

/** The table of a report: `[group, [{ label, texts, difference }]]`, without rows that have nothing to say. */
export function table(runs) {
  const pair = runs.length === 2;
  const alike = pair && comparable(runs);
  return GROUPS.map(([name, rows]) => [name, rows.flatMap(({ label, value, show, rare: quiet, compared: judged, needsLoad }) => {
    const values = runs.map(value);
    const texts = values.map(show);
    if (texts.every((one) => one === NONE) || (quiet && values.every((one) => !one))) return [];
    const shown = pair && judged ? (needsLoad && !alike ? "different load" : against(...values)) : "";
    return [{ label, texts, difference: shown }];
  })]).filter(([, rows]) => rows.length);
}

/** The second value against the first: `+12%`, `−30%`, `3.1×`, `about equal`. */
export function against(first, second) {
  if (!(first > 0) || !(second > 0)) return NONE;
  const change = second / first - 1;
  if (Math.abs(change) < EQUAL) return "about equal";
  if (change >= 1) return `${rate(second / first)}×`;
  return `${change > 0 ? "+" : "−"}${percent(Math.abs(change) * 100)}`;
}

/** One sentence a run: what came out. */
export function verdict(run) {
  const { results } = run;
  const share = failedShare(run);
  const tail = results.latency_ms.p99 === null ? "" : `, 99 of 100 within ${latency(results.latency_ms.p99)}`;
  if (Number.isNaN(share)) return "No request was answered.";
  if (share >= FAILED_BAD) return `Failed: ${percent(share * 100)} of ${count(results.successful + results.errors.total)} requests did not succeed.`;
  const of = share > 0 ? `${count(results.successful)} of ${count(results.successful + results.errors.total)}` : `all ${count(results.successful)}`;
  return `${of[0].toUpperCase()}${of.slice(1)} requests succeeded, ${rate(results.successful_per_sec.mean)} a second on average${tail}.`;
}

/** What a reader has to know about the runs: `{ level, text }`. What is true of all of them is said once. */
export function warnings(runs) {
  const found = new Map();
  for (const run of runs) {
    for (const [level, said] of troubles(run)) found.set(said, { level, of: [...(found.get(said)?.of ?? []), run] });
  }
  const shown = [...found].map(([said, { level, of }]) => {
    const whose = of.length < runs.length ? of.map((run) => `${run.engine}, ${nameOf(run)}`).join("; ") : runs.length > 1 ? "All runs" : "";
    return { level, text: whose ? `${whose}: ${said}` : `${said[0].toUpperCase()}${said.slice(1)}` };
  });
  return runs.length > 1 ? [...shown, ...differences(runs)] : shown;
}

function troubles(run) {
  const found = [];
  const share = failedShare(run);
  if (share >= FAILED_WARN) found.push([share >= FAILED_BAD ? "bad" : "warn", `${percent(share * 100)} of the requests failed`]);
  const { throttled, under_voltage: low } = run.board;
  if (low || throttled?.includes("under_voltage")) found.push(["bad", "the power supply was too weak (under-voltage)"]);
  const slowed = (throttled ?? []).filter((name) => name !== "under_voltage");
  if (slowed.length) found.push(["bad", `the board slowed itself down (${list(slowed)})`]);
  if (ENDS[run.ended_by]) found.push(["warn", ENDS[run.ended_by]]);
  if (run.seconds < SHORT) found.push(["warn", `only ${duration(run.seconds)} long`]);
  return found;
}

function differences(runs) {
  const works = new Set(runs.map((run) => run.settings.work));
  if (works.size > 1) return [{ level: "warn", text: `Different work a request (${[...works].join(", ")}): speed cannot be compared` }];
  if (comparable(runs)) return [];
  const loads = runs.map((run) => `${rate(offered(run))}/s`).join(", ");
  return [{ level: "warn", text: `Different load (${loads}): throughput and latency say what was asked of the engines, not which is faster. CPU a request can be compared` }];
}
