// The engines of this host and their runs: where they are, what they answered last, and starting, stopping, deleting.

import { TYPES, findPeers } from "../peers.js";

const PATIENCE = 5000;

const ask = async (url, options = {}) => {
  const answer = await fetch(url, { cache: "no-store", credentials: "include", headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE), ...options });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? `status ${answer.status}`);
  return body;
};

export class Engines {
  /** `{ type, origin, runs, active, reachable }`; `reachable` is null before the first answer. */
  all = [];
  /** The engine that served the page, as the header shows it. */
  own = { host: location.hostname, state: "down", latest: null };
  #details = new Map();

  async find() {
    try {
      Object.assign(this.own, { latest: await ask("/metrics"), state: "live" });
    } catch {
      // Then the usual ports hold.
    }
    const { peers, server_type: type } = this.own.latest ?? {};
    const { origins, types } = findPeers(peers, TYPES, location, type);
    this.all = origins.map((origin, i) => ({ type: types[i], origin, runs: [], active: null, reachable: null }));
  }

  /** Asks every engine for its runs. */
  async refresh() {
    await Promise.all(this.all.map(async (engine) => {
      try {
        const { active, runs } = await ask(`${engine.origin}/runs`);
        Object.assign(engine, { active, runs, reachable: true });
      } catch {
        Object.assign(engine, { active: null, reachable: false });
      }
    }));
  }

  /** All ended runs, newest first. */
  get runs() {
    return this.all.flatMap(({ runs }) => runs).sort((a, b) => b.start - a.start || TYPES.indexOf(a.engine) - TYPES.indexOf(b.engine));
  }

  get active() {
    return this.all.map(({ active }) => active).filter(Boolean);
  }

  /** Starts or stops a run on every engine that answers; throws with a sentence when one refuses. */
  async order(order) {
    const asked = this.all.filter(({ reachable, active }) => reachable !== false && (order.action === "start" || active));
    // Text needs no permission to cross origins, and the engines look at the origin themselves.
    const sent = asked.map(({ type, origin }) => ask(`${origin}/runs`, { method: "POST", body: JSON.stringify(order) })
      .catch((error) => Promise.reject(new Error(`${type}: ${error.message}`))));
    const failed = (await Promise.allSettled(sent)).filter(({ status }) => status === "rejected");
    if (failed.length) throw new Error(failed.map(({ reason }) => reason.message).join("; "));
  }

  async remove({ engine, id }) {
    const { origin } = this.#of(engine);
    await ask(`${origin}/runs/${id}`, { method: "DELETE" });
    this.#details.delete(`${engine}:${id}`);
  }

  /** A run with its rows. */
  async details(key) {
    if (!this.#details.has(key)) {
      const [type, id] = key.split(":");
      this.#details.set(key, await ask(`${this.#of(type).origin}/runs/${encodeURIComponent(id)}`));
    }
    return this.#details.get(key);
  }

  #of(type) {
    const engine = this.all.find((one) => one.type === type);
    if (!engine) throw new Error(`${type} is not running on this host`);
    return engine;
  }
}

/** What names a run among those of all engines. */
export const keyOf = (run) => `${run.engine}:${run.id}`;
