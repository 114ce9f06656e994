// The headline numbers of one engine: three that matter most, then the rest.

import { lastMinute, slowAlert } from "./alerts.js";
import { h, mark, put, show } from "./dom.js";
import { clients } from "./fields.js";
import { NONE, count, latency, percent, rate } from "./format.js";

const has = (s) => s.latency_ms.count > 0;
const queued = (s) => s.queue?.capacity > 0;
const timed = (name) => (s) => (has(s) ? latency(s.latency_ms[name]) : NONE);
const rejected = ({ minute }) => minute.refusedByQueue + minute.refusedConnections;

// Each: id, label, the number and the line under it, from the sample and `of` (`minute`: answers of the last minute; `slow`: how bad
// the latency is; `now(key)`: the newest value of a column); whether the engine has it at all; how bad it is.
const TILES = [
  { id: "successes_per_sec", lead: true, label: "Successful requests / s", now: (_, of) => rate(of.now("successes_per_sec")), under: (s, of) => `${rate(of.now("errors_per_sec"))} failed / s · ${count(s.completed_requests)} total` },
  { id: "p99", lead: true, label: "Latency p99, inside the server", now: timed("p99"), level: (s, { slow }) => (has(s) ? slow : null), under: (s) => (has(s) ? `p50 ${latency(s.latency_ms.p50)} · max ${latency(s.latency_ms.max)}` : "no requests now") },
  {
    id: "errors_last_minute", lead: true, label: "Errors in the last minute", now: (_, { minute }) => count(minute.failed),
    under: (s, { minute }) => (minute.answers ? `${percent((100 * minute.failed) / minute.answers)} of ${count(minute.answers)} · ${count(s.error_count)} since start` : "no requests"),
    level: (_, { minute }) => (minute.failed - minute.invalid > 0 ? "bad" : minute.failed > 0 ? "warn" : null),
  },
  { id: "p50", label: "Latency p50", now: timed("p50"), under: (s) => (has(s) ? `p95 ${latency(s.latency_ms.p95)}` : "no requests now") },
  { id: "in_flight_requests", label: "In flight", now: (s) => count(s.in_flight_requests), under: (s) => `${count(s.num_tasks)} tasks` },
  { id: "active_connections", label: "Connections", now: (s) => count(clients(s)), under: (s) => `+ ${count(s.sse_subscribers)} dashboard${s.sse_subscribers === 1 ? "" : "s"} · ${count(s.idle_connections)} idle` },
  { id: "rejected", label: "Rejected, last minute", now: (_, of) => count(rejected(of)), under: (s) => `${count((s.queue?.rejected ?? 0) + (s.connections?.rejected ?? 0))} total`, level: (_, of) => (rejected(of) > 0 ? "bad" : null) },
  { id: "queue_depth", label: "Queue", now: (s) => count(s.queue.depth), under: (s) => `of ${count(s.queue.capacity)}`, when: queued },
  { id: "busy_workers", label: "Busy workers", now: (s) => count(s.workers.busy), under: (s) => `of ${count(s.workers.total)}`, when: queued },
];

export class Tiles {
  constructor() {
    this.tiles = TILES.map((tile) => {
      const value = h("strong", { "data-metric": tile.id }, NONE);
      const note = h("span", { class: "note" }, " ");
      return { ...tile, value, note, element: h("div", { class: tile.lead ? "tile lead" : "tile" }, h("span", { class: "label" }, tile.label), value, note) };
    });
    const of = (lead) => this.tiles.filter((tile) => Boolean(tile.lead) === lead).map((tile) => tile.element);
    this.element = h("section", { class: "tiles", "aria-label": "Now" }, h("div", { class: "tile-row" }, ...of(true)), h("div", { class: "tile-row small" }, ...of(false)));
  }

  /** `fresh`: the sample is of now (or of the moment of the pause), not the last one of an engine that is down. */
  draw({ sample, store }, fresh) {
    mark(this.element, "data-time", fresh && sample ? sample.time_unix_ms : null);
    const of = { minute: lastMinute(store), slow: sample && slowAlert(sample, store)?.level, now: (key) => store.value(key, store.size - 1) };
    for (const tile of this.tiles) {
      show(tile.element, sample ? (tile.when?.(sample) ?? true) : !tile.when);
      if (tile.element.hidden) continue;
      const known = sample && fresh;
      put(tile.value, known ? tile.now(sample, of) : NONE);
      put(tile.note, known ? tile.under(sample, of) : "\u00a0");
      mark(tile.element, "data-level", known ? tile.level?.(sample, of) : null);
    }
  }
}
