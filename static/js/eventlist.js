// The list of what happened, newest first: entries stay after the problem is over.

import { h, mark, put, show } from "./dom.js";
import { clock, duration } from "./format.js";
import { describe } from "./incidents.js";

/** Rows shown until all are asked for, and at most. */
const FEW = 5;
const MOST = 50;
const ICONS = { bad: "▲", warn: "◆", info: "●" };
/** Silences of several engines that begin within this many ms are one. */
const TOGETHER = 4000;

export class EventList {
  #all = false;

  constructor() {
    this.rows = [];
    this.list = h("ol", { class: "event-rows" });
    this.empty = h("p", { class: "none" });
    this.more = h("button", { type: "button", class: "quiet", "aria-expanded": "false", onclick: () => this.toggle() });
    this.element = h("section", { class: "card events", "aria-labelledby": "events-title" },
      h("header", {}, h("h2", { id: "events-title" }, "Events"), h("div", { class: "tools" }, this.more)), this.list, this.empty);
  }

  /** Shows `incidents` (oldest first) of what has been watched since `since` (ms, Infinity before the first sample). */
  draw(incidents, since, now) {
    this.last = [incidents, since, now];
    const merged = joined(incidents).reverse();
    const shown = merged.slice(0, this.#all ? MOST : FEW);
    show(this.empty, !merged.length);
    put(this.empty, Number.isFinite(since) ? `None since ${clock(since)}` : "No data yet");
    show(this.more, merged.length > FEW);
    put(this.more, this.#all ? "Fewer" : `All ${Math.min(MOST, merged.length)}`);
    mark(this.more, "aria-expanded", this.#all);
    while (this.rows.length < shown.length) this.rows.push(this.#row());
    this.rows.forEach((row, i) => {
      show(row.element, i < shown.length);
      if (i < shown.length) fill(row, shown[i], now);
    });
  }

  #row() {
    const row = { icon: h("span", { class: "icon", "aria-hidden": "true" }), time: h("time", {}), text: h("span", { class: "what" }) };
    row.element = h("li", {}, row.icon, row.time, row.text);
    this.list.append(row.element);
    return row;
  }

  toggle() {
    this.#all = !this.#all;
    this.draw(...this.last);
  }
}

function fill(row, incident, now) {
  const { from, to, level, kind, hint } = incident;
  const lasted = (to ?? now) - from;
  put(row.icon, ICONS[level]);
  mark(row.element, "class", level);
  mark(row.element, "data-kind", kind);
  mark(row.element, "data-open", to === null ? "yes" : null);
  mark(row.time, "datetime", new Date(from).toISOString());
  put(row.time, clock(from));
  const span = kind !== "silent" && kind !== "frozen" && lasted >= 2000 ? ` (${to === null ? "for " : ""}${duration(lasted / 1000)})` : "";
  put(row.text, `${incident.text ?? describe(incident, now)}${span}${hint ? `. ${hint}` : ""}`);
}

/** Silences of all engines of a host at one time are one event: the host could not be reached. */
function joined(incidents) {
  const out = [];
  for (const incident of incidents) {
    const same = incident.kind === "silent" && incident.outcome !== "restarted"
      ? out.find((other) => other.kind === "silent" && other.host === incident.host && other.engines && other.outcome === incident.outcome && Math.abs(other.from - incident.from) < TOGETHER)
      : null;
    if (same) {
      same.engines.push(incident.engine);
      same.to = same.to === null || incident.to === null ? null : Math.max(same.to, incident.to);
      same.text = hostText(same);
    } else {
      const { kind, level, engine, host, from, to, sums, outcome } = incident;
      const hint = kind === "silent" && to === null ? `On the board: journalctl -u fastgo@${engine.latest?.server_type ?? engine.type ?? engine.name} -n 20` : null;
      out.push({ kind, level, engine, host, from, to, sums, outcome, hint, engines: kind === "silent" ? [engine] : null });
    }
  }
  return out;
}

function hostText(silence) {
  const { host, engines, from, to, outcome } = silence;
  silence.hint = null;
  const names = `${host} (${engines.map((engine) => engine.name).join(", ")})`;
  if (to === null) return `No connection to ${names}`;
  const lasted = duration((to - from) / 1000);
  return outcome === "unreachable" ? `Connection to ${names} lost for ${lasted}; the engines kept running` : `${names} did not answer for ${lasted}`;
}
