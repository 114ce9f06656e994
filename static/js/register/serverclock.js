// The server's clock, from the Date header of its answers: the phone's own may be wrong. Pure.

/** Answers that took longer (ms) say too little. */
const SLOW = 2000;

export class ServerClock {
  /** Bounds of the difference (ms) between the server's time and this page's steady one. */
  #least = -Infinity;
  #most = Infinity;

  /** `steady()` gives ms that never jump. */
  constructor(steady = () => performance.now()) {
    this.steady = steady;
  }

  /** An answer with this `Date` header (ms, cut to a whole second), asked for and received at these steady times. */
  note(date, asked, received) {
    if (!Number.isFinite(date) || received - asked > SLOW) return;
    const [least, most] = [date - received, date + 1000 - asked];
    const agrees = least <= this.#most && most >= this.#least;
    // Bounds that contradict: the server's clock was set.
    this.#least = agrees ? Math.max(this.#least, least) : least;
    this.#most = agrees ? Math.min(this.#most, most) : most;
  }

  /** Whether the server's time is known. */
  get known() {
    return Number.isFinite(this.#least) && Number.isFinite(this.#most);
  }

  /** The server's time in ms since 1970; the phone's until the server has answered. */
  now() {
    return this.known ? this.steady() + (this.#least + this.#most) / 2 : Date.now();
  }
}
