// What an engine recorded before its stream's history begins, fetched from its `/history` when the window shown reaches that far back.

import { Store } from "./store.js";
import { WINDOWS } from "./view.js";

/** The window of `/history` that the live store has room for; longer ones get a store of their own. */
const SHORT = "15m";
/** Room for a day at ten seconds a row, and for the live seconds since. */
const LONG_CAPACITY = 10_000;
/** Time (ms) between two requests, and after one that failed. */
const EVERY = 60_000;
const AGAIN = 5000;
const PATIENCE = 10_000;
/** A window this much (ms) short of data is as good as full. */
const SLACK = 5000;

export class Past {
  /** The store of a long window while that is shown, null otherwise. */
  store = null;
  #kind = null;
  #askedAt = -Infinity;
  /** False once the engine said that it has no such route. */
  #kept = true;

  constructor(engine) {
    this.engine = engine;
  }

  /** Sees to it that the window named is filled, as far as the engine can; `done(starts)` is called when something came. */
  want(window, done) {
    const kind = WINDOWS[window] > WINDOWS[SHORT] ? window : SHORT;
    if (kind !== this.#kind) {
      this.#kind = kind;
      this.#askedAt = -Infinity;
      this.store = null;
    }
    const { engine } = this;
    if (!this.#kept || engine.state !== "live") return;
    const lacking = kind !== SHORT || engine.store.firstTime > Date.now() - WINDOWS[window] + SLACK;
    if (!lacking || performance.now() - this.#askedAt < EVERY) return;
    this.#askedAt = performance.now();
    this.#fetch(kind).then(done, () => {
      this.#askedAt = performance.now() - EVERY + AGAIN;
    });
  }

  /** A live sample, for the long window. */
  push(sample, time) {
    this.store?.push(sample, time);
  }

  async #fetch(kind) {
    const { engine } = this;
    const answer = await fetch(`${engine.origin}/history?window=${kind}`, { cache: "no-store", credentials: "include", signal: AbortSignal.timeout(PATIENCE) });
    if (answer.status === 404) this.#kept = false;
    if (!answer.ok) return [];
    const { step_seconds: seconds, fields, rows } = await answer.json();
    if (kind !== this.#kind) return [];
    const older = new Store(Math.max(1, rows.length));
    for (const [time, ...values] of rows) older.push(sampleOf(fields, values), time * 1000 + engine.clock.shift);
    const starts = startsOf(fields, rows).map((time) => time + engine.clock.shift);
    if (kind === SHORT) engine.store = engine.store.after(older, seconds * 1000);
    else this.store = engine.store.after(older, seconds * 1000, LONG_CAPACITY);
    return starts;
  }
}

/** When (ms) the engine started again within the rows: where its uptime fell. */
export function startsOf(fields, rows) {
  const uptime = fields.indexOf("uptime_seconds") + 1;
  if (!uptime) return [];
  return rows.filter((row, i) => i > 0 && row[uptime] < rows[i - 1][uptime]).map((row) => (row[0] - row[uptime]) * 1000);
}

/** A row as the sample that it was made of: `latency_ms.p99` becomes `{ latency_ms: { p99 } }`. */
export function sampleOf(fields, values) {
  const sample = {};
  fields.forEach((field, i) => {
    const path = field.split(".");
    let object = sample;
    for (const name of path.slice(0, -1)) object = object[name] ??= {};
    object[path.at(-1)] = values[i];
  });
  if (sample.latency_ms && sample.latency_ms.count === undefined) sample.latency_ms.count = sample.latency_ms.p50 > 0 ? 1 : 0;
  return sample;
}
