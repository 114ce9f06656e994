// Which engine does better, by how much and how sure that is, with no winner where comparing would mislead. Pure.

import { NEEDED, SAME_LOAD, TOO_FEW, enough, fairSeconds } from "./fair.js";
import { count, latency, load, mebibytes, micros, percent, rate, roughBytes } from "./format.js";
import { indexesIn, statsOf } from "./stats.js";
import { ENOUGH_CONNECTIONS } from "./store.js";
import { parseWork } from "./workload.js";

/** Differences under this share are called equal, those under the second are not called certain. */
const EQUAL = 0.05;
const CLEAR = 0.1;
/** Differences of so many standard errors are more than chance, and certainly more. */
const CHANCE = 2;
const CERTAIN = 4;
const CERTAIN_SECONDS = 30;
/** Timers have a step of a millisecond: what a sleep is late by says nothing of an engine. */
const TIMER_STEP_MS = 1.5;
/** With fewer connections than this, their number does not matter for memory. */
const FEW_CONNECTIONS = 100;

const latencyRow = (key) => ({
  key, label: `Latency ${key}`, note: "median", show: latency, better: "low", work: true, over: "loaded",
  least: (work) => (parseWork(work).kind === "sleep" ? TIMER_STEP_MS : 0.05),
});

/**
 * The rows of the table. `over`: the seconds compared (see fair.js); without it the row is the load's doing: equal or not, but
 * never ranked; `better`: which end wins; `work`: only engines with the same work setting are compared; `least`: smaller
 * differences are equal, in the row's unit; `ratio: false`: a ratio of the values means nothing; `rare`: the row is left out
 * where no engine has a value.
 */
export const METRICS = [
  { key: "throughput", label: "Requests/s", note: "successful", show: rate, better: "high", work: true, over: "saturated" },
  latencyRow("p50"), latencyRow("p95"), latencyRow("p99"),
  { key: "errors", label: "Errors", note: "share", show: percent, better: "low", work: true, over: "loaded", least: () => 0.01, ratio: false },
  { key: "cpuPerRequest", label: "CPU per request", note: "median", show: micros, better: "low", work: true, over: "loaded" },
  { key: "cpu", label: "CPU", note: "100% = one core", show: load, better: "low", work: true, over: "loaded", least: () => 1 },
  { key: "memory", label: "Memory", note: "median", show: mebibytes, better: "low", over: "memory" },
  { key: "perConnection", label: "Memory per connection", note: "growth since idle", show: roughBytes, better: "low", over: "connections", rare: true },
  { key: "connections", label: "Connections", note: "peak", show: count },
];

const isAlike = (values) => Math.max(...values) - Math.min(...values) <= SAME_LOAD * Math.max(...values);

/** `kind` is `ahead` (with `winner`, an index; `sure` or not), `equal`, `fact` (not ranked) or `none` (nothing to compare). */
const verdict = (kind, text, winner = -1, sure = false) => ({ kind, text, winner, sure });
const SET_BY_LOAD = verdict("fact", "not ranked: set by the load");

/**
 * Judges the window [from, to] of `engines`: `{ name, store, work, cores, workers, live }`. Returns `rows`, each
 * `{ metric, stats: [{ value, error }], verdict }`, and a `basis` in words.
 */
export function compare(engines, from, to) {
  const whole = engines.map(({ store }) => statsOf(store, indexesIn(store, from, to)));
  const live = engines.map((_, i) => i).filter((i) => engines[i].live);
  const groups = new Map();
  const fair = (rivals) => {
    const key = rivals.join();
    if (!groups.has(key)) groups.set(key, fairSeconds(rivals.map((i) => engines[i]), from, to));
    return groups.get(key);
  };
  const rows = METRICS.map((metric) => row(metric, engines, live, whole, fair));
  return { rows, basis: basis(groups, live, engines) };
}

function row(metric, engines, live, whole, fair) {
  const stats = whole.map((of) => of[metric.key]);
  const result = (v, over = stats) => ({ metric, stats: over, verdict: v });
  if (live.length < 2) return result(verdict("none", "needs two engines that answer"));
  const rivals = metric.work ? largestGroup(live, engines) : live;
  if (rivals.length < 2) return result(verdict("fact", "not ranked: different work"));
  if (!metric.over) return result(rivals.every((i) => whole[i].seconds > 0) && isAlike(rivals.map((i) => stats[i].value)) ? verdict("equal", "about equal") : SET_BY_LOAD);
  const chosen = choose(metric, rivals, engines, whole, fair);
  if (chosen.why) return result(verdict(chosen.kind ?? "none", chosen.why));
  const over = stats.map((value, i) => {
    const n = rivals.indexOf(i);
    return n < 0 || !chosen.seconds ? value : statsOf(engines[i].store, chosen.seconds[n])[metric.key];
  });
  return result(rank({ ...metric, equal: chosen.equal ?? EQUAL }, rivals, engines, over, chosen.seconds?.[0].length ?? Infinity), over);
}

/** The seconds over which a metric compares these rivals and the share that counts as `equal`, or why there are none. */
function choose(metric, rivals, engines, whole, fair) {
  if (metric.over === "connections") {
    const without = rivals.filter((i) => !Number.isFinite(whole[i].perConnection.value));
    if (!without.length) return {};
    const held = without.every((i) => whole[i].connections.value >= ENOUGH_CONNECTIONS);
    return { why: held ? "needs an idle baseline first" : `needs ${count(ENOUGH_CONNECTIONS)} connections${without.length < rivals.length ? " on each engine" : ""}` };
  }
  const seconds = fair(rivals);
  if (metric.over === "saturated") {
    if (enough(seconds.saturated)) return { seconds: seconds.saturated };
    // Under the same load only an engine that fails requests falls behind.
    if (!seconds.why) return { seconds: seconds.loaded, equal: SAME_LOAD };
    if (seconds.why.startsWith("no load")) return { why: seconds.why };
    return { kind: "fact", why: SET_BY_LOAD.text };
  }
  if (metric.over === "memory" && !seconds.why) {
    const held = rivals.map((i, n) => statsOf(engines[i].store, seconds.loaded[n]).connections.value);
    const [high, low] = [Math.max(...held), Math.min(...held)];
    if (high >= FEW_CONNECTIONS && high - low > SAME_LOAD * high) return { kind: "fact", why: "not ranked: different numbers of connections" };
  }
  if (!seconds.why) return { seconds: seconds.loaded };
  return { kind: seconds.why.startsWith("not ranked") ? "fact" : "none", why: seconds.why };
}

function rank(metric, rivals, engines, stats, seconds) {
  const sign = metric.better === "high" ? -1 : 1;
  const ranked = rivals.filter((i) => Number.isFinite(stats[i].value)).sort((a, b) => sign * (stats[a].value - stats[b].value));
  if (ranked.length < 2) return verdict("none", "too few answers to compare");
  const [first] = ranked;
  const least = metric.least?.(engines[first].work) ?? 0;
  const gap = (i) => {
    const [a, b] = [stats[first], stats[i]];
    const high = Math.max(Math.abs(a.value), Math.abs(b.value));
    const difference = Math.abs(a.value - b.value);
    return { difference, share: high > 0 ? difference / high : 0, chance: Math.hypot(a.error, b.error) };
  };
  const equal = (i) => {
    const { difference, share, chance } = gap(i);
    return difference <= least || share <= metric.equal || difference <= CHANCE * chance;
  };
  const whole = ranked.length === engines.length;
  const others = (from) => ranked.slice(from).map((i) => engines[i].name).join(" and ");
  if (equal(ranked[1])) {
    const level = ranked.filter(equal).sort((a, b) => a - b);
    if (metric.key === "errors" && ranked.every((i) => stats[i].value === 0)) return verdict("equal", "no errors");
    return verdict("equal", level.length === engines.length ? "about equal" : `${level.map((i) => engines[i].name).join(" and ")} about equal`);
  }
  const { difference, share, chance } = gap(ranked[1]);
  const sure = share > CLEAR && difference > CERTAIN * chance && seconds >= CERTAIN_SECONDS;
  const by = metric.ratio === false ? "" : margin(stats[first].value, stats[ranked[1]].value);
  return verdict("ahead", `${engines[first].name} ${sure ? "" : "probably "}ahead${whole ? "" : ` of ${others(1)}`}${by}`, first, sure);
}

/** What the table is based on, as text. */
function basis(groups, live, engines) {
  if (live.length < 2) return "";
  const [seconds] = [...groups.values()].sort((a, b) => b.loaded[0].length - a.loaded[0].length);
  if (seconds?.why === TOO_FEW) return `The same load (±${SAME_LOAD * 100}%) for ${seconds.loaded[0].length} s so far, ${NEEDED} s needed`;
  if (!seconds || seconds.why) return seconds?.why?.startsWith("not ranked") ? "The engines got different loads: nothing to rank. Load them alike, at the same time" : "";
  const shortest = Math.min(...seconds.loaded.map((set) => set.length));
  const turn = seconds.mode === "in turn" ? ", one engine after the other" : "";
  const left = engines.length > live.length ? `. Left out: ${engines.filter((e) => !e.live).map((e) => e.name).join(" and ")}` : "";
  return `Ranked over ${count(shortest)} s in which they got the same load (±${SAME_LOAD * 100}%)${turn}${shortest < NEEDED ? ": too few" : ""}${left}`;
}

function largestGroup(indexes, engines) {
  let best = [];
  for (const i of indexes) {
    const group = indexes.filter((j) => engines[j].work === engines[i].work);
    if (group.length > best.length) best = group;
  }
  return best;
}

function margin(best, next) {
  const ratio = Math.max(best, next) / Math.min(best, next);
  if (!Number.isFinite(ratio)) return "";
  if (ratio >= 2) return ` by ${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)}×`;
  return ` by ${Math.round((ratio - 1) * 100)}%`;
}
