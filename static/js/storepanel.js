// The registrations: how many, how fast they are written, and whether the store works; only where there are some.

import { alert } from "./alerts.js";
import { byHost } from "./boards.js";
import { h, mark, put, show } from "./dom.js";
import { count, latency, rate } from "./format.js";

/** Whether anybody has registered, or tried to. */
export function isUsed({ store, admission, rate_limited: limited } = {}) {
  if (!store?.backend) return false;
  return store.enrolled + store.waiting + store.commits + admission.admitted + admission.refused + limited > 0 || store.breaker !== "closed";
}

const BREAKER = { closed: "closed", open: "open: writing fails", half_open: "trying again" };

/** The rows of one engine: label, text, level. `grown(key)` is the growth of a total in its last second. */
export function rowsOf({ store, admission, rate_limited: limited }, grown) {
  const refused = grown("registrations_refused");
  return [
    ["Commits a second", rate(grown("commits"))],
    ["Batch, median · largest", store.commits ? `${count(store.batch_p50)} · ${count(store.batch_max)}` : "—"],
    ["Sync p99", store.commits ? latency(store.commit_ms.p99) : "—"],
    ["Waiting to be written", count(store.pending)],
    ["Predicted wait", latency(admission.predicted_wait_ms)],
    ["Admitted", count(admission.admitted)],
    ["Refused", count(admission.refused), refused > 0 ? "bad" : null],
    ["Rate limited", count(limited), grown("rate_limited") > 0 ? "warn" : null],
    ["Circuit breaker", BREAKER[store.breaker] ?? store.breaker, store.breaker === "closed" ? null : "bad"],
  ];
}

/** What a person should know now about the store of one engine. */
export function storeAlerts({ store } = {}) {
  if (!store?.backend || store.breaker === "closed") return [];
  return [alert("store", "bad", "Registrations are refused: the database cannot be written. The log has the reason")];
}

export class StorePanel {
  /** `engines`: one column each. */
  constructor(engines) {
    this.engines = engines;
    this.enrolled = h("strong", { "data-metric": "enrolled" });
    this.waiting = h("strong", { "data-metric": "waiting" });
    this.head = h("tr", {}, h("td", {}), ...engines.map(() => h("th", { scope: "col" })));
    this.body = h("tbody");
    this.lines = [];
    const fact = (label, value) => h("div", { class: "store-fact" }, value, h("span", {}, label));
    this.element = h("section", { class: "card store", "aria-labelledby": "store-title", hidden: true },
      h("header", {}, h("h2", { id: "store-title" }, "Registrations"), h("span", { class: "unit" }, h("a", { href: "/register" }, "the students' page"))),
      // Boards may share a database or not: no number is that of all.
      h("div", { class: "store-facts", hidden: byHost(engines).length > 1 }, fact("enrolled", this.enrolled), fact("on waiting lists", this.waiting)),
      h("div", { class: "store-host" }, h("table", { class: "store-table" }, h("thead", { hidden: engines.length < 2 }, this.head), this.body)));
  }

  draw() {
    const samples = this.engines.map((engine) => engine.shown.sample);
    const used = samples.filter((sample) => isUsed(sample ?? undefined));
    show(this.element, used.length > 0);
    if (!used.length) return;
    // The engines share one file, and each counts it up to a second later than it changes.
    put(this.enrolled, count(Math.max(...used.map(({ store }) => store.enrolled))));
    put(this.waiting, count(Math.max(...used.map(({ store }) => store.waiting))));
    const columns = this.engines.map((engine, i) => {
      const { store: kept } = engine.shown;
      return samples[i]?.store?.backend ? rowsOf(samples[i], (key) => kept.value(key, kept.size - 1)) : null;
    });
    const labels = columns.find(Boolean).map(([label]) => label);
    while (this.lines.length < labels.length) this.lines.push(this.#line());
    this.engines.forEach((engine, i) => {
      put(this.head.children[i + 1], engine.name);
      labels.forEach((label, row) => {
        const [, text, level] = columns[i]?.[row] ?? [label, "—"];
        put(this.lines[row].label, label);
        put(this.lines[row].cells[i], text);
        mark(this.lines[row].cells[i], "data-level", level ?? null);
      });
    });
  }

  #line() {
    const line = { label: h("th", { scope: "row" }), cells: this.engines.map(() => h("td")) };
    this.body.append(h("tr", {}, line.label, ...line.cells));
    return line;
  }
}
