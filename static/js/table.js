// A chart's numbers as a table: newest first, one row a second, or one for each sixtieth of a window that is longer than a minute.

import { h, put, show } from "./dom.js";
import { NONE, clock, duration } from "./format.js";

const ROWS = 60;
/** Of these a row has the highest of its samples, as `/history` has; of all others their mean. */
const HIGHEST = new Set(["p99", "max"]);

/** The value of a column over the `step` ms up to `time`; NaN where there is none. */
export function valueOver(store, key, time, step) {
  if (step <= 1000) {
    const i = store.nearest(time, 1000);
    return i < 0 ? NaN : store.value(key, i);
  }
  const values = store.values(key, time - step, time);
  if (!values.length) return NaN;
  return HIGHEST.has(key) ? Math.max(...values) : values.reduce((sum, value) => sum + value, 0) / values.length;
}

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
    const step = 1000 * Math.max(1, Math.ceil(view.span / ROWS / 1000));
    put(this.caption, this.captionFor(step));
    series.forEach((one, i) => put(this.heads[i], one.label()));
    const newest = Math.floor((view.end - 1000) / step) * step;
    this.#rows.forEach(({ element, head, cells }, row) => {
      const time = newest - row * step;
      show(element, time >= view.start);
      put(head, clock(time));
      cells.forEach((cell, i) => put(cell, this.text(series[i], time, step)));
    });
  }

  captionFor(step) {
    if (step === 1000) return "Every second";
    const highest = this.spec.series.filter(({ key }) => HIGHEST.has(key));
    const span = `every ${duration(step / 1000)}`;
    if (highest.length === this.spec.series.length) return `Highest of ${span}`;
    return `Mean of ${span}${highest.length ? `; ${highest.map((one) => one.label()).join(" and ")}: the highest` : ""}`;
  }

  text(series, time, step) {
    const value = valueOver(series.store(), series.key, time, step) * (series.times ?? 1);
    return Number.isFinite(value) ? (series.show ?? this.spec.show)(value) : NONE;
  }

  build() {
    const rows = [];
    for (let i = 0; i < ROWS; i++) {
      const head = h("th", { scope: "row" });
      const cells = this.spec.series.map(() => h("td", {}, NONE));
      const element = h("tr", {}, head, ...cells);
      this.body.append(element);
      rows.push({ element, head, cells });
    }
    return rows;
  }
}
