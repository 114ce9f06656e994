// Draws lines over time on two canvases, one above the other: the lines once a second, the crosshair as often as it moves.

import { clock } from "./format.js";
import { MARKERS, traceMarker } from "./looks.js";
import { palette } from "./palette.js";
import { linearTicks, logTicks, timeStep } from "./scale.js";
import { GAP } from "./store.js";

const SOLID = [];

/**
 * A series has `store()` (its Store), `key`, `slot()` (its engine's look; null: the neutral colour), and may have
 * `dash`, `width`, `faint` (0 to 1, less ink), `fill`, `times` (a factor on the values).
 */
export class Plot {
  /** `spec`: `series`, `tick(value)`, `bare` (no axes), `floor` (lowest top), `low` (axis bottom), `limit()`, `log()`, `whole` (counts). */
  constructor(host, spec) {
    this.host = host;
    this.spec = spec;
    this.base = canvas(host);
    this.top = canvas(host);
    this.ticks = [];
    this.bounds = { low: 0, high: 1, log: false };
    this.width = 0;
    this.height = 0;
    this.drawn = null;
  }

  /** Takes the host's size; false when there is nothing to draw on. */
  fit() {
    const ratio = window.devicePixelRatio || 1;
    const width = this.host.clientWidth;
    const height = this.host.clientHeight;
    if (width !== this.width || height !== this.height || ratio !== this.ratio) {
      this.width = width;
      this.height = height;
      this.ratio = ratio;
      for (const c of [this.base, this.top]) {
        c.width = Math.round(width * ratio);
        c.height = Math.round(height * ratio);
        c.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
      }
    }
    const { bare } = this.spec;
    const { size } = palette;
    this.ink = size / 11;
    this.left = bare ? 1 : Math.round(size * 4.2);
    this.right = width - (bare ? 5 : size);
    this.upper = bare ? 4 : Math.round(size * 0.75);
    this.lower = height - (bare ? 3 : size * 2);
    this.labels = height - size * 0.8;
    return width > 0 && height > 0;
  }

  x(time) {
    return this.left + ((time - this.start) / (this.end - this.start)) * (this.right - this.left);
  }

  y(value) {
    const { low, high, log } = this.bounds;
    const share = log
      ? (Math.log10(Math.max(value, low)) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))
      : (value - low) / (high - low);
    return this.lower - share * (this.lower - this.upper);
  }

  /** Draws the window [start, end]. `high`, when given, replaces the measured maximum, so that plots can share a scale. */
  draw(start, end, high = null) {
    if (!this.fit()) return;
    this.start = start;
    this.end = end;
    this.measure(high);
    const ctx = this.base.getContext("2d");
    ctx.clearRect(0, 0, this.width, this.height);
    if (!this.spec.bare) {
      this.grid(ctx);
      this.timeAxis(ctx);
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(this.left, 0, this.right - this.left + 5, this.lower + 1);
    ctx.clip();
    for (let i = this.spec.series.length - 1; i >= 0; i--) this.line(ctx, this.spec.series[i]);
    ctx.restore();
  }

  /** Largest value of any series in the window. */
  peak(start, end) {
    let peak = -Infinity;
    for (const series of this.spec.series) {
      const store = series.store();
      const times = series.times ?? 1;
      for (let i = store.indexAt(start); i < store.size && store.time(i) <= end; i++) {
        const value = store.value(series.key, i) * times;
        if (value > peak) peak = value;
      }
    }
    return peak;
  }

  measure(high) {
    const { spec, bounds } = this;
    const peak = Math.max(high ?? this.peak(this.start, this.end), spec.limit?.() ?? -Infinity);
    bounds.log = Boolean(spec.log?.());
    if (bounds.log) {
      const top = Math.max(peak, 1);
      let least = top;
      for (const series of spec.series) {
        const store = series.store();
        for (let i = store.indexAt(this.start); i < store.size && store.time(i) <= this.end; i++) {
          const value = store.value(series.key, i);
          if (value > 0 && value < least) least = value;
        }
      }
      [bounds.low, bounds.high] = logTicks(Math.max(0.001, Math.min(least, top / 10)), top, this.ticks);
      return;
    }
    bounds.low = spec.low ?? 0;
    const top = Math.max(peak, spec.floor ?? 1, bounds.low + 1e-9);
    bounds.high = spec.bare ? top : linearTicks(bounds.low, top, this.height > palette.size * 24 ? 7 : 5, this.ticks, spec.whole);
  }

  grid(ctx) {
    ctx.font = palette.font;
    ctx.textBaseline = "middle";
    ctx.textAlign = "right";
    ctx.lineWidth = 1;
    ctx.setLineDash([]);
    ctx.strokeStyle = palette.grid;
    ctx.fillStyle = palette.text;
    let last = Infinity;
    for (const tick of this.ticks) {
      const y = Math.round(this.y(tick)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(this.left, y);
      ctx.lineTo(this.right, y);
      ctx.stroke();
      if (last - y < palette.size * 1.2) continue;
      ctx.fillText(this.spec.tick(tick), this.left - palette.size * 0.65, y);
      last = y;
    }
    const limit = this.spec.limit?.();
    if (Number.isFinite(limit)) {
      const y = Math.round(this.y(limit)) + 0.5;
      ctx.strokeStyle = palette.limit;
      ctx.setLineDash([3, 3]);
      ctx.beginPath();
      ctx.moveTo(this.left, y);
      ctx.lineTo(this.right, y);
      ctx.stroke();
      ctx.setLineDash([]);
    }
  }

  timeAxis(ctx) {
    const step = timeStep(this.end - this.start, (this.right - this.left) / (palette.size * 6.2));
    const zone = new Date(this.end).getTimezoneOffset() * 60_000;
    ctx.textAlign = "center";
    ctx.fillStyle = palette.text;
    const edge = palette.size * 1.3;
    for (let t = Math.ceil((this.start - zone) / step) * step + zone; t <= this.end; t += step) {
      const x = this.x(t);
      if (x < this.left + edge || x > this.right - edge) continue;
      ctx.fillText(clock(t, step < 60_000), x, this.labels);
    }
  }

  line(ctx, series) {
    const store = series.store();
    const times = series.times ?? 1;
    const slot = series.slot();
    const colour = slot === null ? palette.neutral : palette.engines[slot];
    const from = Math.max(0, store.indexAt(this.start) - 1);
    let open = false;
    let before = -Infinity;
    let x = 0;
    let y = 0;
    ctx.beginPath();
    for (let i = from; i < store.size; i++) {
      const time = store.time(i);
      if (time > this.end) break;
      const value = store.value(series.key, i) * times;
      if (value !== value) {
        open = false;
        continue;
      }
      if (open && time - before > GAP) open = false;
      x = this.x(time);
      y = this.y(value);
      if (open) {
        ctx.lineTo(x, y);
      } else {
        ctx.moveTo(x, y);
        // A lone sample between gaps still shows, as a dot.
        ctx.lineTo(x + 0.5, y);
        open = true;
      }
      before = time;
    }
    ctx.strokeStyle = colour;
    ctx.globalAlpha = series.faint ?? 1;
    ctx.lineWidth = (series.width ?? 1.5) * this.ink;
    ctx.lineJoin = "round";
    ctx.lineCap = "butt";
    ctx.setLineDash(series.dash ?? SOLID);
    ctx.stroke();
    ctx.setLineDash([]);
    if (series.fill) this.area(ctx, series, colour, times, from);
    ctx.globalAlpha = 1;
    if (slot !== null && series.marked !== false) this.markers(ctx, series, slot, times);
  }

  /** The engine's marker on its newest sample and at even times, each engine's in turn so that they never hide each other. */
  markers(ctx, series, slot, times) {
    const store = series.store();
    const step = (this.end - this.start) / 5;
    ctx.fillStyle = palette.engines[slot];
    const at = (time, tolerance) => {
      const i = store.nearest(time, tolerance);
      const value = i < 0 ? NaN : store.value(series.key, i) * times;
      if (value !== value) return;
      traceMarker(ctx, MARKERS[slot], this.x(store.time(i)), this.y(value), 3 * this.ink);
      ctx.fill();
    };
    at(this.end, GAP);
    if (this.spec.bare) return;
    const offset = (slot * step) / MARKERS.length;
    for (let t = Math.ceil((this.start - offset) / step) * step + offset; t < this.end - step / 3; t += step) at(t, 600);
  }

  area(ctx, series, colour, times, from) {
    const store = series.store();
    const ground = this.lower;
    ctx.beginPath();
    let open = false;
    let before = -Infinity;
    let x = 0;
    for (let i = from; i < store.size; i++) {
      const time = store.time(i);
      if (time > this.end) break;
      const value = store.value(series.key, i) * times;
      const gap = value !== value || time - before > GAP;
      if (open && gap) {
        ctx.lineTo(x, ground);
        open = false;
      }
      if (value !== value) continue;
      x = this.x(time);
      if (!open) {
        ctx.moveTo(x, ground);
        open = true;
      }
      ctx.lineTo(x, this.y(value));
      before = time;
    }
    if (open) ctx.lineTo(x, ground);
    ctx.fillStyle = colour;
    ctx.globalAlpha = series.fill;
    ctx.fill();
  }

  /** Draws the crosshair at `cursor`, or clears it for null. */
  cross(cursor) {
    if (this.width === 0 || (cursor === null && this.drawn === null)) return;
    this.drawn = cursor;
    const ctx = this.top.getContext("2d");
    ctx.clearRect(0, 0, this.width, this.height);
    if (cursor === null || cursor < this.start || cursor > this.end) return;
    const x = Math.round(this.x(cursor)) + 0.5;
    ctx.strokeStyle = palette.cursor;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(x, this.upper - 4);
    ctx.lineTo(x, this.lower);
    ctx.stroke();
    for (const series of this.spec.series) this.dot(ctx, series, cursor);
    if (!this.spec.bare) this.timeLabel(ctx, cursor, x);
  }

  dot(ctx, series, cursor) {
    const store = series.store();
    const i = store.nearest(cursor);
    const value = i < 0 ? NaN : store.value(series.key, i) * (series.times ?? 1);
    if (value !== value) return;
    const slot = series.slot();
    ctx.fillStyle = slot === null ? palette.neutral : palette.engines[slot];
    ctx.strokeStyle = palette.surface;
    ctx.lineWidth = 2;
    traceMarker(ctx, MARKERS[slot ?? 0], this.x(store.time(i)), this.y(value), 3.5 * this.ink);
    ctx.stroke();
    ctx.fill();
  }

  timeLabel(ctx, cursor, x) {
    const text = clock(cursor);
    ctx.font = palette.font;
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    const { size } = palette;
    const half = ctx.measureText(text).width / 2 + size / 2;
    const middle = Math.min(this.right - half + size, Math.max(this.left + half - size, x));
    ctx.fillStyle = palette.cursor;
    ctx.beginPath();
    ctx.roundRect(middle - half, this.labels - size * 0.8, half * 2, size * 1.6, size / 3);
    ctx.fill();
    ctx.fillStyle = palette.surface;
    ctx.fillText(text, middle, this.labels + 0.5);
  }
}

function canvas(host) {
  const element = document.createElement("canvas");
  element.setAttribute("aria-hidden", "true");
  host.append(element);
  return element;
}
