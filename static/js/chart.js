// A chart card: title, legend with the values under the crosshair, the plot with pointer and keyboard, and a table view.

import { h, mark, put, show, svg } from "./dom.js";
import { NONE, clock } from "./format.js";
import { MARKERS, traceMarker } from "./looks.js";
import { Plot } from "./plot.js";
import { GAP } from "./store.js";
import { ChartTable } from "./table.js";

const HINT = "Latest second. Arrow keys move the crosshair, Escape removes it.";
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 30, PageDown: -30 };

export class Chart {
  /**
   * `spec`: what Plot takes, and `id`, `title`, `unit`, `show(value)`. A series also has `label()`, may have its own
   * `show`, and with `textual` is only told in legend and table. `page` is told when the view `changed()` or the
   * crosshair `pointed()` elsewhere.
   */
  constructor(spec, page) {
    this.spec = spec;
    this.page = page;
    this.view = page.view;
    this.entries = spec.series.map((series) => this.entry(series));
    this.plotHost = h("div", {
      class: "plot", role: "slider", tabindex: "0", "aria-label": `${spec.title}, crosshair`,
      "aria-valuemin": "0", "aria-valuetext": HINT,
      onkeydown: (event) => this.key(event),
      onpointermove: (event) => this.pointer(event),
      onpointerdown: (event) => this.pointer(event),
      onpointerleave: (event) => this.leave(event),
      onblur: () => this.clear(),
    });
    this.plot = new Plot(this.plotHost, { ...spec, log: spec.canLog && (() => this.view.log), series: spec.series.filter((s) => !s.textual) });
    this.table = new ChartTable(spec);
    this.tableButton = h("button", { class: "quiet", type: "button", "aria-pressed": "false", onclick: () => this.toggleTable() }, "Table");
    this.tableButton.setAttribute("aria-label", `${spec.title} as a table`);
    this.logButton = spec.canLog
      ? h("button", { class: "quiet", type: "button", "aria-label": `${spec.title}, log scale`, onclick: () => this.toggleLog() }, "Log")
      : null;
    this.element = h("section", { class: "card chart", "data-chart": spec.id, "aria-labelledby": `chart-${spec.id}` },
      h("header", {},
        h("h2", { id: `chart-${spec.id}` }, spec.title), h("span", { class: "unit" }, spec.unit ?? ""),
        h("div", { class: "tools" }, this.logButton, this.tableButton)),
      h("ul", { class: "legend" }, ...this.entries.map((entry) => entry.element)),
      h("div", { class: "stage" }, this.plotHost, this.table.element));
  }

  entry(series) {
    const name = h("span", { class: "name" });
    const value = h("span", { class: "value" }, NONE);
    const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
    return { series, name, value, swatch, slot: undefined, element: h("li", {}, swatch, name, value) };
  }

  /** Draws the lines and the legend for the view as it is. */
  draw() {
    const { view, spec } = this;
    const tabular = view.tables.has(spec.id);
    mark(this.tableButton, "aria-pressed", tabular);
    if (this.logButton) mark(this.logButton, "aria-pressed", view.log);
    show(this.plotHost, !tabular);
    show(this.table.element, tabular);
    if (tabular) this.table.draw(view);
    else this.plot.draw(view.start, view.end);
    this.hook();
    this.read();
  }

  /** Draws the crosshair and the values under it. */
  read() {
    const { view } = this;
    if (!view.tables.has(this.spec.id)) this.plot.cross(view.cursor);
    const told = [];
    for (const entry of this.entries) {
      this.dress(entry);
      const { series } = entry;
      const store = series.store();
      const i = view.cursor === null ? store.nearest(view.end, GAP) : store.nearest(view.cursor);
      const value = i < 0 ? NaN : store.value(series.key, i) * (series.times ?? 1);
      const text = Number.isFinite(value) ? (series.show ?? this.spec.show)(value) : NONE;
      put(entry.value, text);
      if (view.cursor !== null) told.push(`${series.label()} ${text === NONE ? "no data" : text}`);
    }
    mark(this.plotHost, "aria-valuemax", view.span / 1000);
    const at = view.cursor === null ? view.span : view.cursor - view.start;
    mark(this.plotHost, "aria-valuenow", Math.round(at / 1000));
    mark(this.plotHost, "aria-valuetext", view.cursor === null ? HINT : `${clock(view.cursor)}: ${told.join(", ")}`);
  }

  /** Names and looks can change when an engine tells what it is. */
  dress(entry) {
    put(entry.name, entry.series.label());
    const slot = entry.series.slot();
    if (slot === entry.slot) return;
    entry.slot = slot;
    entry.swatch.replaceChildren(entry.series.textual ? "" : swatch(slot, entry.series));
  }

  /** What tests read: how many values each series shows, and its latest. */
  hook() {
    const { view } = this;
    const points = [];
    const last = [];
    for (const { key, store: of } of this.spec.series) {
      const store = of();
      let n = 0;
      let latest = NaN;
      for (let i = store.indexAt(view.start); i < store.size && store.time(i) <= view.end; i++) {
        const value = store.value(key, i);
        if (value !== value) continue;
        n += 1;
        latest = value;
      }
      points.push(n);
      last.push(n ? latest : "");
    }
    mark(this.element, "data-points", points.join());
    mark(this.element, "data-last", last.join());
  }

  toggleTable() {
    const { tables } = this.view;
    if (!tables.delete(this.spec.id)) tables.add(this.spec.id);
    this.page.changed();
  }

  toggleLog() {
    this.view.log = !this.view.log;
    this.page.changed();
  }

  pointer(event) {
    if (event.pointerType === "touch" && event.type === "pointermove" && !event.isPrimary) return;
    const box = this.plotHost.getBoundingClientRect();
    this.view.point((event.clientX - box.left - this.plot.left) / (this.plot.right - this.plot.left));
    this.page.pointed();
  }

  leave(event) {
    // A finger that lifts leaves the crosshair where it was; a mouse takes it along.
    if (event.pointerType === "touch") this.view.hover = null;
    else this.clear();
  }

  clear() {
    this.view.release();
    this.page.pointed();
  }

  key(event) {
    const { view } = this;
    if (event.key === "Escape") view.release();
    else if (event.key === "Home") view.moveTo(view.start);
    else if (event.key === "End") view.moveTo(view.end - 1000);
    else if (event.key in KEYS) view.step(KEYS[event.key] * (event.shiftKey ? 10 : 1));
    else return;
    event.preventDefault();
    this.page.pointed();
  }
}

/** A legend's sample of a line: colour, dash and marker. */
export function swatch(slot, { dash, faint, marked } = {}) {
  const path = new SvgPath();
  traceMarker(path, MARKERS[slot ?? 0], 9, 5, 3.2);
  const colour = slot === null ? "neutral" : `engine-${slot}`;
  return svg("svg", { viewBox: "0 0 18 10", width: "18", height: "10", class: `line ${colour}` },
    svg("line", { x1: 0, x2: 18, y1: 5, y2: 5, "stroke-dasharray": dash?.join(" ") || null, opacity: faint ?? null }),
    marked === false || slot === null ? null : svg("path", { d: path.d }));
}

/** An engine's marker alone. */
export function marker(slot) {
  const path = new SvgPath();
  traceMarker(path, MARKERS[slot], 6, 6, 4);
  return svg("svg", { viewBox: "0 0 12 12", width: "12", height: "12", class: `line engine-${slot}`, "aria-hidden": "true" }, svg("path", { d: path.d }));
}

/** The canvas path calls, written down as SVG path data. */
class SvgPath {
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
