// Draws lines over time on two canvases, one above the other: the lines once a second, the crosshair as often as it moves.

import { clock } from "./format.js";
import { drawLine, drawMarker } from "./lines.js";
import { palette } from "./palette.js";
import { linearTicks, logTicks, timeStep } from "./scale.js";

/** Lines whose peaks are further apart than this share no linear axis; below the second they share one again. */
const LOG_FROM = 15;
const LOG_UNTIL = 8;

/**
 * A series has `store()` (its Store), `key`, `slot()` (its engine's look; null: the neutral colour), and may have
 * `dash`, `width`, `faint` (0 to 1, less ink), `fill`, `times` (a factor on the values), `off()` (not drawn).
 */
export class Plot {
  /**
   * `spec`: `series`, `tick(value)`, `bare` (no axes), `floor` (lowest top), `low` (axis bottom), `limit()`, `log()` (true,
   * false, or null for what suits the lines), `whole` (counts), `none` (what an empty plot says; zeros count as empty then),
   * `bands()` (what to shade, `{ from, to, level }`).
   */
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
    this.auto = false;
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

  get lines() {
    return this.spec.series.filter((series) => !series.off?.());
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
    const lines = this.lines;
    const peaks = lines.map((series) => this.peakOf(series));
    const highest = Math.max(...peaks);
    const empty = !this.spec.bare && (highest === -Infinity || (highest === 0 && Boolean(this.spec.none)));
    this.measure(lines, high ?? highest, peaks);
    const ctx = this.base.getContext("2d");
    ctx.clearRect(0, 0, this.width, this.height);
    if (!this.spec.bare) {
      this.bands(ctx);
      if (!empty) this.grid(ctx);
      this.timeAxis(ctx);
      this.blank(ctx, lines, empty);
      if (empty) return;
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(this.left, 0, this.right - this.left + 5, this.lower + 1);
    ctx.clip();
    for (const [n, series] of [...lines.entries()].toReversed()) {
      // Failures are drawn when there are any: a red line along the floor would look like some.
      if (series.slot() !== "bad" || peaks[n] > 0) drawLine(ctx, this, series);
    }
    ctx.restore();
  }

  /** Largest value of any series in [start, end]. */
  peak(start, end) {
    return Math.max(...this.spec.series.map((series) => this.peakOf(series, start, end)));
  }

  peakOf(series, start = this.start, end = this.end) {
    const store = series.store();
    const times = series.times ?? 1;
    let peak = -Infinity;
    for (let i = store.indexAt(start); i < store.size && store.time(i) <= end; i++) {
      const value = store.value(series.key, i) * times;
      if (value > peak) peak = value;
    }
    return peak;
  }

  measure(lines, measured, peaks) {
    const { spec, bounds } = this;
    const peak = Math.max(measured, spec.limit?.() ?? -Infinity);
    bounds.log = Boolean(spec.log) && (spec.log() ?? this.suitsLog(peaks));
    if (bounds.log) {
      const top = Math.max(peak, 1);
      let least = top;
      for (const series of lines) {
        const store = series.store();
        for (let i = store.indexAt(this.start); i < store.size && store.time(i) <= this.end; i++) {
          const value = store.value(series.key, i);
          if (value > 0 && value < least) least = value;
        }
      }
      [bounds.low, bounds.high] = logTicks(Math.max(0.001, Math.min(0.9 * least, top / 10)), top, this.ticks);
      return;
    }
    bounds.low = spec.low ?? 0;
    const top = Math.max(peak, spec.floor ?? 1, bounds.low + 1e-9);
    bounds.high = spec.bare ? top : linearTicks(bounds.low, top, this.height > palette.size * 24 ? 7 : 5, this.ticks, spec.whole);
  }

  /** Whether the lines are so far apart that a linear axis would lay some of them on the floor. */
  suitsLog(peaks) {
    const positive = peaks.filter((peak) => peak > 0);
    const ratio = positive.length ? Math.max(...positive) / Math.min(...positive) : 1;
    this.auto = ratio > (this.auto ? LOG_UNTIL : LOG_FROM);
    return this.auto;
  }

  /** Shades when something was wrong. */
  bands(ctx) {
    const bands = this.spec.bands?.(this.start, this.end) ?? [];
    for (const level of ["info", "warn", "bad"]) {
      const shade = (top, height, colour) => {
        // One path for all of a level: where two overlap it is no darker.
        ctx.beginPath();
        for (const { from, to, level: own } of bands) {
          const left = Math.max(this.left, this.x(from));
          const right = Math.min(this.right, Math.max(this.x(to ?? this.end), left + 2 * this.ink));
          if (own === level && right > left) ctx.rect(left, top, right - left, height);
        }
        ctx.fillStyle = colour;
        ctx.fill();
      };
      shade(this.upper, this.lower - this.upper, palette.bands[level]);
      shade(this.upper - 3 * this.ink, 2 * this.ink, palette.levels[level]);
    }
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
      this.rule(ctx, y);
      if (last - y < palette.size * 1.2) continue;
      ctx.fillText(this.spec.tick(tick), this.left - palette.size * 0.65, y);
      last = y;
    }
    const limit = this.spec.limit?.();
    if (!Number.isFinite(limit)) return;
    ctx.strokeStyle = palette.limit;
    ctx.setLineDash([3, 3]);
    this.rule(ctx, Math.round(this.y(limit)) + 0.5);
    ctx.setLineDash([]);
  }

  rule(ctx, y) {
    ctx.beginPath();
    ctx.moveTo(this.left, y);
    ctx.lineTo(this.right, y);
    ctx.stroke();
  }

  timeAxis(ctx) {
    const step = timeStep(this.end - this.start, (this.right - this.left) / (palette.size * 6.2));
    const zone = new Date(this.end).getTimezoneOffset() * 60_000;
    ctx.font = palette.font;
    ctx.textBaseline = "middle";
    ctx.textAlign = "center";
    ctx.fillStyle = palette.text;
    const edge = palette.size * 1.3;
    for (let t = Math.ceil((this.start - zone) / step) * step + zone; t <= this.end; t += step) {
      const x = this.x(t);
      if (x < this.left + edge || x > this.right - edge) continue;
      ctx.fillText(clock(t, step < 60_000), x, this.labels);
    }
  }

  /** Says why the plot, or its older part, is empty. */
  blank(ctx, lines, empty) {
    const first = Math.min(...lines.map((series) => series.store().firstTime));
    const middle = (this.upper + this.lower) / 2;
    ctx.font = palette.font;
    ctx.fillStyle = palette.text;
    ctx.textAlign = "center";
    ctx.textBaseline = "middle";
    if (empty) {
      const text = !lines.length ? "All lines are switched off" : first > this.end ? "No data yet" : (this.spec.none ?? "No data in this window");
      ctx.fillText(text, (this.left + this.right) / 2, middle);
      return;
    }
    const width = this.x(Math.min(first, this.end)) - this.left;
    const text = `No data before ${clock(first, false)}`;
    const room = ctx.measureText(text).width + palette.size;
    if (width < room + palette.size) return;
    ctx.fillStyle = palette.surface;
    ctx.fillRect(this.left + (width - room) / 2, middle - palette.size, room, 2 * palette.size);
    ctx.fillStyle = palette.text;
    ctx.fillText(text, this.left + width / 2, middle);
  }

  /** Draws the crosshair at `cursor`, or clears it for null, and what is selected from `anchor` on. */
  cross(cursor, anchor = null) {
    if (this.width === 0 || (cursor === null && this.drawn === null)) return;
    this.drawn = cursor;
    const ctx = this.top.getContext("2d");
    ctx.clearRect(0, 0, this.width, this.height);
    if (cursor === null || cursor < this.start || cursor > this.end) return;
    const x = Math.round(this.x(cursor)) + 0.5;
    if (anchor !== null) {
      const from = Math.max(this.left, this.x(anchor));
      ctx.fillStyle = palette.selection;
      ctx.fillRect(Math.min(from, x), this.upper - 4, Math.abs(x - from), this.lower - this.upper + 4);
    }
    ctx.strokeStyle = palette.cursor;
    ctx.lineWidth = 1;
    ctx.beginPath();
    ctx.moveTo(x, this.upper - 4);
    ctx.lineTo(x, this.lower);
    ctx.stroke();
    for (const series of this.lines) drawMarker(ctx, this, series, series.store().nearest(cursor), 3.5);
    if (!this.spec.bare) this.timeLabel(ctx, cursor, x);
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
