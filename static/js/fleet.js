// The engines on the page: their streams, stores, looks and what each said last. One stream per engine.

import { Clock } from "./clock.js";
import { slotsFor } from "./looks.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";

class Engine {
  /** The latest sample, and what is shown: the same, or as it was when the page was paused. */
  latest = null;
  shown = { store: null, sample: null };
  store = new Store();
  state = "connecting";
  /** Browser time of the latest sample, null before the first. */
  heardAt = null;
  clock = new Clock();

  constructor(origin, type) {
    this.origin = origin;
    this.type = type;
    this.shown.store = this.store;
  }

  /** What to call it before and after it has said what it is. */
  get name() {
    return this.label ?? this.latest?.server_type ?? this.type ?? this.origin.replace(/^https?:\/\//, "");
  }

  get host() {
    return new URL(this.origin).hostname;
  }
}

export class Fleet {
  engines = [];
  #hidden = false;

  /** `changed()` is called after anything arrived or a state changed. */
  constructor(changed) {
    this.changed = changed;
  }

  /** Takes on the engines at `origins`; `types` are what they are expected to be. */
  open(origins, types) {
    this.engines = origins.map((origin, i) => new Engine(origin, types?.[i]));
    this.dress();
    for (const engine of this.engines) {
      engine.stream = new Stream(`${engine.origin}/sse/metrics`, {
        history: (samples) => this.history(engine, samples),
        sample: (sample) => this.sample(engine, sample),
        state: (state) => {
          engine.state = state;
          this.changed();
        },
      });
      if (!this.#hidden) engine.stream.start();
    }
  }

  history(engine, samples) {
    const newest = samples.at(-1);
    if (!newest) return;
    engine.clock.start(Date.now(), newest.time_unix_ms);
    engine.store.load(samples, engine.clock.shift);
    this.hear(engine, newest);
  }

  sample(engine, sample) {
    const now = Date.now();
    if (engine.heardAt === null) engine.clock.start(now, sample.time_unix_ms);
    const time = sample.time_unix_ms + engine.clock.observe(now, sample.time_unix_ms);
    if (engine.store.push(sample, time)) this.hear(engine, sample);
  }

  hear(engine, sample) {
    const known = engine.latest?.server_type;
    engine.latest = sample;
    engine.heardAt = engine.store.lastTime;
    if (engine.shown.store === engine.store) engine.shown.sample = sample;
    if (sample.server_type !== known) this.dress();
    this.changed();
  }

  /** Whether each engine has been heard, or is known not to answer. */
  get settled() {
    return this.engines.every((engine) => engine.latest || engine.state === "down");
  }

  /** Gives each engine its look, and its host's name too where two of a kind are shown. */
  dress() {
    const types = this.engines.map((e) => e.latest?.server_type ?? e.type);
    slotsFor(types).forEach((slot, i) => {
      const engine = this.engines[i];
      engine.slot = slot;
      const twin = types[i] !== undefined && types.indexOf(types[i]) !== types.lastIndexOf(types[i]);
      engine.label = twin ? `${types[i]} ${new URL(engine.origin).host}` : null;
    });
  }

  /** Freezes what is shown, or lets it follow again. */
  pause(paused) {
    for (const engine of this.engines) {
      engine.shown = paused
        ? { store: engine.store.snapshot(), sample: engine.latest }
        : { store: engine.store, sample: engine.latest };
    }
  }

  /** A hidden tab holds no connection; a shown one opens them and the history fills the gap. */
  hide(hidden) {
    this.#hidden = hidden;
    for (const engine of this.engines) {
      if (hidden) engine.stream.stop();
      else engine.stream.start();
    }
  }

  tick() {
    for (const engine of this.engines) engine.stream.tick();
  }
}
