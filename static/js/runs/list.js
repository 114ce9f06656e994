// The table of all runs: choose some to see or compare, or delete one.

import { h } from "../dom.js";
import { count, duration, latency, mebibytes, micros, percent, rate } from "../format.js";
import { slotsFor } from "../looks.js";
import { mark } from "./course.js";
import { keyOf } from "./engines.js";
import { failedShare, moment, nameOf } from "./figures.js";

/** Runs on several engines that began this close together (s) belong to one test. */
const TOGETHER = 5;
/** Runs in one report. */
export const MOST = 3;

const COLUMNS = [
  ["Length", "", (run) => duration(run.seconds)],
  ["Successful a second", "", (run) => rate(run.results.successful_per_sec.mean)],
  ["p50", "wide", (run) => latency(run.results.latency_ms.p50)],
  ["p99", "", (run) => latency(run.results.latency_ms.p99)],
  ["Failed", "", (run) => percent(failedShare(run) * 100)],
  ["Connections, peak", "wide", (run) => count(run.results.peak_connections)],
  ["Memory, peak", "wide", (run) => mebibytes(run.results.memory_mb.peak)],
  ["CPU a request", "wide", (run) => micros(run.results.cpu_us_per_request)],
];

/** For each run the runs of other engines that began with it, itself included. */
export function together(runs) {
  return new Map(runs.map((run) => [run, runs.filter((other) =>
    Math.abs(other.start - run.start) <= TOGETHER && (other === run || other.engine !== run.engine))]));
}

/** `on`: `toggle(key)`, `compare(keys)`, `remove(run)`. */
export function list(runs, chosen, on) {
  const groups = together(runs);
  const offered = new Set();
  const rows = runs.map((run) => {
    const key = keyOf(run);
    const group = groups.get(run);
    const isFirst = group.length > 1 && !group.some((other) => offered.has(keyOf(other)));
    if (isFirst) for (const other of group) offered.add(keyOf(other));
    const title = `${nameOf(run)} on ${run.engine}, ${moment(run.start)}`;
    const failed = failedShare(run) >= 0.01;
    return h("tr", { "data-run": key, class: chosen.includes(key) ? "chosen" : null },
      h("td", { class: "choice" }, h("input", { type: "checkbox", "aria-label": `Show ${title}`, checked: chosen.includes(key),
        disabled: !chosen.includes(key) && chosen.length >= MOST, onchange: () => on.toggle(key) })),
      h("th", { scope: "row" },
        h("span", { class: "run-name" }, nameOf(run)),
        h("span", { class: "when" }, mark(slotsFor([run.engine])[0]), ` ${run.engine}, ${moment(run.start)}`)),
      ...COLUMNS.map(([name, kind, show]) => h("td", { class: [kind, name === "Failed" && failed ? "bad" : ""].join(" ").trim() || null, "data-label": name }, show(run))),
      h("td", { class: "acts" },
        isFirst ? h("button", { type: "button", class: "quiet", onclick: () => on.compare(group.slice(0, MOST).map(keyOf)) }, `Compare ${Math.min(group.length, MOST)}`) : null,
        h("button", { type: "button", class: "quiet", "aria-label": `Delete ${title}`, onclick: () => on.remove(run) }, "Delete")));
  });
  return h("table", { class: "runs-table" },
    h("thead", {}, h("tr", {}, h("td", {}), h("th", { scope: "col" }, "Run"),
      ...COLUMNS.map(([name, kind]) => h("th", { scope: "col", class: kind || null }, name)), h("td", {}))),
    h("tbody", {}, ...rows));
}
