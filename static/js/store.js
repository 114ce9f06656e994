// One engine's samples as columns of numbers in fixed rings: however long a tab stays open, nothing grows. Pure.

import { COLUMNS, GAUGES, PER_CONNECTION, RATES, TOTALS, clients } from "./fields.js";
import { MIB } from "./format.js";

/** 15 minutes at one sample a second. */
export const CAPACITY = 900;
/** Neighbours further apart than this many steps have samples missing between them. */
const GAP_STEPS = 2.5;
/** The same in ms, for the live stream's step of a second. */
export const GAP = GAP_STEPS * 1000;
/** From this many connections on, the memory that came with them is shown for each: with fewer, noise hides it. */
export const ENOUGH_CONNECTIONS = 1000;
/** Under this many connections the process counts as empty. */
const EMPTY = 100;
/** Samples in a row that must be empty before one serves as the baseline: closing connections takes a moment. */
const SETTLE = 3;
/** A clock that steps back by more than this (ms) starts the ring again; less is a repeated sample. */
const STEP_BACK = 5000;

export class Store {
  #times;
  #columns = new Map();
  #start = 0;
  #previous = null;
  /** Least resident memory (MiB) while the process was empty; NaN when it was not seen so since it started. */
  #empty = NaN;
  #emptyFor = 0;
  /** Samples up to this time came `#coarseStep` ms apart, later ones a second. */
  #coarseUntil = -Infinity;
  #coarseStep = 1000;
  size = 0;

  constructor(capacity = CAPACITY) {
    this.capacity = capacity;
    this.#times = new Float64Array(capacity);
    for (const key of COLUMNS) this.#columns.set(key, new Float64Array(capacity));
  }

  get firstTime() {
    return this.size ? this.time(0) : Infinity;
  }

  get lastTime() {
    return this.size ? this.time(this.size - 1) : -Infinity;
  }

  /** Takes a sample measured at `time` (ms, browser clock); false when it is not newer than the last one. */
  push(sample, time) {
    if (time <= this.lastTime) {
      if (this.lastTime - time < STEP_BACK) return false;
      this.clear();
    }
    const since = (time - this.lastTime) / 1000;
    const slot = this.#next(time);
    for (const key in GAUGES) this.#columns.get(key)[slot] = number(GAUGES[key](sample));
    for (const key in TOTALS) {
      const value = number(TOTALS[key](sample));
      this.#columns.get(key)[slot] = growth(value, this.#previous === null ? NaN : number(TOTALS[key](this.#previous)));
    }
    const grown = (key) => this.#columns.get(key)[slot];
    // The engine's own clock where it is known: samples can arrive late, and a restart counts from zero.
    const seconds = growth(sample.uptime_seconds ?? NaN, this.#previous?.uptime_seconds ?? NaN) || since;
    for (const key in RATES) this.#columns.get(key)[slot] = number(RATES[key](sample, grown, seconds));
    this.#columns.get(PER_CONNECTION)[slot] = this.#perConnection(sample);
    this.#previous = sample;
    return true;
  }

  #next(time) {
    const slot = (this.#start + this.size) % this.capacity;
    if (this.size === this.capacity) this.#start = (this.#start + 1) % this.capacity;
    else this.size += 1;
    this.#times[slot] = time;
    return slot;
  }

  #perConnection(sample) {
    const { memory_alloc_mb: memory, uptime_seconds: uptime, requests_per_sec: busy } = sample;
    const connections = clients(sample);
    if (this.#previous?.uptime_seconds > uptime) {
      this.#empty = NaN;
      this.#emptyFor = 0;
    }
    this.#emptyFor = connections < EMPTY && !(busy > 0) ? this.#emptyFor + 1 : 0;
    // Memory that an earlier load left behind would make the next connections look cheap.
    const unused = !(sample.connections?.accepted >= ENOUGH_CONNECTIONS) || this.#empty === this.#empty;
    if (this.#emptyFor >= SETTLE && unused && !(this.#empty <= memory)) this.#empty = memory;
    return connections >= ENOUGH_CONNECTIONS ? (Math.max(0, memory - this.#empty) * MIB) / connections : NaN;
  }

  /** Merges a history, oldest first; `shift` (ms) takes the engine's clock to the browser's. Calls `each(sample)` for every new one. */
  load(samples, shift = 0, each = () => {}) {
    const newest = samples.at(-1);
    if (!newest) return 0;
    if (newest.time_unix_ms + shift < this.lastTime - STEP_BACK) this.clear();
    let added = 0;
    for (const sample of samples) {
      const time = sample.time_unix_ms + shift;
      if (time > this.lastTime && this.push(sample, time)) {
        added += 1;
        each(sample);
      }
    }
    return added;
  }

  /** A new store of what `older` has before this one's first sample, then this one's; `step` (ms) is how far apart the older are. */
  after(older, step, capacity = this.capacity) {
    const joined = new Store(capacity);
    for (const source of [older, this]) {
      const end = source === older ? older.indexAt(this.firstTime) : this.size;
      for (let i = 0; i < end; i++) {
        const slot = joined.#next(source.time(i));
        for (const key of COLUMNS) joined.#columns.get(key)[slot] = source.value(key, i);
      }
      if (source === older) joined.#coarseUntil = joined.lastTime;
    }
    joined.#coarseStep = step;
    joined.#previous = this.#previous;
    joined.#empty = this.#empty;
    joined.#emptyFor = this.#emptyFor;
    return joined;
  }

  clear() {
    this.size = 0;
    this.#start = 0;
    this.#previous = null;
    this.#empty = NaN;
    this.#emptyFor = 0;
    this.#coarseUntil = -Infinity;
  }

  /** Time (ms) of the i-th sample, 0 the oldest. */
  time(i) {
    return this.#times[(this.#start + i) % this.capacity];
  }

  /** Value of the i-th sample, NaN where it had none. */
  value(key, i) {
    return this.#columns.get(key)[(this.#start + i) % this.capacity];
  }

  /** Longest time (ms) from the sample before `time` to `time` without samples missing between them. */
  gapAt(time) {
    return GAP_STEPS * (time <= this.#coarseUntil ? this.#coarseStep : 1000);
  }

  /** Index of the first sample at or after `time`; `size` when there is none. */
  indexAt(time) {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.time(middle) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Index of the sample nearest to `time`, -1 when none is within `tolerance` ms. */
  nearest(time, tolerance = 0.6 * this.gapAt(time)) {
    let i = this.indexAt(time);
    if (i > 0 && (i === this.size || time - this.time(i - 1) <= this.time(i) - time)) i -= 1;
    return i < this.size && Math.abs(this.time(i) - time) <= tolerance ? i : -1;
  }

  /** Sum of a column over samples in (from, to]; samples without a value add nothing. */
  sum(key, from, to) {
    let total = 0;
    for (let i = this.indexAt(from); i < this.size && this.time(i) <= to; i++) {
      const value = this.value(key, i);
      if (this.time(i) > from && value === value) total += value;
    }
    return total;
  }

  /** The values of a column over samples in (from, to], those without one left out. */
  values(key, from, to) {
    const values = [];
    for (let i = this.indexAt(from); i < this.size && this.time(i) <= to; i++) {
      const value = this.value(key, i);
      if (this.time(i) > from && value === value) values.push(value);
    }
    return values;
  }

  /** A copy that later samples do not change. */
  snapshot() {
    const copy = new Store(this.capacity);
    copy.#times.set(this.#times);
    for (const [key, column] of this.#columns) copy.#columns.get(key).set(column);
    copy.#start = this.#start;
    copy.#coarseUntil = this.#coarseUntil;
    copy.#coarseStep = this.#coarseStep;
    copy.size = this.size;
    return copy;
  }
}

const number = (value) => (typeof value === "number" ? value : NaN);

// A counter that went back was reset by a restart and has counted from zero since.
const growth = (now, before) => (now >= before ? now - before : before === before ? now : NaN);
