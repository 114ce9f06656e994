// Asks the other engines of a host whether they answer, while the only engine on the page is silent.

import { originAt, peersOf } from "./peers.js";

/** Time (ms) between two rounds, and the longest wait for an answer. */
const EVERY = 5000;
const PATIENCE = 2000;

export class Siblings {
  #askedAt = -Infinity;
  asked = 0;
  /** Names of those that answered in the last round. */
  answering = [];

  constructor(engine) {
    this.engine = engine;
  }

  /** Begins a round when `silent` and it is time for one; `done()` is called after it. */
  ask(silent, done) {
    if (!silent) {
      this.#askedAt = -Infinity;
      this.asked = 0;
      this.answering = [];
      return;
    }
    if (performance.now() - this.#askedAt < EVERY) return;
    this.#askedAt = performance.now();
    this.#round().then(done);
  }

  async #round() {
    const base = new URL(this.engine.origin);
    const peers = peersOf(this.engine.latest?.peers, this.engine.latest?.server_type, base)
      .map((peer) => ({ name: peer.server_type, origin: originAt(base, peer.port) }))
      .filter(({ origin }) => origin !== this.engine.origin);
    const answers = await Promise.all(peers.map(({ origin }) =>
      fetch(`${origin}/health`, { mode: "no-cors", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) }).then(() => true, () => false)));
    this.asked = peers.length;
    this.answering = peers.filter((_, i) => answers[i]).map((peer) => peer.name);
  }
}
