// The engines on the page: their streams, stores, looks, what each sent last, and what happened to them. One stream per engine.

import { Clock } from "./clock.js";
import { Incidents } from "./incidents.js";
import { slotsFor } from "./looks.js";
import { Past } from "./past.js";
import { isSilent } from "./reach.js";
import { Siblings } from "./siblings.js";
import { Store } from "./store.js";
import { Stream } from "./stream.js";

class Engine {
  /** The latest sample, and what is shown: the same, or as it was when the page was paused. */
  latest = null;
  frozen = null;
  store = new Store();
  state = "connecting";
  /** Browser time of the latest sample, null before the first. */
  lastSampleAt = null;
  clock = new Clock();
  past = new Past(this);
  siblings = new Siblings(this);

  constructor(origin, type) {
    this.origin = origin;
    this.type = type;
  }

  /** What to call it before and after it has said what it is. */
  get name() {
    return this.label ?? this.latest?.server_type ?? this.type ?? this.origin.replace(/^https?:\/\//, "");
  }

  get host() {
    return new URL(this.origin).hostname;
  }

  /** `{ store, sample }` as the page shows them. */
  get shown() {
    return this.frozen ?? { store: this.past.store ?? this.store, sample: this.latest };
  }
}

export class Fleet {
  engines = [];
  incidents = new Incidents();
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
        state: (state) => this.connection(engine, state),
      });
      if (!this.#hidden) engine.stream.start();
    }
  }

  connection(engine, state) {
    engine.state = state;
    this.incidents.connection(engine, Date.now());
    this.changed();
  }

  history(engine, samples) {
    const newest = samples.at(-1);
    if (!newest) return;
    engine.clock.start(Date.now(), newest.time_unix_ms);
    const { shift } = engine.clock;
    // Whether it reaches back to what is here already: else samples are missing that the engine may well have taken.
    let joins = samples[0].time_unix_ms + shift <= engine.store.lastTime;
    engine.store.load(samples, shift, (sample) => {
      this.take(engine, sample, joins);
      joins = true;
    });
    this.changed();
  }

  sample(engine, sample) {
    const now = Date.now();
    if (engine.lastSampleAt === null) engine.clock.start(now, sample.time_unix_ms);
    const time = sample.time_unix_ms + engine.clock.observe(now, sample.time_unix_ms);
    if (!engine.store.push(sample, time)) return;
    this.take(engine, sample, true);
    engine.past.push(sample, time);
    this.changed();
  }

  take(engine, sample, joins) {
    this.incidents.observe(engine, sample, joins, Date.now());
    const known = engine.latest?.server_type;
    engine.latest = sample;
    engine.lastSampleAt = engine.store.lastTime;
    if (sample.server_type !== known) this.dress();
  }

  /** Whether each engine has sent a sample, or is known not to answer. */
  get settled() {
    return this.engines.every((engine) => engine.latest || ["down", "full", "refused"].includes(engine.state));
  }

  /** Gives each engine its look, and its host's name too where two of a kind are shown; not below its board (`short`). */
  dress() {
    const types = this.engines.map((e) => e.latest?.server_type ?? e.type);
    slotsFor(types).forEach((slot, i) => {
      const engine = this.engines[i];
      engine.slot = slot;
      const twins = this.engines.filter((_, n) => types[i] !== undefined && types[n] === types[i]);
      const apart = twins.filter(({ host }) => host === engine.host).length === 1;
      engine.label = twins.length > 1 ? `${types[i]} ${apart ? engine.host.replace(/\.local$/, "") : new URL(engine.origin).host}` : null;
      engine.short = apart ? types[i] : null;
    });
  }

  /** Freezes what is shown, or lets it follow again. */
  pause(paused) {
    for (const engine of this.engines) {
      const { store, sample } = engine.shown;
      engine.frozen = paused ? { store: store.snapshot(), sample } : null;
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

  /** `window`: the name of the window shown, whose older part the engines' histories may have. */
  tick(window) {
    if (this.#hidden) return;
    for (const engine of this.engines) {
      engine.stream.tick();
      engine.past.want(window, (starts) => {
        for (const time of starts) this.incidents.restarted(engine, time);
        this.changed();
      });
      // Where an engine is shown alone, the others on its host show whether its silence is the network's.
      if (this.engines.length === 1) engine.siblings.ask(isSilent(engine), () => this.changed());
    }
  }
}
