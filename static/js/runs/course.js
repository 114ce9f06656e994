// A chart of the courses of a few runs over the time since each began, as an SVG that stands by itself in a saved page.

import { SvgPath } from "../swatch.js";
import { svg } from "../dom.js";
import { compact, duration } from "../format.js";
import { MARKERS, traceMarker } from "../looks.js";
import { linearTicks } from "../scale.js";

const LEFT = 46;
const RIGHT = 10;
const TOP = 8;
const BOTTOM = 22;
/** Room (px) that a time label needs. */
const LABEL = 80;
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800];

/**
 * `lines`: `{ slot, points: [[seconds, value or null], …] }`, `seconds`: how long the longest is. `label` says in words
 * what is to be seen.
 */
export function course({ width, height, lines, seconds, label, most = null }) {
  const values = lines.flatMap(({ points }) => points.map(([, value]) => value)).filter((value) => value !== null);
  const ticks = [];
  const top = linearTicks(0, Math.max(...values, most ?? 0, 1e-9), 4, ticks);
  const right = width - RIGHT;
  const lower = height - BOTTOM;
  const x = (time) => LEFT + (time / Math.max(seconds, 1)) * (right - LEFT);
  const y = (value) => lower - (value / top) * (lower - TOP);
  const step = TIME_STEPS.find((one) => ((right - LEFT) * one) / Math.max(seconds, 1) >= LABEL) ?? TIME_STEPS.at(-1);
  const times = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
  return svg("svg", { class: "course", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    ...ticks.map((tick) => svg("g", {},
      svg("line", { class: "grid", x1: LEFT, x2: right, y1: y(tick), y2: y(tick) }),
      svg("text", { class: "tick", x: LEFT - 6, y: y(tick), "text-anchor": "end", dy: "0.35em" }, compact(tick)))),
    ...times.map((time) => svg("text", { class: "tick", x: x(time), y: height - 6, "text-anchor": time === 0 ? "start" : x(time) > right - LABEL / 3 ? "end" : "middle" }, time === 0 ? "start" : shortTime(time))),
    ...lines.map(({ slot, points }) => drawn(slot, points, x, y)));
}

const shortTime = (seconds) => (seconds % 60 ? duration(seconds) : seconds % 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`);

function drawn(slot, points, x, y) {
  let path = "";
  let open = false;
  let last = null;
  for (const [time, value] of points) {
    if (value === null) {
      open = false;
      continue;
    }
    const at = `${x(time).toFixed(1)} ${y(value).toFixed(1)}`;
    // A lone value between gaps shows as a dot, since the line's ends are round.
    path += open ? `L${at}` : `M${at}h.01`;
    open = true;
    last = [x(time), y(value)];
  }
  const shape = new SvgPath();
  if (last) traceMarker(shape, MARKERS[slot], ...last, 3.5);
  return svg("g", { class: `engine-${slot}` }, svg("path", { class: "run-line", d: path }), svg("path", { class: "run-mark", d: shape.d }));
}

/** A run's marker, for legends. */
export function mark(slot) {
  const shape = new SvgPath();
  traceMarker(shape, MARKERS[slot], 6, 6, 4);
  return svg("svg", { viewBox: "0 0 12 12", width: "12", height: "12", class: `mark engine-${slot}`, "aria-hidden": "true" }, svg("path", { class: "run-mark", d: shape.d }));
}
