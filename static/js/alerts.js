// What a person should know now about one engine, in plain words. Pure: from the latest sample and the last minute of the store.

import { count, duration, latency, load, percent, setting } from "./format.js";
import { parseWork } from "./workload.js";

export const MINUTE = 60_000;
/** Failed requests, in percent of all answers of the last minute. */
const ERRORS_WARN = 1;
const ERRORS_BAD = 5;
/** Latency this many times the simulated work, and at least `SLOW_LEAST` ms, is far beyond it. */
const SLOW_TIMES = 10;
const SLOW_LEAST = 100;
/** Latency is judged over the seconds with requests among the last ten. */
const SLOW_SPAN = 10_000;
/** Waiting longer than this (ms) for a worker is worth saying. */
const LONG_WAIT = 1000;
/** Share of the connection limit from which on it is worth saying. */
const NEAR_LIMIT = 0.95;

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** An alert: `level` is `bad` (act), `warn` (look) or `info` (know); `id` stays the same while it lasts. */
export const alert = (id, level, text) => ({ id, level, text });

/** Whether as many connections are open as the engine holds. */
export const isFull = (sample) => sample.active_connections >= (sample.limits?.max_connections ?? Infinity);

/** Answers of the last minute: how many, how many failed, and in which way. */
export function lastMinute(store) {
  const to = store.lastTime;
  const sum = (key) => store.sum(key, to - MINUTE, to);
  const [successes, failed, late, invalid, server] = ["successes", "errors", "late", "client_errors", "server_errors"].map(sum);
  return {
    answers: successes + failed, successes, failed, late, invalid, server,
    abandoned: Math.max(0, failed - late - invalid - server),
    refusedByQueue: sum("refused_by_queue"), refusedConnections: sum("refused_connections"),
  };
}

/** Alerts about the engine's own process. */
export function engineAlerts(sample, store) {
  const minute = lastMinute(store);
  const found = [errorAlert(minute), slowAlert(sample, store), queueAlert(sample, minute), limitAlert(sample, minute), fileAlert(sample)];
  if (sample.draining) found.push(alert("draining", "info", "Shutting down: finishing open requests, accepting no new ones"));
  return found.filter(Boolean);
}

function errorAlert({ answers, failed, late, invalid, server, abandoned }) {
  const faults = failed - invalid;
  if (faults <= 0) {
    const share = (100 * invalid) / answers;
    return share >= ERRORS_WARN ? alert("errors", "warn", `${percent(share)} of requests were invalid in the last minute (${count(invalid)} answered 4xx)`) : null;
  }
  const share = (100 * faults) / answers;
  if (share < ERRORS_WARN && !late) return null;
  const kinds = [
    late && `${count(late)} timed out (408)`, server && `${count(server)} answered 5xx`, abandoned && `${count(abandoned)} abandoned by the client`,
  ].filter(Boolean).join(", ");
  return alert("errors", share >= ERRORS_BAD ? "bad" : "warn", `${percent(share)} of requests failed in the last minute: ${kinds}`);
}

/** Latency far beyond the simulated work. */
export function slowAlert(sample, store) {
  const to = store.lastTime;
  const middle = (key) => {
    const values = store.values(key, to - SLOW_SPAN, to).sort((a, b) => a - b);
    return values.length ? values[values.length >> 1] : NaN;
  };
  const { ms } = parseWork(sample.work);
  const bound = Math.max(SLOW_LEAST, SLOW_TIMES * ms);
  const [p50, p99] = [middle("p50"), middle("p99")];
  if (!(p99 > bound)) return null;
  const beside = ms > 0 ? `the simulated work takes ${latency(ms)}` : "there is no simulated work";
  if (p50 > bound) return alert("slow", "bad", `Slow: half of the answers take more than ${latency(p50)}, ${beside}`);
  return alert("slow", "warn", `Slow: 1 of 100 answers takes more than ${latency(p99)}, ${beside}`);
}

function queueAlert({ queue, workers, work, limits }, { refusedByQueue }) {
  if (refusedByQueue > 0) return alert("queue", "bad", `Queue full: ${plural(refusedByQueue, "request")} rejected in the last minute`);
  if (!(queue?.capacity > 0)) return null;
  const wait = (queue.depth / workers.total) * parseWork(work).ms;
  if (wait > LONG_WAIT) {
    const level = wait > limits.read_timeout_ms / 2 ? "bad" : "warn";
    const timeout = wait > limits.read_timeout_ms ? `, and requests time out after ${setting(limits.read_timeout_ms)}` : "";
    return alert("queue", level, `Queue: about ${duration(wait / 1000)} of waiting for a worker (${plural(queue.depth, "request")} waiting)${timeout}`);
  }
  if (queue.depth >= 0.8 * queue.capacity) return alert("queue", "warn", `Queue ${load((100 * queue.depth) / queue.capacity)} full`);
  return null;
}

function limitAlert(sample, { refusedConnections }) {
  const limit = sample.limits?.max_connections;
  const of = `${count(sample.active_connections)} of ${plural(limit, "connection")} open`;
  if (refusedConnections > 0) {
    return alert("connections", "bad", `Connection limit reached: ${plural(refusedConnections, "connection")} rejected in the last minute (limit ${count(limit)})`);
  }
  if (isFull(sample)) return alert("connections", "bad", `At its connection limit: ${of}`);
  if (sample.active_connections >= NEAR_LIMIT * limit) return alert("connections", "warn", `Near the connection limit: ${of}`);
  return null;
}

function fileAlert(sample) {
  const files = (100 * sample.open_fds) / sample.max_fds;
  return files >= 80 ? alert("files", files >= 95 ? "bad" : "warn", `Open files at ${load(files)} of the limit`) : null;
}

/** What was checked when nothing was found: never a blanket "all is well". `engines`: those that answer, with `latest` and `store`. */
export function calmText(engines) {
  if (!engines.length) return "Waiting for the first sample";
  const minutes = engines.map(({ store }) => lastMinute(store));
  const answers = minutes.reduce((sum, minute) => sum + minute.answers, 0);
  const failed = minutes.reduce((sum, minute) => sum + minute.failed, 0);
  if (!answers) return `No problems: ${engines.length > 1 ? `${engines.length} engines` : engines[0].name} answering, no requests in the last minute`;
  const slowest = Math.max(...engines.map(({ store }) => Math.max(...store.values("p99", store.lastTime - SLOW_SPAN, store.lastTime))));
  const tail = Number.isFinite(slowest) ? `, highest p99 ${latency(slowest)}` : "";
  return `No problems: ${plural(failed, "error")} in ${plural(answers, "request")} of the last minute${tail}`;
}

const ORDER = { bad: 0, warn: 1, info: 2 };

/** Gravest first, otherwise in the order found. */
export const byGravity = (alerts) => alerts.sort((a, b) => ORDER[a.level] - ORDER[b.level]);
