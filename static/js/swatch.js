// Samples of an engine's look beside its name: marker alone, or line with dash and marker.

import { svg } from "./dom.js";
import { MARKERS, traceMarker } from "./looks.js";

/** A legend's sample of a line: colour, dash and marker. */
export function swatch(slot, { dash, faint, marked } = {}) {
  const path = new SvgPath();
  traceMarker(path, MARKERS[slot] ?? MARKERS[0], 9, 5, 3.2);
  const colour = slot === null ? "neutral" : slot === "bad" ? "failures" : `engine-${slot}`;
  return svg("svg", { viewBox: "0 0 18 10", width: "18", height: "10", class: `line ${colour}` },
    svg("line", { x1: 0, x2: 18, y1: 5, y2: 5, "stroke-dasharray": dash?.join(" ") || null, opacity: faint ?? null }),
    marked === false || MARKERS[slot] === undefined ? null : svg("path", { d: path.d }));
}

/** An engine's marker alone. */
export function marker(slot) {
  const path = new SvgPath();
  traceMarker(path, MARKERS[slot], 6, 6, 4);
  return svg("svg", { viewBox: "0 0 12 12", width: "12", height: "12", class: `line engine-${slot}`, "aria-hidden": "true" }, svg("path", { d: path.d }));
}

/** The canvas path calls as SVG path data. */
export class SvgPath {
  d = "";
  beginPath() {}
  moveTo(x, y) {
    this.d += `M${x} ${y}`;
  }
  lineTo(x, y) {
    this.d += `L${x} ${y}`;
  }
  closePath() {
    this.d += "Z";
  }
  rect(x, y, w, height) {
    this.d += `M${x} ${y}h${w}v${height}h${-w}Z`;
  }
  arc(x, y, r) {
    this.d += `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  }
}
