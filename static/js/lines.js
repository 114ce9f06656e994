// Strokes of a plot: lines with honest gaps, the area under them, lone samples as dots, and engines' markers.

import { MARKERS, traceMarker } from "./looks.js";
import { palette } from "./palette.js";

const SOLID = [];
/** How near (ms) a sample must be to the right edge for the marker at its line's end. */
const END = 2500;

/** Colour of an engine's slot; null is the neutral colour, `bad` that of failures. */
export const colourOf = (slot) => (slot === null ? palette.neutral : slot === "bad" ? palette.levels.bad : palette.engines[slot]);

/**
 * Walks a series' runs of neighbouring samples in the plot's window: `start(x, y)`, `next(x, y)` for each further one,
 * `stop(x, y, n)` after the last of a run of `n`.
 */
function walk(plot, series, on) {
  const store = series.store();
  const times = series.times ?? 1;
  let n = 0;
  let before = -Infinity;
  let x = 0;
  let y = 0;
  for (let i = Math.max(0, store.indexAt(plot.start) - 1); i < store.size; i++) {
    const time = store.time(i);
    if (time > plot.end) break;
    const value = store.value(series.key, i) * times;
    if (n > 0 && (value !== value || time - before > store.gapAt(time))) {
      on.stop(x, y, n);
      n = 0;
    }
    if (value !== value) continue;
    x = plot.x(time);
    y = plot.y(value);
    if (n === 0) on.start(x, y);
    else on.next(x, y);
    n += 1;
    before = time;
  }
  if (n > 0) on.stop(x, y, n);
}

export function drawLine(ctx, plot, series) {
  const colour = colourOf(series.slot());
  const lone = [];
  if (series.fill) drawArea(ctx, plot, series, colour);
  ctx.beginPath();
  walk(plot, series, {
    start: (x, y) => ctx.moveTo(x, y),
    next: (x, y) => ctx.lineTo(x, y),
    stop: (x, y, n) => n === 1 && lone.push(x, y),
  });
  ctx.strokeStyle = colour;
  ctx.globalAlpha = series.faint ?? 1;
  ctx.lineWidth = (series.width ?? 1.5) * plot.ink;
  ctx.lineJoin = "round";
  ctx.lineCap = "butt";
  ctx.setLineDash(series.dash ?? SOLID);
  ctx.stroke();
  ctx.setLineDash(SOLID);
  // A sample between gaps has no line: a dot makes it visible.
  ctx.fillStyle = colour;
  ctx.beginPath();
  for (let i = 0; i < lone.length; i += 2) {
    ctx.moveTo(lone[i] + 1.75 * plot.ink, lone[i + 1]);
    ctx.arc(lone[i], lone[i + 1], 1.75 * plot.ink, 0, Math.PI * 2);
  }
  ctx.fill();
  ctx.globalAlpha = 1;
  if (series.marked !== false && MARKERS[series.slot()]) endMarker(ctx, plot, series);
}

function drawArea(ctx, plot, series, colour) {
  const ground = plot.lower;
  ctx.beginPath();
  walk(plot, series, {
    start: (x, y) => {
      ctx.moveTo(x, ground);
      ctx.lineTo(x, y);
    },
    next: (x, y) => ctx.lineTo(x, y),
    stop: (x) => ctx.lineTo(x, ground),
  });
  ctx.fillStyle = colour;
  ctx.globalAlpha = series.fill;
  ctx.fill();
  ctx.globalAlpha = 1;
}

/** The engine's shape where its line ends now, so that lines do not differ by colour alone. */
function endMarker(ctx, plot, series) {
  const store = series.store();
  drawMarker(ctx, plot, series, store.nearest(plot.end, Math.max(END, store.gapAt(plot.end))), 3);
}

/** The engine's shape on its i-th sample, if it has a value there. */
export function drawMarker(ctx, plot, series, i, radius) {
  const store = series.store();
  const value = i < 0 ? NaN : store.value(series.key, i) * (series.times ?? 1);
  if (value !== value) return;
  const slot = series.slot();
  ctx.fillStyle = colourOf(slot);
  ctx.strokeStyle = palette.surface;
  ctx.lineWidth = 2;
  traceMarker(ctx, MARKERS[slot] ?? MARKERS[0], plot.x(store.time(i)), plot.y(value), radius * plot.ink);
  ctx.stroke();
  ctx.fill();
}
