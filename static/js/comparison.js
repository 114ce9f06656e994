// The comparison table: what each engine did over the window shown, who does better, and what that rests on.

import { h, mark, put, show } from "./dom.js";
import { duration } from "./format.js";
import { marker } from "./swatch.js";
import { METRICS, compare } from "./verdict.js";

/** A window longer than this (ms) changes slowly: it is judged every `SELDOM` ms only. */
const LONG = 900_000;
const SELDOM = 10_000;

export class Comparison {
  #judgedAt = -Infinity;
  #judged = "";

  /** `start` is what stands in the table's place before any request. */
  constructor(engines, start) {
    this.engines = engines;
    this.start = start;
    this.heads = engines.map((engine) => {
      const shape = h("span", { class: "shape" });
      const name = h("span", { class: "head-name" });
      return { engine, shape, name, slot: undefined, element: h("th", { scope: "col" }, shape, name) };
    });
    this.rows = METRICS.map((metric) => {
      const verdict = h("span", { class: "verdict" }, " ");
      const cells = engines.map(() => {
        const value = h("span", { class: "figure" });
        const bar = h("span", { class: "bar-fill" });
        return { value, bar, element: h("td", {}, value, h("span", { class: "bar-track", "aria-hidden": "true" }, bar)) };
      });
      const head = h("th", { scope: "row" }, h("span", { class: "metric" }, metric.label, " ", h("span", { class: "row-note" }, metric.note)), verdict);
      return { metric, verdict, cells, element: h("tr", { "data-metric": metric.key }, head, ...cells.map((cell) => cell.element)) };
    });
    this.span = h("span", { class: "unit" });
    this.basis = h("p", { class: "basis" });
    this.table = h("table", {}, h("thead", {}, h("tr", {}, h("td", {}), ...this.heads.map((head) => head.element))),
      h("tbody", {}, ...this.rows.map((row) => row.element)));
    this.element = h("section", { class: "card comparison", "aria-labelledby": "comparison-title" },
      h("header", {}, h("h2", { id: "comparison-title" }, "Comparison"), this.span), this.basis, this.table, start.element);
  }

  /** `busy`: there are requests in the window of `view`. One engine is compared with no other, but how to load it is shown. */
  draw(view, busy) {
    const several = this.engines.length > 1;
    show(this.element, several || !busy);
    show(this.table, several && busy);
    show(this.start.element, !busy);
    if (!busy) this.start.draw(this.engines);
    if (!several) return;
    const { start, end } = view;
    const first = Math.max(start, Math.min(...this.engines.map(({ shown }) => shown.store.firstTime)));
    put(this.span, Number.isFinite(first) && first < end ? `over ${view.zoom ? "the" : "the last"} ${duration((end - first) / 1000)}${view.zoom ? " selected" : ""}` : "");
    for (const head of this.heads) {
      put(head.name, head.engine.name);
      mark(head.element, "title", head.engine.name);
      if (head.slot !== head.engine.slot) {
        head.shape.replaceChildren(marker((head.slot = head.engine.slot)));
        this.tint(this.heads.indexOf(head), head.slot);
      }
    }
    if (busy && this.due(view)) this.judge(start, end);
    else if (!busy) put(this.basis, "");
  }

  due({ start, end, zoom }) {
    const key = zoom?.join() ?? String(end - start);
    const now = performance.now();
    if (end - start > LONG && key === this.#judged && now - this.#judgedAt < SELDOM) return false;
    this.#judged = key;
    this.#judgedAt = now;
    return true;
  }

  tint(column, slot) {
    for (const { cells } of this.rows) mark(cells[column].bar, "class", `bar-fill engine-${slot}`);
  }

  judge(start, end) {
    const engines = this.engines.map((engine) => ({
      name: engine.name, store: engine.shown.store, work: engine.shown.sample?.work, live: engine.state === "live" || engine.frozen !== null,
      cores: engine.shown.sample?.num_cpu, workers: engine.shown.sample?.workers?.total,
    }));
    const { rows, basis } = compare(engines, start, end);
    put(this.basis, basis);
    rows.forEach(({ metric, stats, verdict }, n) => {
      const row = this.rows[n];
      put(row.verdict, verdict.text);
      mark(row.element, "data-verdict", verdict.kind);
      mark(row.element, "data-sure", verdict.sure ? "yes" : null);
      show(row.element, !metric.rare || stats.some(({ value }) => Number.isFinite(value)));
      const most = Math.max(...stats.map(({ value }) => (Number.isFinite(value) ? value : 0)));
      row.cells.forEach((cell, i) => {
        const { value } = stats[i];
        put(cell.value, metric.show(value));
        mark(cell.element, "class", i === verdict.winner ? "winner" : null);
        cell.bar.style.transform = `scaleX(${most > 0 && value > 0 ? value / most : 0})`;
      });
    });
  }
}
