// Whether an engine is heard from, as a pill: a shape, a colour and a word.

import { h, mark, put } from "./dom.js";

const WORDS = { live: "Live", stale: "Silent", down: "Down", connecting: "Connecting", asleep: "Resting" };

export class Status {
  constructor() {
    this.word = h("span", {});
    this.element = h("span", { class: "status" }, h("span", { class: "lamp", "aria-hidden": "true" }), this.word);
  }

  draw(engine) {
    const draining = engine.state === "live" && engine.latest?.draining;
    mark(this.element, "data-state", draining ? "draining" : engine.state);
    put(this.word, draining ? "Draining" : WORDS[engine.state]);
  }
}
