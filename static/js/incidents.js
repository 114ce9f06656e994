// What happened, kept after it is over: no answer, restarts, failures, limits reached, throttling. Pure; fed by samples and connection states.

import { isFull, plural } from "./alerts.js";
import { count, duration } from "./format.js";

/** The oldest are forgotten beyond this many. */
const MOST = 200;
/** Answers that failed in a second, in percent, from which on it counts. */
const FAILING = 5;
/** An engine samples every second; further apart than this (ms), it did not run. */
const FROZEN = 4000;
/** A silence (ms) that turns out shorter than this was none. */
const LEAST_SILENCE = 2000;
/** Up for this much (ms) less than the time since its last sample, an engine was started in between: samples are a little early or late. */
const RESTARTED = 2000;
/** A start (ms) is known this exactly. */
const MOVED = 500;
/** A restart within this many ms of another incident of its engine is part of that one. */
const MARGIN = 5000;

/**
 * What a sample can show: `shown(values, sample)` is whether it does, `hold` (ms) joins occurrences closer than that,
 * `add` names what to sum up meanwhile, and `text(name, sums)` says it. `board`: one for all engines of a host.
 */
const KINDS = {
  errors: {
    level: "bad", hold: 10_000, add: ["faults", "answers"],
    shown: ({ faults, answers }) => faults > 0 && (100 * faults) / answers >= FAILING,
    text: (name, { faults, answers }) => `${name}: ${count(faults)} of ${plural(answers, "request")} failed`,
  },
  limit: {
    level: "bad", hold: 10_000, add: ["refused_connections"],
    shown: ({ refused_connections: refused }, sample) => refused > 0 || isFull(sample),
    text: (name, { refused_connections: refused }) => `${name} reached its connection limit${refused > 0 ? `: ${plural(refused, "connection")} rejected` : ""}`,
  },
  queue: {
    level: "bad", hold: 10_000, add: ["refused_by_queue"],
    shown: ({ refused_by_queue: refused }) => refused > 0,
    text: (name, { refused_by_queue: refused }) => `${name}: queue full, ${plural(refused, "request")} rejected`,
  },
  throttled: { level: "bad", hold: 3000, board: true, shown: (_, sample) => flagged(sample, "throttled"), text: (host) => `${host}: throttled` },
  voltage: {
    level: "bad", hold: 3000, board: true,
    shown: (_, sample) => sample.pi?.under_voltage === true || flagged(sample, "under_voltage"), text: (host) => `${host}: under-voltage`,
  },
};

const flagged = ({ pi }, flag) => Boolean(pi?.throttled?.now.includes(flag));

/** An incident: what it is, where (`engine` or null for the board), and from when to when; `to` is null while it lasts. */
class Incident {
  sums = {};
  to = null;
  outcome = null;

  constructor(kind, level, engine, host, from) {
    Object.assign(this, { kind, level, engine, host, from, seen: from });
  }
}

export class Incidents {
  /** Oldest first. */
  list = [];
  #open = new Map();

  /**
   * Looks at the newest sample of `engine`'s store, which arrived at `now`. `joins`: no sample that the engine took can be
   * missing between it and the one before.
   */
  observe(engine, sample, joins, now = engine.store.lastTime) {
    const { store } = engine;
    const i = store.size - 1;
    const time = store.time(i);
    const value = (key) => store.value(key, i) || 0;
    const faults = value("errors") - value("client_errors");
    const values = {
      faults, answers: value("successes") + faults,
      refused_connections: value("refused_connections"), refused_by_queue: value("refused_by_queue"),
    };
    this.#noteAbsence(engine, sample, time, joins && i > 0 ? time - store.time(i - 1) : 0, now);
    for (const [kind, spec] of Object.entries(KINDS)) {
      const key = `${kind} ${spec.board ? engine.host : engine.origin}`;
      const open = this.#open.get(key);
      if (spec.shown(values, sample)) {
        const incident = open ?? this.#begin(key, new Incident(kind, spec.level, spec.board ? null : engine, engine.host, time));
        incident.seen = Math.max(incident.seen, time);
        for (const name of spec.add ?? []) incident.sums[name] = (incident.sums[name] ?? 0) + values[name];
      } else if (open && time - open.seen > spec.hold) {
        this.#end(key, open.seen);
      }
    }
  }

  /** Notes restarts, seconds without a sample, and the end of a silence. */
  #noteAbsence(engine, sample, time, gap, now) {
    const up = sample.uptime_seconds * 1000;
    const started = time - up;
    const key = `silent ${engine.origin}`;
    const silent = this.#open.get(key);
    const restarted = Boolean(engine.latest) && startedAgain(engine, up, time, Boolean(silent));
    if (silent) {
      silent.outcome = restarted ? "restarted" : gap > FROZEN ? "frozen" : gap > 0 ? "unreachable" : null;
      // The engine was not at fault, and what it sent meanwhile is here.
      if (silent.outcome === "unreachable") silent.level = "info";
      this.#end(key, restarted ? Math.max(started, silent.from) : silent.outcome === "unreachable" ? now : time);
      // Samples that were only late leave no silence behind.
      if (!restarted && silent.to - silent.from < LEAST_SILENCE) this.list.splice(this.list.indexOf(silent), 1);
    } else if (restarted) {
      this.#instant("restarted", "warn", engine, started);
    } else if (gap > FROZEN) {
      const frozen = this.#add(new Incident("frozen", "warn", engine, engine.host, time - gap));
      frozen.to = time;
    }
  }

  /** `engine` started again at `time`, as its recorded history shows. */
  restarted(engine, time) {
    const known = this.list.some((one) => one.engine === engine && (one.to ?? one.from) > time - MARGIN && one.from < time + MARGIN);
    if (!known) this.#add(new Incident("restarted", "warn", engine, engine.host, time)).to = time;
  }

  /** The connection to `engine` changed its state at `now`. */
  connection(engine, now) {
    const key = `silent ${engine.origin}`;
    if (engine.state === "down" || engine.state === "stale") {
      if (!this.#open.has(key)) this.#begin(key, new Incident("silent", "bad", engine, engine.host, engine.lastSampleAt ?? now));
    } else if (engine.state === "asleep") {
      // No stream is open while the tab is hidden: what is not known is not claimed.
      if (this.#open.has(key)) this.#end(key, now);
    } else if (engine.state === "full") {
      this.#instant("full", "bad", engine, now);
    }
  }

  #instant(kind, level, engine, time) {
    const last = this.list.findLast((incident) => incident.engine === engine);
    if (last?.kind === kind && time - last.to < 60_000) last.to = Math.max(last.to, time);
    else this.#add(new Incident(kind, level, engine, engine.host, time)).to = time;
  }

  #begin(key, incident) {
    this.#open.set(key, incident);
    return this.#add(incident);
  }

  #end(key, time) {
    this.#open.get(key).to = time;
    this.#open.delete(key);
  }

  #add(incident) {
    this.list.push(incident);
    this.list.sort((a, b) => a.from - b.from);
    if (this.list.length > MOST) this.list.shift();
    return incident;
  }

  /** Those that overlap [start, end], of all engines or of `engine` and its board. */
  within(start, end, engine = null) {
    return this.list.filter((one) => one.from <= end && (one.to ?? Infinity) >= start && (!engine || !one.engine || one.engine === engine));
  }
}

/**
 * Whether an engine that has run for `up` ms at `time` is not the process of its last sample. After a silence its start shows it:
 * one that ran only for a moment before may have run for longer now. Without a silence a start that moved is a clock that was set.
 */
function startedAgain({ latest, lastSampleAt }, up, time, wasSilent) {
  const upBefore = latest.uptime_seconds * 1000;
  const moved = Math.abs(time - up - (lastSampleAt - upBefore));
  return up < upBefore || up + RESTARTED < time - lastSampleAt || (wasSilent && moved > MOVED);
}

/** The text of an incident. */
export function describe(incident, now) {
  const { kind, engine, host, from, to, sums, outcome } = incident;
  const name = engine?.name ?? host;
  if (kind in KINDS) return KINDS[kind].text(name, sums);
  const long = duration(((to ?? now) - from) / 1000);
  if (kind === "restarted") return `${name} restarted`;
  if (kind === "full") return `${name} was at its connection limit and rejected this page`;
  if (kind === "frozen" || outcome === "frozen") return `${name} did not run for ${long}`;
  if (to === null) return `${name} stopped answering, ${long} ago`;
  if (outcome === "restarted") return `${name} stopped answering and restarted after ${long}`;
  if (outcome === "unreachable") return `Connection to ${name} lost for ${long}; the engine kept running`;
  return `${name} did not answer for ${long}`;
}
