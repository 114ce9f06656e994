// Whether an engine answers, as a pill: a shape, a colour and a word.

import { isFull } from "./alerts.js";
import { h, mark, put } from "./dom.js";

const WORDS = {
  live: "Live", stale: "No data", down: "Down", refused: "Not allowed", full: "At its connection limit", limit: "At its connection limit", draining: "Shutting down",
  paused: "Paused", connecting: "Connecting", asleep: "Paused (tab hidden)",
};

export class Status {
  constructor() {
    this.word = h("span", {});
    this.element = h("span", { class: "status" }, h("span", { class: "lamp", "aria-hidden": "true" }), this.word);
  }

  /** `paused`: the display is frozen, whatever the engine does. */
  draw(engine, paused = false) {
    const state = statusOf(engine, paused);
    mark(this.element, "data-state", state);
    put(this.word, WORDS[state]);
  }
}

function statusOf({ state, latest }, paused) {
  if (paused) return "paused";
  if (state !== "live") return state;
  if (latest?.draining) return "draining";
  return latest && isFull(latest) ? "limit" : "live";
}
