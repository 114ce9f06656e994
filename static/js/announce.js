// Reports changes to screen readers, calmly: one polite sentence at a time, at most one every five seconds.

import { h } from "./dom.js";

const PAUSE = 5000;

export class Announcer {
  #waiting = [];
  #saidAt = -Infinity;

  constructor() {
    this.element = h("p", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  }

  say(text) {
    if (!this.#waiting.includes(text)) this.#waiting.push(text);
  }

  /** Announces what has gathered when it is time. */
  tick(now) {
    if (!this.#waiting.length || now - this.#saidAt < PAUSE) return;
    this.element.textContent = this.#waiting.join(". ");
    this.#waiting.length = 0;
    this.#saidAt = now;
  }
}
