// The report of one run or a few: verdicts, warnings, charts and a table. The page shows it, and a saved file holds the same.

import { h } from "../dom.js";
import { celsius, count, duration, latency, load, mebibytes, rate } from "../format.js";
import { slotsFor } from "../looks.js";
import { course, mark } from "./course.js";
import { moment, nameOf, table, verdict, warnings } from "./figures.js";

const CHARTS = [
  { field: "successful_per_sec", title: "Successful requests", unit: "a second", show: rate },
  { field: "errors_per_sec", title: "Failed requests", unit: "a second", show: rate, onlyIfSome: true },
  { field: "latency_ms.p50", title: "Latency, median", unit: "ms", show: latency },
  { field: "latency_ms.p99", title: "Latency, p99", unit: "ms", show: latency },
  { field: "active_connections", title: "Open connections", unit: "", show: count },
  { field: "queue.depth", title: "Queue", unit: "requests waiting", show: count, onlyIfSome: true },
  { field: "cpu_usage_percent", title: "CPU", unit: "100 is one core", show: load },
  { field: "memory_alloc_mb", title: "Memory", unit: "MiB", show: mebibytes },
  { field: "pi.temperature_c", title: "Temperature", unit: "°C", show: celsius },
];

const METHOD = "Latency is the time from a request's last byte to its answer, inside the server: waiting on the network or to be "
  + "accepted is not in it. Percentiles are over all answers of the run, from one histogram that is exact to 1%. Values a "
  + "second are of each second; points of long runs cover several. CPU a request is the process's whole CPU time in the run "
  + "by its answers. Memory is resident memory.";

const listed = new Intl.ListFormat("en-GB");

/** `details`: what `/runs/ID` answered, one each. `width`: pixels for a chart. `level`: 1 or 2, of the heading. */
export function report(details, { width, level = 2 }) {
  const runs = details.map((detail) => detail.run);
  const slots = slotsFor(runs.map((run) => run.engine));
  const found = warnings(runs);
  return h("article", { class: "report" },
    h("header", {},
      h(`h${level}`, {}, titleOf(runs)),
      h("ul", { class: "verdicts" }, ...runs.map((run, i) => h("li", {},
        h("span", { class: "run-name" }, mark(slots[i]), ` ${run.engine}, ${nameOf(run)}`),
        h("span", { class: "when" }, `${moment(run.start)}, ${duration(run.seconds)}`),
        h("span", { class: "verdict" }, verdict(run)))))),
    found.length ? h("ul", { class: "warnings" }, ...found.map(({ level: grave, text }) =>
      h("li", { class: grave }, h("span", { "aria-hidden": "true" }, grave === "bad" ? "▲ " : "◆ "), text))) : null,
    h("div", { class: "courses" }, ...CHARTS.map((chart) => figure(chart, details, slots, width)).filter(Boolean)),
    figures(runs, slots),
    h("p", { class: "method" }, METHOD));
}

function titleOf(runs) {
  const engines = runs.map((run) => run.engine);
  if (runs.length === 1) return `${nameOf(runs[0])}: ${engines[0]}`;
  const distinct = new Set(engines).size === runs.length;
  return listed.format(distinct ? engines : runs.map((run) => `${run.engine} (${nameOf(run)})`));
}

function figure({ field, title, unit, show, onlyIfSome }, details, slots, width) {
  const lines = details.map((detail, i) => ({ slot: slots[i], points: points(detail, field) }));
  const values = lines.map(({ points: all }) => all.map(([, value]) => value).filter((value) => value !== null));
  if (values.every((all) => !all.length) || (onlyIfSome && values.every((all) => all.every((value) => value === 0)))) return null;
  const shown = details.map(({ run }, i) => (values[i].length ? `${run.engine} at most ${show(Math.max(...values[i]))}` : `${run.engine} no data`));
  const seconds = Math.max(...details.map(({ run }) => run.seconds));
  return h("figure", { "data-field": field },
    h("figcaption", {}, h("strong", {}, title), unit ? ` ${unit}` : ""),
    course({ width, height: Math.round(Math.min(260, Math.max(150, width * 0.36))), lines, seconds, label: `${title}: ${shown.join(", ")}` }));
}

/** A field's course as `[seconds since the start, value]`. */
function points({ run, fields, rows }, field) {
  const at = 1 + fields.indexOf(field);
  return at === 0 ? [] : rows.map((row) => [row[0] - run.start, row[at]]);
}

function figures(runs, slots) {
  const pair = runs.length === 2;
  const columns = runs.length + (pair ? 2 : 1);
  const body = table(runs).map(([group, rows]) => h("tbody", {},
    h("tr", { class: "part" }, h("th", { scope: "rowgroup", colspan: columns }, group)),
    ...rows.map(({ label, texts, difference }) => h("tr", {},
      h("th", { scope: "row" }, label), ...texts.map((text) => h("td", {}, text)), pair ? h("td", { class: "difference" }, difference) : null))));
  return h("table", { class: "figures" },
    h("thead", {}, h("tr", {}, h("td", {}),
      ...runs.map((run, i) => h("th", { scope: "col" }, mark(slots[i]), ` ${run.engine}`, h("span", { class: "sub" }, nameOf(run)))),
      pair ? h("th", { scope: "col" }, "Second against first") : null)),
    ...body);
}
