// One engine's last 900 samples as columns of numbers in fixed rings: however long a tab stays open, nothing grows. Pure.

import { COLUMNS, GAUGES, PER_CONNECTION, TOTALS } from "./fields.js";
import { MIB } from "./format.js";

/** 15 minutes at one sample a second. */
export const CAPACITY = 900;
/** Neighbours further apart than this (ms) have samples missing between them. */
export const GAP = 2500;
/** From this many connections on, the memory that came with them is told for each: with fewer it drowns in the noise. */
export const TELLING = 1000;
/** Under this many connections the process counts as empty. */
const EMPTY = 100;
/** A clock that steps back by more than this (ms) starts the ring afresh; less is a repeated sample. */
const STEP_BACK = 5000;

export class Store {
  #times;
  #columns = new Map();
  #start = 0;
  #previous = null;
  /** Least resident memory (MiB) while the process was empty; NaN when it was not seen so since it started. */
  #empty = NaN;
  size = 0;

  constructor(capacity = CAPACITY) {
    this.capacity = capacity;
    this.#times = new Float64Array(capacity);
    for (const key of COLUMNS) this.#columns.set(key, new Float64Array(capacity));
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
    const slot = (this.#start + this.size) % this.capacity;
    if (this.size === this.capacity) this.#start = (this.#start + 1) % this.capacity;
    else this.size += 1;
    this.#times[slot] = time;
    for (const key in GAUGES) this.#columns.get(key)[slot] = number(GAUGES[key](sample));
    for (const key in TOTALS) {
      const value = number(TOTALS[key](sample));
      this.#columns.get(key)[slot] = growth(value, this.#previous === null ? NaN : number(TOTALS[key](this.#previous)));
    }
    this.#columns.get(PER_CONNECTION)[slot] = this.#perConnection(sample);
    this.#previous = sample;
    return true;
  }

  #perConnection({ memory_alloc_mb: memory, active_connections: connections, uptime_seconds: uptime }) {
    if (this.#previous?.uptime_seconds > uptime) this.#empty = NaN;
    if (connections < EMPTY && !(this.#empty <= memory)) this.#empty = memory;
    return connections >= TELLING ? (Math.max(0, memory - this.#empty) * MIB) / connections : NaN;
  }

  /** Merges a history, oldest first; `shift` (ms) takes the engine's clock to the browser's. Returns how many were new. */
  load(samples, shift = 0) {
    const newest = samples.at(-1);
    if (!newest) return 0;
    if (newest.time_unix_ms + shift < this.lastTime - STEP_BACK) this.clear();
    let added = 0;
    for (const sample of samples) {
      const time = sample.time_unix_ms + shift;
      if (time > this.lastTime && this.push(sample, time)) added += 1;
    }
    return added;
  }

  clear() {
    this.size = 0;
    this.#start = 0;
    this.#previous = null;
    this.#empty = NaN;
  }

  /** Time (ms) of the i-th sample, 0 the oldest. */
  time(i) {
    return this.#times[(this.#start + i) % this.capacity];
  }

  /** Value of the i-th sample, NaN where it had none. */
  value(key, i) {
    return this.#columns.get(key)[(this.#start + i) % this.capacity];
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
  nearest(time, tolerance = 1500) {
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

  /** A copy that later samples do not change. */
  snapshot() {
    const copy = new Store(this.capacity);
    copy.#times.set(this.#times);
    for (const [key, column] of this.#columns) copy.#columns.get(key).set(column);
    copy.#start = this.#start;
    copy.size = this.size;
    return copy;
  }
}

const number = (value) => (typeof value === "number" ? value : NaN);

// A counter that went back was reset by a restart and has counted from zero since.
const growth = (now, before) => (now >= before ? now - before : before === before ? now : NaN);
