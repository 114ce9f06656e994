// What the page shows: window, pause, crosshair, log scale and open tables; and the same as the address bar's query.

export const WINDOWS = { "1m": 60_000, "5m": 300_000, "15m": 900_000 };
const DEFAULT_WINDOW = "5m";

export class View {
  window = DEFAULT_WINDOW;
  paused = false;
  log = false;
  /** Ids of the charts shown as tables. */
  tables = new Set();
  /** Right edge, ms. */
  end = 0;
  /** Time under the crosshair, null without one. */
  cursor = null;
  /** Where the pointer rests, as a share of the window: it stays put while time moves on under it. */
  hover = null;

  get span() {
    return WINDOWS[this.window];
  }

  get start() {
    return this.end - this.span;
  }

  /** Moves the right edge to `now` and keeps the crosshair inside the window. */
  advance(now) {
    if (!this.paused) this.end = Math.ceil(now / 1000) * 1000;
    if (this.hover !== null) this.point(this.hover);
    else if (this.cursor !== null && this.cursor < this.start) this.cursor = null;
  }

  /** The pointer is at `share` (0 to 1) of the window. */
  point(share) {
    this.hover = Math.min(1, Math.max(0, share));
    this.cursor = this.start + Math.round((this.hover * this.span) / 1000) * 1000;
  }

  /** The pointer left. */
  release() {
    this.hover = null;
    this.cursor = null;
  }

  /** Moves the crosshair by whole seconds; from the right edge when there was none. */
  step(seconds) {
    this.hover = null;
    this.moveTo((this.cursor ?? this.end) + seconds * 1000);
  }

  moveTo(time) {
    this.hover = null;
    this.cursor = Math.min(this.end, Math.max(this.start, time));
  }

  /** Takes what a query says; anything unknown in it is left alone. */
  read(query) {
    const asked = query.get("window");
    if (Object.hasOwn(WINDOWS, asked ?? "")) this.window = asked;
    this.log = query.get("scale") === "log";
    this.tables = new Set((query.get("tables") ?? "").split(",").filter(Boolean));
  }

  /** Writes itself into a query, leaving out what is as by default. */
  write(query) {
    const keep = (name, value) => (value ? query.set(name, value) : query.delete(name));
    keep("window", this.window === DEFAULT_WINDOW ? "" : this.window);
    keep("scale", this.log ? "log" : "");
    keep("tables", [...this.tables].join(","));
    return query;
  }
}
