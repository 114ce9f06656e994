// One EventSource to one engine, kept alive: notices silence, closes dead connections, tries again, sleeps with the tab.
// EventSource alone does not: it gives up permanently on some errors and never notices a peer that went silent.

/** Silence (ms) after which an engine that sends once a second is no longer live. */
export const STALE_AFTER = 2500;
/** Silence (ms) after which the connection is closed and opened again. */
const ABANDON_AFTER = 6000;
/** Waits (ms) between tries. */
const BACKOFF = [250, 500, 1000, 2000];

/** How long (ms) the answer to "why did the connection fail" may take. */
const ASK_FOR = 1000;

/**
 * States: `connecting` (no event yet), `live`, `stale` (connected but silent), `down` (connection failed; being
 * retried), `full` (the same, but the engine answers that its connection limit is reached), `refused` (the same, but another board
 * answers, only not to this page), `asleep` (closed because the
 * tab is hidden).
 */
export class Stream {
  state = "asleep";
  #source = null;
  #quietSince = 0;
  #retryAt = 0;
  #failures = 0;

  /**
   * `on` has `history(samples)`, `sample(sample)` and `state(state)`; `make(url)` makes the EventSource, `now()` gives ms,
   * `explain(url)` resolves to the state that a failed connection means.
   */
  constructor(url, on, { make = (address) => new EventSource(address, { withCredentials: true }), now = () => performance.now(), explain = explainFailure } = {}) {
    this.url = url;
    this.on = on;
    this.make = make;
    this.now = now;
    this.explain = explain;
  }

  start() {
    if (this.state !== "asleep") return;
    this.#failures = 0;
    this.#become("connecting");
    this.#open();
  }

  stop() {
    this.#close();
    this.#become("asleep");
  }

  /** Call a few times a second: notices silence and reconnects when it is time. */
  tick() {
    const now = this.now();
    if (this.state === "asleep") return;
    if (!this.#source) {
      if (now >= this.#retryAt) this.#open();
      return;
    }
    const quiet = now - this.#quietSince;
    if (quiet > ABANDON_AFTER) this.#fail();
    else if (quiet > STALE_AFTER && this.state === "live") this.#become("stale");
    else if (quiet > STALE_AFTER && this.state === "connecting") this.#become("down");
  }

  #open() {
    const source = this.make(this.url);
    this.#source = source;
    this.#quietSince = this.now();
    // A connection that was replaced may still deliver: only the current one counts.
    const handling = (handle) => (event) => {
      if (this.#source !== source) return;
      let data;
      try {
        data = JSON.parse(event.data);
      } catch {
        return; // Not from fastgo; the silence will be noticed.
      }
      this.#quietSince = this.now();
      this.#failures = 0;
      handle(data);
      this.#become("live");
    };
    source.addEventListener("history", handling((samples) => this.on.history(samples)));
    source.addEventListener("message", handling((sample) => this.on.sample(sample)));
    source.addEventListener("error", () => {
      if (this.#source === source) this.#fail();
    });
  }

  #fail() {
    this.#close();
    this.#retryAt = this.now() + BACKOFF[Math.min(this.#failures, BACKOFF.length - 1)];
    this.#failures += 1;
    const failure = this.#failures;
    if (this.state === "stale") this.#become("down");
    this.explain(this.url).then((state) => {
      // By then another attempt may have succeeded, or the tab may be hidden.
      if (this.#failures === failure && this.state !== "asleep") this.#become(state);
    });
  }

  #close() {
    this.#source?.close();
    this.#source = null;
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.on.state(state);
  }
}

/** An EventSource does not say why it failed; plain requests without cookies can: any page may read that an engine is full, and see that another board answers. */
async function explainFailure(url) {
  const ask = (path, options) => fetch(new URL(path, url), { cache: "no-store", signal: AbortSignal.timeout(ASK_FOR), ...options });
  try {
    const { status } = await ask("/metrics", { method: "HEAD" });
    return status === 503 ? "full" : "down";
  } catch {
    if (new URL(url).hostname === location.hostname) return "down";
    return ask("/health", { mode: "no-cors" }).then(() => "refused", () => "down");
  }
}
