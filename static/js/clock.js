// Takes an engine's clock to the browser's. A Pi without a network may be days off, and the charts' right edge is "now".

/** Differences below this (ms) are the way to the browser, not the clock. */
const NOTICEABLE = 2000;

export class Clock {
  /** Milliseconds to add to the engine's times. */
  shift = 0;
  #suspect = null;

  /** Notes that a sample stamped `stamped` arrived at `now`. Two in a row must agree, so one late sample moves nothing. */
  observe(now, stamped) {
    const difference = now - stamped;
    const wanted = Math.abs(difference) < NOTICEABLE ? 0 : difference;
    if (Math.abs(wanted - this.shift) < NOTICEABLE) {
      this.#suspect = null;
    } else if (this.#suspect !== null && Math.abs(this.#suspect - wanted) < 500) {
      this.shift = wanted;
      this.#suspect = null;
    } else {
      this.#suspect = wanted;
    }
    return this.shift;
  }

  /** Adopts a noticeable difference at once, for the first sample after connecting: it is about a second old at most. */
  start(now, stamped) {
    const difference = now - stamped;
    const wanted = Math.abs(difference) < NOTICEABLE ? 0 : difference;
    if (Math.abs(wanted - this.shift) >= NOTICEABLE) this.shift = wanted;
    this.#suspect = null;
  }
}
