// Who is ahead, and by how much, over the window shown; with honest ties, and no winner where comparing would mislead. Pure.

import { bytes, count, latency, load, mebibytes, micros, percent, rate } from "./format.js";
import { TELLING } from "./store.js";

/** Differences under this share are called level: one-second samples on a busy board scatter that much. */
const LEVEL = 0.05;
/** CPU and memory are compared as they stand only when the work done differs by less than this share. */
const SAME_LOAD = 0.1;

const scratch = new Float64Array(900);

/** Middle value of a column over the samples with a value in [from, to]; NaN without any. */
function median(store, key, from, to) {
  let n = 0;
  for (let i = store.indexAt(from); i < store.size && store.time(i) <= to; i++) {
    const value = store.value(key, i);
    if (value === value) scratch[n++] = value;
  }
  if (n === 0) return NaN;
  const sorted = scratch.subarray(0, n).sort();
  return n % 2 ? sorted[(n - 1) / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

/** What one engine did over [from, to]. Rates and CPU are over the seconds under load, so that a pause costs nothing. */
export function windowStats(store, from, to) {
  let seconds = 0;
  let requests = 0;
  let cpu = 0;
  let held = 0;
  let memory = NaN;
  let perConnection = NaN;
  for (let i = store.indexAt(from); i < store.size && store.time(i) <= to; i++) {
    const perSecond = store.value("requests_per_sec", i);
    if (perSecond > 0) {
      seconds += 1;
      requests += perSecond;
      cpu += store.value("cpu", i);
    }
    const mib = store.value("memory_mb", i);
    if (!(memory >= mib)) memory = mib;
    const connections = store.value("active", i);
    if (connections >= held) {
      held = connections;
      perConnection = store.value("bytes_per_connection", i);
    }
  }
  const done = store.sum("requests", from, to);
  const loaded = seconds > 0;
  return {
    seconds,
    throughput: loaded ? requests / seconds : NaN,
    p50: median(store, "p50", from, to),
    p95: median(store, "p95", from, to),
    p99: median(store, "p99", from, to),
    errors: done > 0 ? (100 * store.sum("errors", from, to)) / done : NaN,
    connections: store.size ? held : NaN,
    memory,
    perConnection,
    cpu: loaded ? cpu / seconds : NaN,
    cpuPerRequest: loaded ? (cpu * 10_000) / requests : NaN,
  };
}

/**
 * The rows of the table. `better`: which end wins; `work`: only engines with the same work setting are compared;
 * `from`: values under this are no load; `least`: differences up to this many units are level however small the values;
 * `ratio: false`: a ratio of the values tells nothing; `fair`: another row that must be about equal first, and the row to read instead when it is not.
 */
export const METRICS = [
  { key: "throughput", label: "Throughput", note: "mean requests/s under load", show: rate, better: "high", work: true },
  { key: "p50", label: "Latency p50", note: "median of the seconds", show: latency, better: "low", work: true, least: 0.05 },
  { key: "p95", label: "Latency p95", note: "median of the seconds", show: latency, better: "low", work: true, least: 0.05 },
  { key: "p99", label: "Latency p99", note: "median of the seconds", show: latency, better: "low", work: true, least: 0.05 },
  { key: "errors", label: "Errors", note: "share of requests", show: percent, better: "low", least: 0.01, ratio: false },
  { key: "connections", label: "Connections", note: "most held at once", show: count, better: "high", from: 100 },
  {
    key: "memory", label: "Memory", note: "most resident", show: mebibytes, better: "low",
    fair: { key: "connections", instead: "memory per connection" },
  },
  { key: "perConnection", label: "Memory per connection", note: "what came with them, when most were held", show: bytes, better: "low" },
  {
    key: "cpu", label: "CPU", note: "mean under load, 100% = one core", show: load, better: "low", work: true,
    fair: { key: "throughput", instead: "CPU per request" },
  },
  { key: "cpuPerRequest", label: "CPU per request", note: "mean under load", show: micros, better: "low", work: true },
];

/** `kind` is `ahead` (with `winner`, an index), `level`, `apart` (not comparable) or `none` (nothing to compare yet). */
const verdict = (kind, text, winner = -1) => ({ kind, text, winner });

/** Judges one metric over engines `{ name, work, stats }`. */
export function judge(metric, engines) {
  const measured = engines.map((_, i) => i).filter((i) => Number.isFinite(engines[i].stats[metric.key]));
  if (measured.length < 2) return verdict("none", missing(metric, engines));
  if (!measured.some((i) => meets(metric, engines[i].stats))) return verdict("none", "no load yet");
  let rivals = measured;
  if (metric.work) {
    rivals = largestGroup(measured, engines);
    if (rivals.length < 2) return verdict("apart", "not compared: different work");
  }
  const value = (i, key = metric.key) => engines[i].stats[key];
  const gauge = METRICS.find(({ key }) => key === metric.fair?.key);
  if (gauge && rivals.some((i) => meets(gauge, engines[i].stats)) && differ(rivals.map((i) => value(i, gauge.key)), SAME_LOAD)) {
    return verdict("apart", `different load: see ${metric.fair.instead}`);
  }
  const sign = metric.better === "high" ? -1 : 1;
  const ranked = [...rivals].sort((a, b) => sign * (value(a) - value(b)));
  const best = value(ranked[0]);
  const close = (i) => Math.abs(best - value(i)) <= Math.max(metric.least ?? 0, LEVEL * Math.max(best, value(i)));
  const whole = rivals.length === engines.length;
  if (close(ranked[1])) {
    const level = rivals.filter(close);
    if (level.length < engines.length) return verdict("level", `${names(level, engines)} level`);
    return verdict("level", metric.key === "errors" && rivals.every((i) => value(i) === 0) ? "no errors" : "level");
  }
  const by = metric.ratio === false ? "" : margin(best, value(ranked[1]));
  const over = whole ? "" : ` of ${names(ranked.slice(1), engines)}`;
  return verdict("ahead", `${engines[ranked[0]].name} ahead${over}${by}`, ranked[0]);
}

const names = (indexes, engines) => indexes.map((i) => engines[i].name).join(" and ");

const meets = ({ key, from }, stats) => !(stats[key] < from);

function missing(metric, engines) {
  const without = engines.filter((e) => !Number.isFinite(e.stats[metric.key]));
  if (metric.key === "perConnection") {
    const busy = without.some(({ stats }) => stats.connections >= TELLING);
    return busy ? "takes a quiet moment to compare with" : `told from ${count(TELLING)} connections up`;
  }
  if (without.length === engines.length) return "no load yet";
  return `no load yet on ${without.map((e) => e.name).join(" and ")}`;
}

function largestGroup(measured, engines) {
  let best = [];
  for (const i of measured) {
    const group = measured.filter((j) => engines[j].work === engines[i].work);
    if (group.length > best.length) best = group;
  }
  return best;
}

function differ(values, share) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  return high > 0 && (high - low) / high > share;
}

function margin(best, next) {
  const ratio = Math.max(best, next) / Math.min(best, next);
  if (!Number.isFinite(ratio)) return "";
  if (ratio >= 2) return ` by ${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)}×`;
  return ` by ${Math.round((ratio - 1) * 100)}%`;
}
