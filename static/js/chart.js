// A chart card: title, legend with the values under the crosshair, the plot with pointer and keyboard, and a table view.

import { h, mark, put, show } from "./dom.js";
import { NONE, clock } from "./format.js";
import { Plot } from "./plot.js";
import { GAP } from "./store.js";
import { swatch } from "./swatch.js";
import { ChartTable } from "./table.js";

const HINT = "Latest second. Arrow keys move the crosshair, Enter begins and ends a range to zoom into, Escape goes back.";
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 30, PageDown: -30 };

export class Chart {
  /**
   * `spec`: what Plot takes, and `id`, `title`, `unit`, `show(value)`, `about` (a sentence on what is measured). A series also
   * has `label()`, `toggle()` (the name it is switched off by), may have its own `show`, and with `textual` stands in legend
   * and table only. `page` learns when the view `changed()` or the crosshair `pointed()` elsewhere.
   */
  constructor(spec, page) {
    this.spec = spec;
    this.page = page;
    this.view = page.view;
    for (const series of spec.series) series.off = () => this.view.hidden.has(series.toggle());
    this.entries = spec.series.map((series) => this.entry(series));
    this.plotHost = h("div", {
      class: "plot", role: "slider", tabindex: "0", "aria-label": `${spec.title}, crosshair`,
      "aria-valuemin": "0", "aria-valuetext": HINT,
      onkeydown: (event) => this.key(event),
      onpointermove: (event) => this.pointer(event),
      onpointerdown: (event) => this.press(event),
      onpointerup: (event) => this.lift(event),
      onpointerleave: (event) => this.leave(event),
      onblur: () => this.view.anchor === null && this.clear(),
    });
    this.plot = new Plot(this.plotHost, { ...spec, log: spec.canLog && (() => this.view.log), series: spec.series.filter((s) => !s.textual) });
    this.table = new ChartTable(spec);
    const button = (label, text, onclick) => h("button", { class: "quiet", type: "button", "aria-pressed": "false", "aria-label": label, title: label, onclick }, text);
    this.tableButton = button(`${spec.title} as a table`, "Table", () => this.toggleTable());
    this.logButton = spec.canLog ? button(`${spec.title}, log scale`, "Log", () => this.toggleLog()) : null;
    this.about = spec.about ? h("p", { class: "about", hidden: true, id: `about-${spec.id}` }, spec.about) : null;
    this.aboutButton = spec.about
      ? h("button", { class: "quiet info", type: "button", "aria-expanded": "false", "aria-controls": `about-${spec.id}`, "aria-label": `What ${spec.title} means`, title: spec.about, onclick: () => this.toggleAbout() }, "i")
      : null;
    this.element = h("section", { class: "card chart", "data-chart": spec.id, "aria-labelledby": `chart-${spec.id}` },
      h("header", {},
        h("h2", { id: `chart-${spec.id}` }, spec.title), this.aboutButton, h("span", { class: "unit" }, spec.unit ?? ""),
        h("div", { class: "tools" }, this.logButton, this.tableButton)),
      this.about,
      h("ul", { class: "legend" }, ...this.entries.map((entry) => entry.element)),
      h("div", { class: "stage" }, this.plotHost, this.table.element));
  }

  entry(series) {
    const name = h("span", { class: "name" });
    const value = h("span", { class: "value" }, NONE);
    const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
    const inner = series.textual
      ? h("span", { class: "entry" }, name, value)
      : h("button", { class: "entry", type: "button", "aria-pressed": "true", title: "Show or hide this line", onclick: () => this.toggleLine(series) }, swatch, name, value);
    return { series, name, value, swatch, inner, slot: undefined, element: h("li", {}, inner) };
  }

  /** Draws the lines and the legend for the view as it is. */
  draw() {
    const { view, spec } = this;
    const tabular = view.tables.has(spec.id);
    mark(this.tableButton, "aria-pressed", tabular);
    show(this.plotHost, !tabular);
    show(this.table.element, tabular);
    if (tabular) this.table.draw(view);
    else this.plot.draw(view.start, view.end);
    if (this.logButton) mark(this.logButton, "aria-pressed", this.plot.bounds.log);
    this.hook();
    this.read();
  }

  /** Draws the crosshair and the values under it. */
  read() {
    const { view } = this;
    if (!view.tables.has(this.spec.id)) this.plot.cross(view.cursor, view.anchor);
    const spoken = [];
    for (const entry of this.entries) {
      this.dress(entry);
      const { series } = entry;
      const store = series.store();
      const i = view.cursor === null ? store.nearest(view.end, Math.max(GAP, store.gapAt(view.end))) : store.nearest(view.cursor);
      const value = i < 0 ? NaN : store.value(series.key, i) * (series.times ?? 1);
      const text = Number.isFinite(value) ? (series.show ?? this.spec.show)(value) : NONE;
      put(entry.value, text);
      if (view.cursor !== null) spoken.push(`${series.label()} ${text === NONE ? "no data" : text}`);
    }
    mark(this.plotHost, "aria-valuemax", view.span / 1000);
    const at = view.cursor === null ? view.span : view.cursor - view.start;
    mark(this.plotHost, "aria-valuenow", Math.round(at / 1000));
    const selected = view.anchor === null ? "" : `Range from ${clock(view.anchor)}. `;
    mark(this.plotHost, "aria-valuetext", view.cursor === null ? HINT : `${selected}${clock(view.cursor)}: ${spoken.join(", ")}`);
  }

  /** Names and looks can change when an engine says what it is. */
  dress(entry) {
    const { series, inner } = entry;
    put(entry.name, series.label());
    if (!series.textual) mark(inner, "aria-pressed", !series.off());
    const slot = series.slot();
    if (slot === entry.slot) return;
    entry.slot = slot;
    entry.swatch.replaceChildren(series.textual ? "" : swatch(slot, series));
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
    mark(this.element, "data-scale", this.plot.bounds.log ? "log" : "linear");
  }

  toggleTable() {
    const { tables } = this.view;
    if (!tables.delete(this.spec.id)) tables.add(this.spec.id);
    this.page.changed();
  }

  toggleLog() {
    this.view.log = !this.plot.bounds.log;
    this.page.changed();
  }

  toggleLine(series) {
    this.view.toggle(series.toggle());
    this.page.changed();
  }

  toggleAbout() {
    show(this.about, this.about.hidden);
    mark(this.aboutButton, "aria-expanded", !this.about.hidden);
  }

  pointer(event) {
    if (event.pointerType === "touch" && event.type === "pointermove" && !event.isPrimary) return;
    if (this.view.pinned) return;
    const box = this.plotHost.getBoundingClientRect();
    this.view.point((event.clientX - box.left - this.plot.left) / (this.plot.right - this.plot.left));
    this.page.pointed();
  }

  /** A mouse or pen selects by dragging; a finger scrolls the page. */
  press(event) {
    const fixed = this.view.pinned;
    if (fixed) this.view.release();
    this.pointer(event);
    if (event.pointerType === "touch" || event.button !== 0) return;
    this.unpinned = fixed;
    this.view.select();
    this.plotHost.setPointerCapture(event.pointerId);
  }

  /** The end of a drag zooms in; a click without one fixes the crosshair or lets it go. */
  lift(event) {
    if (this.view.anchor === null || event.pointerType === "touch") return;
    if (this.view.zoomIn()) return this.page.changed();
    if (!this.unpinned) this.view.pin();
    this.page.pointed();
  }

  leave(event) {
    // A finger that lifts leaves the crosshair where it was; a mouse takes it along.
    if (event.pointerType === "touch") this.view.hover = null;
    else if (!this.view.pinned && this.view.anchor === null) this.clear();
  }

  clear() {
    this.view.release();
    this.page.pointed();
  }

  key(event) {
    const { view } = this;
    if (event.key === "Escape") {
      if (view.cursor === null && view.zoom) {
        view.zoomOut();
        return this.page.changed();
      }
      view.release();
    } else if (event.key === "Enter" && view.cursor !== null) {
      if (view.anchor === null) view.select();
      else if (view.zoomIn()) return this.page.changed();
    } else if (event.key === "Home") view.moveTo(view.start);
    else if (event.key === "End") view.moveTo(view.end - 1000);
    else if (event.key in KEYS) view.step(KEYS[event.key] * (event.shiftKey ? 10 : 1));
    else return;
    event.preventDefault();
    this.page.pointed();
  }
}
