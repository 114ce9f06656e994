// The "who is ahead" table: what each engine did over the window shown, and the verdict on each metric.

import { marker } from "./chart.js";
import { h, mark, put } from "./dom.js";
import { METRICS, judge, windowStats } from "./verdict.js";

export class Ahead {
  constructor(engines) {
    this.engines = engines;
    this.heads = engines.map((engine) => {
      const shape = h("span", { class: "shape" });
      const name = h("span", {});
      return { engine, shape, name, slot: undefined, element: h("th", { scope: "col" }, shape, name) };
    });
    this.rows = METRICS.map((metric) => {
      const verdict = h("span", { class: "verdict" }, " ");
      const cells = engines.map(() => h("td", {}));
      const head = h("th", { scope: "row", title: metric.note }, h("span", { class: "metric" }, metric.label), verdict);
      return { metric, verdict, cells, element: h("tr", { "data-metric": metric.key }, head, ...cells) };
    });
    this.span = h("span", { class: "unit" });
    this.element = h("section", { class: "card ahead", "aria-labelledby": "ahead-title" },
      h("header", {}, h("h2", { id: "ahead-title" }, "Who is ahead"), this.span),
      h("table", {}, h("thead", {}, h("tr", {}, h("td", {}), ...this.heads.map((head) => head.element))),
        h("tbody", {}, ...this.rows.map((row) => row.element))));
  }

  draw(start, end, window) {
    const engines = this.engines.map((engine) => ({
      name: engine.name, work: engine.shown.sample?.work, stats: windowStats(engine.shown.store, start, end),
    }));
    put(this.span, `over ${window === "1m" ? "the last minute" : `the last ${parseInt(window, 10)} minutes`}`);
    for (const head of this.heads) {
      put(head.name, head.engine.name);
      if (head.slot !== head.engine.slot) head.shape.replaceChildren(marker((head.slot = head.engine.slot)));
    }
    for (const { metric, verdict, cells, element } of this.rows) {
      const { kind, text, winner } = judge(metric, engines);
      put(verdict, text);
      mark(element, "data-verdict", kind);
      cells.forEach((cell, i) => {
        put(cell, metric.show(engines[i].stats[metric.key]));
        mark(cell, "class", i === winner ? "winner" : null);
      });
    }
  }
}
