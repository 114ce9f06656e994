// Registrations on their way: each keeps its key until it is answered, over lost connections, double taps and reloads.

import { newKey } from "./api.js";
import { outcome } from "./outcome.js";

const KEY = "fastgo-attempts";

export class Attempts {
  /** By course. `{ key, student, course, pin, tries, sending, reason, retryAt }` */
  all = new Map();
  #timers = new Map();

  /**
   * `on` has `changed()`, `receipt(receipt, attempt)` and `refused(outcome, attempt)`. `storage` outlives a reload of the page
   * and not the tab: it holds PINs.
   */
  constructor(api, clock, on, { storage = sessionStorage, random = Math.random, later = (act, ms) => setTimeout(act, ms) } = {}) {
    Object.assign(this, { api, clock, on, storage, random, later });
  }

  /** Goes on with what was under way before the page was loaded. */
  resume() {
    let kept = [];
    try {
      kept = JSON.parse(this.storage.getItem(KEY)) ?? [];
    } catch {
      // Not readable: nothing is under way.
    }
    for (const { key, student, course, pin } of kept) {
      this.all.set(course, { key, student, course, pin, tries: 0, sending: false, reason: null, retryAt: 0 });
      this.#send(course);
    }
  }

  /** Registers `student` for `course`, unless that is under way. */
  start(student, course, pin) {
    if (this.all.has(course)) return;
    this.all.set(course, { key: newKey(), student, course, pin, tries: 0, sending: false, reason: null, retryAt: 0 });
    this.#keep();
    this.#send(course);
  }

  /** Gives up. Whether an earlier try reached the server is then unknown. */
  stop(course) {
    this.#end(course);
    this.on.changed();
  }

  /** The connection is back: attempts that wait for it go on at once. */
  hurry() {
    for (const { course, sending, reason } of this.all.values()) {
      if (!sending && reason === "offline") this.#send(course);
    }
  }

  async #send(course) {
    const attempt = this.all.get(course);
    clearTimeout(this.#timers.get(course));
    Object.assign(attempt, { sending: true, tries: attempt.tries + 1 });
    this.on.changed();
    const answer = await this.api.register(attempt);
    // Given up meanwhile.
    if (this.all.get(course) !== attempt) return;
    const result = outcome(answer, { tries: attempt.tries, now: this.clock.now(), random: this.random() });
    attempt.sending = false;
    if (result.kind === "again") {
      // A lost connection is counted again once the server has answered.
      if (result.reason !== "offline") attempt.tries = 0;
      Object.assign(attempt, { reason: result.reason, retryAt: this.clock.steady() + result.wait });
      this.#timers.set(course, this.later(() => this.#send(course), result.wait));
    } else {
      this.#end(course);
      if (result.kind === "receipt") this.on.receipt(result.receipt, attempt);
      else this.on.refused(result, attempt);
    }
    this.on.changed();
  }

  #end(course) {
    clearTimeout(this.#timers.get(course));
    this.#timers.delete(course);
    this.all.delete(course);
    this.#keep();
  }

  #keep() {
    const kept = [...this.all.values()].map(({ key, student, course, pin }) => ({ key, student, course, pin }));
    try {
      this.storage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // Without storage an attempt lasts as long as the page.
    }
  }
}
