// The course list, live: a stream of events, and plain requests while there is no stream.

/** Silence (ms) after which a stream is given up: the server sends something every 15 s. */
const SILENT = 40_000;
/** Waits (ms) between tries, by how many have failed; many phones at once are spread over half as much again. */
const PAUSES = [1000, 2000, 4000, 8000, 15_000];

export class Feed {
  #source = null;
  #timer = 0;
  #failures = 0;

  /** `on` has `list(list)`, `connected(whether)` and `absent()`: this server has no registrations. */
  constructor(api, on) {
    Object.assign(this, { api, on });
  }

  start() {
    this.stop();
    this.#open();
  }

  /** While the page is hidden, no connection is held. */
  stop() {
    this.#source?.close();
    this.#source = null;
    clearTimeout(this.#timer);
  }

  /** Asks once; whether the server answered. */
  async ask() {
    const answer = await this.api.courses();
    if (answer?.status === 200 && Array.isArray(answer.body?.courses)) this.on.list(answer.body);
    if (answer?.status === 404) this.on.absent();
    this.on.connected(answer !== null);
    return answer !== null;
  }

  #open() {
    const source = new EventSource("/sse/courses");
    this.#source = source;
    const fail = () => {
      if (this.#source !== source) return;
      this.stop();
      const pause = PAUSES[Math.min(this.#failures++, PAUSES.length - 1)];
      this.#timer = setTimeout(async () => {
        await this.ask();
        if (this.#source === null && !document.hidden) this.#open();
      }, pause * (1 + Math.random() / 2));
    };
    const alive = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(fail, SILENT);
      this.#failures = 0;
      this.on.connected(true);
    };
    source.addEventListener("message", (event) => {
      alive();
      try {
        this.on.list(JSON.parse(event.data));
      } catch {
        fail();
      }
    });
    source.addEventListener("heartbeat", alive);
    source.addEventListener("error", fail);
    this.#timer = setTimeout(fail, SILENT);
  }
}
