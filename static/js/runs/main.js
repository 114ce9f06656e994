// The runs page: start and stop a run, the list over all engines, and the report of the chosen ones.

import { h, put, show } from "../dom.js";
import { download } from "../export.js";
import { count, duration, rate } from "../format.js";
import { SYSTEM_DARK, applyTheme } from "../palette.js";
import { StartLoad } from "../startload.js";
import { titleOf } from "../where.js";
import { Bar } from "./bar.js";
import { Engines, keyOf } from "./engines.js";
import { nameOf } from "./figures.js";
import { MOST, list } from "./list.js";
import { report } from "./report.js";
import { fileName, standalone } from "./standalone.js";

/** Time (ms) between two looks while a run is going on, and otherwise. */
const OFTEN = 2000;
const SELDOM = 10_000;
/** Narrowest and widest drawing of a chart, px; in more room it is scaled up, text and all, for a wall is read from afar. */
const NARROW = 280;
const WIDE = 480;
/** Width (px) of the report from which on its charts stand side by side. */
const SIDE_BY_SIDE = 760;

class Page {
  engines = new Engines();
  chosen = [];
  details = [];
  #shown = "";
  #timer = 0;
  #reported = "";

  async open() {
    applyTheme();
    this.chosen = (new URLSearchParams(location.search).get("runs") ?? "").split(",").filter(Boolean).slice(0, MOST);
    this.build();
    SYSTEM_DARK.addEventListener("change", applyTheme);
    // Paper is white.
    addEventListener("beforeprint", () => {
      document.documentElement.dataset.theme = "light";
    });
    addEventListener("afterprint", applyTheme);
    addEventListener("resize", () => this.drawReport());
    document.addEventListener("visibilitychange", () => this.look());
    await this.engines.find();
    this.bar.where.draw([this.engines.own]);
    document.title = titleOf([this.engines.own], "Runs");
    await this.choose(this.chosen);
    await this.look();
  }

  build() {
    this.name = h("input", { id: "run-name", name: "name", maxlength: "80", autocomplete: "off", placeholder: "for example: 200 phones, cold board" });
    this.startButton = h("button", { type: "submit", class: "button primary" }, "Start a run");
    this.stopButton = h("button", { type: "button", class: "button", disabled: true, onclick: () => this.order({ action: "stop" }) }, "Stop");
    this.states = h("ul", { class: "states" });
    this.message = h("p", { class: "message", role: "status" });
    this.startLoad = new StartLoad({ say: (text) => put(this.message, text) }, "No runs yet");
    this.listHost = h("div", { class: "runs-host" });
    this.tools = h("div", { class: "report-tools", hidden: true },
      h("button", { type: "button", class: "button save", onclick: () => this.save() }, "Save as an HTML file"),
      h("button", { type: "button", class: "button", onclick: () => print() }, "Print"),
      h("button", { type: "button", class: "button", onclick: () => this.choose([]) }, "Close"));
    this.reportHost = h("section", { class: "report-host", "aria-label": "Report" });
    const form = h("form", { class: "start", onsubmit: (event) => {
      event.preventDefault();
      this.order({ action: "start", ...(this.name.value.trim() ? { name: this.name.value } : {}) });
    } }, h("label", { for: "run-name" }, "Name"), this.name, this.startButton, this.stopButton);
    this.main = h("main", { id: "main", class: "runs-page", tabindex: "-1" },
      h("h1", {}, "Runs"),
      h("section", { class: "card control", "aria-label": "Start and stop" },
        h("p", { class: "hint" }, "A run is recorded by itself while a load lasts. Start one here to give it a name and an exact beginning and end; then start the load."),
        form, this.states, this.message),
      this.tools, this.reportHost,
      h("section", { class: "card", "aria-label": "All runs" }, this.listHost));
    this.bar = new Bar(() => applyTheme());
    document.querySelector(".loading")?.remove();
    document.body.append(this.bar.element, this.main);
  }

  /** Asks the engines now, and again when it is time. */
  async look() {
    clearTimeout(this.#timer);
    if (document.hidden) return;
    await this.engines.refresh();
    this.draw();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.look(), this.engines.active.length ? OFTEN : SELDOM);
  }

  draw() {
    const { active, all, runs } = this.engines;
    this.stopButton.disabled = !active.length;
    put(this.startButton, active.length ? "Start the next run" : "Start a run");
    this.states.replaceChildren(...all.map((engine) => h("li", { "data-engine": engine.type }, `${engine.type}: ${stateOf(engine)}`)));
    // Rebuilding what has not changed would take the focus away.
    const text = JSON.stringify([runs.map(keyOf), this.chosen, all.map(({ reachable }) => reachable), active.length > 0]);
    if (text !== this.#shown) {
      this.#shown = text;
      const focused = document.activeElement?.closest("tr")?.dataset.run;
      this.listHost.replaceChildren(runs.length ? list(runs, this.chosen, {
        toggle: (key) => this.choose(this.chosen.includes(key) ? this.chosen.filter((one) => one !== key) : [...this.chosen, key]),
        compare: (keys) => this.choose(keys),
        remove: (run) => this.remove(run),
      }) : this.empty(all));
      if (focused) this.listHost.querySelector(`tr[data-run="${CSS.escape(focused)}"] input`)?.focus();
    }
  }

  /** What to do when there is nothing yet. */
  empty(all) {
    if (all.length && all.every(({ reachable }) => reachable === false)) return h("p", {}, "No engine answers.");
    if (this.engines.active.length) return h("p", {}, "A run appears here when it has ended.");
    this.startLoad.draw(all);
    return h("div", { class: "empty" }, this.startLoad.element, h("p", { class: "hint" }, "A load of at least 5 requests a second for 3 seconds becomes a run."));
  }

  async order(order) {
    this.startButton.disabled = true;
    try {
      await this.engines.order(order);
      put(this.message, order.action === "start" ? "Started: begin the load now." : "Stopped.");
    } catch (error) {
      put(this.message, `Not done everywhere: ${error.message}`);
    }
    this.startButton.disabled = false;
    // A run ends with the second that is going on.
    setTimeout(() => this.look(), order.action === "stop" ? 1500 : 0);
  }

  async remove(run) {
    if (!confirm(`Delete “${nameOf(run)}” of ${run.engine} permanently?`)) return;
    try {
      await this.engines.remove(run);
      if (this.chosen.includes(keyOf(run))) await this.choose(this.chosen.filter((key) => key !== keyOf(run)));
    } catch (error) {
      put(this.message, `Not deleted: ${error.message}`);
    }
    await this.look();
  }

  /** Shows the report of these runs. */
  async choose(keys) {
    this.chosen = keys;
    const got = await Promise.allSettled(keys.map((key) => this.engines.details(key)));
    if (keys !== this.chosen) return;
    const missing = keys.filter((_, i) => got[i].status === "rejected");
    if (missing.length) put(this.message, `Not found: ${missing.join(", ")}`);
    this.chosen = keys.filter((_, i) => got[i].status === "fulfilled");
    this.details = got.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
    const query = new URLSearchParams(location.search);
    if (this.chosen.length) query.set("runs", this.chosen.join(","));
    else query.delete("runs");
    const text = String(query).replaceAll("%3A", ":").replaceAll("%2C", ",");
    history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
    this.draw();
    this.drawReport();
  }

  drawReport() {
    show(this.tools, this.details.length > 0);
    const room = this.main.clientWidth;
    const width = room >= SIDE_BY_SIDE ? WIDE : Math.max(NARROW, room - 60);
    const state = `${this.chosen.join()} ${width}`;
    if (state === this.#reported) return;
    this.#reported = state;
    this.reportHost.replaceChildren(...(this.details.length ? [report(this.details, { width })] : []));
    document.body.classList.toggle("has-report", this.details.length > 0);
  }

  async save() {
    try {
      download(fileName(this.details), "text/html", await standalone(this.details));
    } catch (error) {
      put(this.message, `Not saved: ${error.message}`);
    }
  }
}

function stateOf({ reachable, active }) {
  if (reachable === null) return "asking";
  if (!reachable) return "does not answer";
  if (!active) return "no run";
  if (active.state === "starting") return "starting";
  const { results } = active;
  const name = active.name ? `“${active.name}”` : "run";
  return `${name} for ${duration(active.seconds)}: ${count(results.requests)} requests, ${rate(results.successful_per_sec.mean)} successful a second`;
}


new Page().open();
