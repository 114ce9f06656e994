// A chart's numbers as a table: 60 rows, newest first, one a second for a minute's window and further apart for longer ones.

import { h, put } from "./dom.js";
import { NONE, clock } from "./format.js";

const ROWS = 60;

export class ChartTable {
  #rows = null;

  constructor(spec) {
    this.spec = spec;
    this.body = h("tbody");
    this.caption = h("caption", {});
    this.heads = spec.series.map(() => h("th", { scope: "col" }));
    this.element = h("div", { class: "tableview", tabindex: "0", role: "region", "aria-label": `${spec.title}, table`, hidden: true },
      h("table", {}, this.caption, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Time"), ...this.heads)), this.body));
  }

  draw(view) {
    this.#rows ??= this.build();
    const { series } = this.spec;
    const step = view.span / ROWS;
    put(this.caption, step === 1000 ? "Every second" : `Every ${step / 1000} seconds`);
    series.forEach((one, i) => put(this.heads[i], one.label()));
    const newest = Math.floor((view.end - 1000) / step) * step;
    this.#rows.forEach(({ head, cells }, row) => {
      const time = newest - row * step;
      put(head, clock(time));
      cells.forEach((cell, i) => put(cell, this.text(series[i], time)));
    });
  }

  text(series, time) {
    const store = series.store();
    const i = store.nearest(time, 1000);
    const value = i < 0 ? NaN : store.value(series.key, i) * (series.times ?? 1);
    return Number.isFinite(value) ? (series.show ?? this.spec.show)(value) : NONE;
  }

  build() {
    const rows = [];
    for (let i = 0; i < ROWS; i++) {
      const head = h("th", { scope: "row" });
      const cells = this.spec.series.map(() => h("td", {}, NONE));
      this.body.append(h("tr", {}, head, ...cells));
      rows.push({ head, cells });
    }
    return rows;
  }
}
