// Seats on their way back: repeated over lost connections until the server has answered.

import { outcome } from "./outcome.js";
import { waiting } from "./words.js";

export class GiveBack {
  /** By registration. `{ reason, retryAt }` */
  #under = new Map();

  /** `on` has `changed()`, and `done(receipt)`: it is back. */
  constructor(api, clock, on) {
    Object.assign(this, { api, clock, on });
  }

  /** What a receipt says meanwhile; null if it is not on its way back. */
  trouble(id) {
    const state = this.#under.get(id);
    if (!state) return null;
    return state.reason ? waiting(state.reason, state.retryAt - this.clock.steady()).replace("You are not registered yet. ", "") : "Giving it back…";
  }

  async start(receipt) {
    const id = receipt.registration_id;
    if (this.#under.has(id)) return;
    const state = { reason: null, retryAt: 0 };
    this.#under.set(id, state);
    for (let tries = 1; ; tries++) {
      this.on.changed();
      const answer = await this.api.giveBack(id);
      const result = outcome(answer, { tries, now: this.clock.now(), random: Math.random() });
      if (result.kind !== "again") break;
      Object.assign(state, { reason: result.reason, retryAt: this.clock.steady() + result.wait });
      this.on.changed();
      await new Promise((resolve) => setTimeout(resolve, result.wait));
    }
    this.#under.delete(id);
    // Whether it was given back now or before, or is unknown: it is no longer this student's.
    this.on.done(receipt);
  }
}
