// The headline numbers of one engine.

import { h, mark, put, show } from "./dom.js";
import { NONE, count, latency, percent, rate } from "./format.js";

const MINUTE = 60_000;
const refused = (s) => (s.queue?.rejected ?? 0) + (s.connections?.rejected ?? 0);
const has = (s) => s.latency_ms.count > 0;

// Each: id, label, the number, the line under it, whether the engine has it at all, whether it is bad news.
const TILES = [
  { id: "requests_per_sec", label: "Requests / s", now: (s) => rate(s.requests_per_sec), under: (s) => `${count(s.total_requests)} in all` },
  { id: "in_flight_requests", label: "In flight", now: (s) => count(s.in_flight_requests), under: (s) => `${count(s.num_tasks)} tasks` },
  { id: "active_connections", label: "Connections", now: (s) => count(s.active_connections), under: (s) => `${count(s.idle_connections)} idle` },
  { id: "p50", label: "Latency p50", now: (s) => (has(s) ? latency(s.latency_ms.p50) : NONE), under: (s) => (has(s) ? `p95 ${latency(s.latency_ms.p95)}` : "no requests now") },
  { id: "p99", label: "Latency p99", now: (s) => (has(s) ? latency(s.latency_ms.p99) : NONE), under: (s) => (has(s) ? `max ${latency(s.latency_ms.max)}` : "no requests now") },
  { id: "error_count", label: "Errors", now: (s) => count(s.error_count), under: (s) => `${percent(s.error_rate_percent)} of requests`, bad: (s, store) => recent(store, "errors") > 0 },
  { id: "refused", label: "Refused", now: (s) => count(refused(s)), under: (s, store) => `${count(recent(store, "refused_by_queue") + recent(store, "refused_connections"))} last minute`, bad: (s, store) => recent(store, "refused_by_queue") + recent(store, "refused_connections") > 0 },
  { id: "queue_depth", label: "Queue", now: (s) => count(s.queue.depth), under: (s) => `of ${count(s.queue.capacity)}`, when: (s) => s.queue?.capacity > 0 },
  { id: "busy_workers", label: "Busy workers", now: (s) => count(s.workers.busy), under: (s) => `of ${count(s.workers.total)}`, when: (s) => s.queue?.capacity > 0 },
];

const recent = (store, key) => store.sum(key, store.lastTime - MINUTE, store.lastTime);

export class Tiles {
  constructor() {
    this.tiles = TILES.map((tile) => {
      const value = h("strong", { "data-metric": tile.id }, NONE);
      const note = h("span", { class: "note" }, " ");
      return { ...tile, value, note, element: h("div", { class: "tile" }, h("span", { class: "label" }, tile.label), value, note) };
    });
    this.element = h("section", { class: "tiles", "aria-label": "Now" }, ...this.tiles.map((t) => t.element));
  }

  /** `fresh`: the sample is of now (or of the moment of the pause), not the last word of an engine that is down. */
  draw({ sample, store }, fresh) {
    mark(this.element, "data-time", fresh && sample ? sample.time_unix_ms : null);
    for (const tile of this.tiles) {
      show(tile.element, sample ? (tile.when?.(sample) ?? true) : !tile.when);
      if (tile.element.hidden) continue;
      const known = sample && fresh;
      put(tile.value, known ? tile.now(sample) : NONE);
      put(tile.note, known ? tile.under(sample, store) : "\u00a0");
      mark(tile.element, "data-level", known && tile.bad?.(sample, store) ? "bad" : null);
    }
  }
}
