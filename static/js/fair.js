// Which seconds of a window compare engines: those in which they got about the same load. Pure.

import { parseWork } from "./workload.js";

/** Loads that differ by more than this share are not the same. */
export const SAME_LOAD = 0.1;
/** Under so many requests a second an engine counts as idle. */
const IDLE = 1;
/** Samples over which the load is averaged: single seconds scatter. */
const SMOOTH = 5;
/** So many seconds are needed before anything is said. */
export const NEEDED = 10;
/** The board counts as saturated from this share of its CPU time on. */
const SATURATED = 0.9;
/** Requests waiting in the engines may differ by this share when they are called equally saturated. */
const SAME_QUEUE = 0.25;
export const TOO_FEW = "too few seconds yet";
/** How near in time, as a share of what counts as a gap, samples of two engines must be to be of one second. */
const MATCH = 0.24;
/** While one engine is loaded alone, the others get less than this share of its load. */
const ALONE = 0.05;

/**
 * The seconds of [from, to] that compare `engines` (`{ store, work, cores }`, at least two):
 * `loaded`: seconds with the same load; `saturated`: seconds in which each had more to do than it
 * could, and as much of it. Each is a list of index lists, one for each engine. `mode` is `together`, or `in turn` where the
 * engines were loaded one after the other. `why` says why `loaded` is empty.
 */
export function fairSeconds(engines, from, to) {
  const rates = engines.map(({ store }) => smoothed(store, "offered_per_sec", from, to));
  const queues = engines.map(({ store }) => smoothed(store, "in_flight", from, to));
  const sets = { loaded: engines.map(() => []), saturated: engines.map(() => []) };
  for (const indexes of aligned(engines, from, to)) {
    const load = indexes.map((i, n) => rates[n].get(i));
    if (load.some((rate) => rate !== rate)) continue;
    if (Math.max(...load) >= IDLE && alike(load, SAME_LOAD)) keep(sets.loaded, indexes);
    if (alike(indexes.map((i, n) => queues[n].get(i)), SAME_QUEUE) && indexes.every((i, n) => isSaturated(engines[n], i))) keep(sets.saturated, indexes);
  }
  if (enough(sets.loaded)) return { ...sets, mode: "together", why: null };
  const turns = inTurn(engines, rates);
  if (enough(turns)) return { ...sets, loaded: turns, mode: "in turn", why: null };
  return { ...sets, mode: "together", why: whyNot(engines, rates, sets.loaded) };
}

export const enough = (set) => set.length > 0 && set.every((indexes) => indexes.length >= NEEDED);

const keep = (set, indexes) => indexes.forEach((i, n) => set[n].push(i));

const alike = (values, share) => {
  const high = Math.max(...values);
  return high > 0 && high - Math.min(...values) <= share * high;
};

/** Mean of a column over the samples up to each in [from, to], by index. */
function smoothed(store, key, from, to) {
  const means = new Map();
  for (let i = store.indexAt(from); i < store.size && store.time(i) <= to; i++) {
    let sum = 0;
    let n = 0;
    for (let j = Math.max(0, i - SMOOTH + 1); j <= i; j++) {
      const value = store.value(key, j);
      if (value !== value || store.time(i) - store.time(j) > SMOOTH * store.gapAt(store.time(i))) continue;
      sum += value;
      n += 1;
    }
    means.set(i, n ? sum / n : NaN);
  }
  return means;
}

/** For each sample of the first engine, the samples of the others at about the same time. */
function* aligned(engines, from, to) {
  const [{ store: first }] = engines;
  for (let i = first.indexAt(from); i < first.size && first.time(i) <= to; i++) {
    const indexes = engines.map(({ store }, n) => (n === 0 ? i : store.nearest(first.time(i), MATCH * first.gapAt(first.time(i)))));
    if (indexes.every((index, n) => index >= 0 && engines[n].store.time(index) >= from && engines[n].store.time(index) <= to)) yield indexes;
  }
}

/** Whether the engine had more to do in that second than the board or its workers could. */
function isSaturated({ store, work, cores, workers }, i) {
  const busy = store.value("board_cpu", i) >= SATURATED * 100 * cores || (store.value("queue_depth", i) > 0 && store.value("busy_workers", i) >= workers);
  return busy && store.value("p50", i) > 2 * parseWork(work).ms + 1;
}

/** Seconds at one common rate, each engine's while the others were idle. */
function inTurn(engines, rates) {
  const alone = engines.map(({ store }, n) => {
    const found = [];
    for (const [i, rate] of rates[n]) {
      const others = engines.map((other, m) => (m === n ? 0 : (rates[m].get(other.store.nearest(store.time(i))) ?? 0)));
      if (rate >= IDLE && others.every((other) => !(other > ALONE * rate))) found.push({ i, rate });
    }
    return found.sort((a, b) => a.rate - b.rate);
  });
  let best = { low: 0, count: 0 };
  const rarest = alone.reduce((a, b) => (b.length < a.length ? b : a));
  for (const { rate } of rarest) {
    const count = Math.min(...alone.map((found) => within(found, rate).length));
    if (count > best.count) best = { low: rate, count };
  }
  return alone.map((found) => (best.count ? within(found, best.low).map(({ i }) => i).sort((a, b) => a - b) : []));
}

/** Those whose rate is at least `low` and not more above it than counts as the same. */
function within(found, low) {
  return found.slice(lowerBound(found, low), lowerBound(found, low / (1 - SAME_LOAD) + 1e-9));
}

function lowerBound(found, rate) {
  let [low, high] = [0, found.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (found[middle].rate < rate) low = middle + 1;
    else high = middle;
  }
  return low;
}

function whyNot(engines, rates, loaded) {
  const loads = rates.map((means) => [...means.values()].filter((rate) => rate >= IDLE));
  const without = engines.filter((_, n) => !loads[n].length);
  if (without.length === engines.length) return "no load yet";
  if (without.length) return `no load yet on ${without.map((engine) => engine.name).join(" and ")}`;
  if (loaded[0].length) return TOO_FEW;
  return "not ranked: different load";
}
