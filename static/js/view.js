// What the page shows: window, zoom, pause, crosshair, scale, hidden lines, open tables, or the wall display; and the same as the address bar's query.

export const WINDOWS = { "1m": 60_000, "5m": 300_000, "15m": 900_000, "1h": 3_600_000, "24h": 86_400_000 };
const DEFAULT_WINDOW = "5m";
/** A zoom shorter than this (ms) is a click, not a selection. */
const LEAST_ZOOM = 3000;

export class View {
  window = DEFAULT_WINDOW;
  paused = false;
  /** Shown on a wall: few figures, large enough to read from across a room. */
  wall = false;
  /** `true`: logarithmic, `false`: linear, null: each chart chooses. */
  log = null;
  /** Ids of the charts shown as tables. */
  tables = new Set();
  /** Names of the lines that are switched off. */
  hidden = new Set();
  /** `[start, end]` in ms while zoomed, null otherwise. */
  zoom = null;
  /** Newest time shown when not zoomed, ms. */
  latest = 0;
  /** Time under the crosshair, null without one. */
  cursor = null;
  /** Where the pointer rests, as a share of the window: it stays put while time moves on under it. */
  hover = null;
  /** Time at which a selection began, null without one. */
  anchor = null;
  /** Whether a click fixed the crosshair. */
  pinned = false;

  get span() {
    return this.end - this.start;
  }

  get start() {
    return this.zoom ? this.zoom[0] : this.latest - WINDOWS[this.window];
  }

  get end() {
    return this.zoom ? this.zoom[1] : this.latest;
  }

  /** Moves the right edge to `now` and keeps the crosshair inside the window. */
  advance(now) {
    if (!this.paused) this.latest = Math.ceil(now / 1000) * 1000;
    if (this.hover !== null) this.point(this.hover);
    else if (this.cursor !== null && this.cursor < this.start) this.cursor = null;
    if (this.anchor !== null && this.anchor < this.start) this.anchor = null;
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
    this.anchor = null;
    this.pinned = false;
  }

  /** Fixes the crosshair where it is, or lets it go. */
  pin() {
    this.pinned = !this.pinned;
    this.hover = null;
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

  /** A selection begins at the crosshair. */
  select() {
    this.pinned = false;
    this.anchor = this.cursor;
  }

  /** The selection ends at the crosshair: zooms in when it is long enough. Returns whether it did. */
  zoomIn() {
    const [from, to] = [Math.min(this.anchor, this.cursor), Math.max(this.anchor, this.cursor)];
    const wide = this.anchor !== null && this.cursor !== null && to - from >= LEAST_ZOOM;
    this.anchor = null;
    if (!wide) return false;
    this.zoom = [from, to];
    this.release();
    return true;
  }

  zoomOut() {
    this.zoom = null;
    this.release();
  }

  setWindow(name) {
    this.window = name;
    this.zoomOut();
  }

  /** Switches a line off, or on again. */
  toggle(name) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
  }

  /** Takes what a query says; anything unknown in it is left alone. */
  read(query) {
    const asked = query.get("window");
    if (Object.hasOwn(WINDOWS, asked ?? "")) this.window = asked;
    this.wall = query.has("wall");
    const scale = query.get("scale");
    this.log = scale === "log" ? true : scale === "linear" ? false : null;
    this.tables = list(query.get("tables"));
    this.hidden = list(query.get("hide"));
    const zoom = (query.get("zoom") ?? "").split("-").map(Number);
    this.zoom = zoom.length === 2 && zoom[1] - zoom[0] >= LEAST_ZOOM ? zoom : null;
  }

  /** Writes itself into a query, leaving out what is as by default. */
  write(query) {
    const keep = (name, value) => (value ? query.set(name, value) : query.delete(name));
    keep("window", this.window === DEFAULT_WINDOW ? "" : this.window);
    keep("wall", this.wall && "1");
    keep("scale", this.log === null ? "" : this.log ? "log" : "linear");
    keep("tables", [...this.tables].join(","));
    keep("hide", [...this.hidden].join(","));
    keep("zoom", this.zoom?.join("-"));
    return query;
  }
}

const list = (text) => new Set((text ?? "").split(",").filter(Boolean));
