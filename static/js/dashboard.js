// The dashboard: one engine's headline numbers, charts, board and settings.

import { LATENCY, NO_REQUESTS } from "./about.js";
import { calmText, engineAlerts } from "./alerts.js";
import { Board } from "./board.js";
import { boardAlerts } from "./boardalerts.js";
import { boardAt } from "./boards.js";
import { Chart } from "./chart.js";
import { crashCount } from "./crashes.js";
import { h, mark, put, show } from "./dom.js";
import { EventList } from "./eventlist.js";
import { bytes, celsius, clock, compact, count, duration, latency, load, mebibytes, rate, traffic } from "./format.js";
import { Notices } from "./notices.js";
import { Page } from "./page.js";
import { originAt, peersOf } from "./peers.js";
import { Settings } from "./settings.js";
import { StartLoad, hasRequests, showLoaded } from "./startload.js";
import { Status } from "./status.js";
import { StorePanel, storeAlerts } from "./storepanel.js";
import { marker } from "./swatch.js";
import { Tiles } from "./tiles.js";
import { titleOf } from "./where.js";
import { describeWork } from "./workload.js";

const queued = (s) => s.queue?.capacity > 0;
const perSecond = (value) => `${traffic(value)}/s`;
const sensed = (s) => s.pi?.temperature_c !== null && s.pi?.temperature_c !== undefined;

/** The charts; `lines` are `[label, key, looks]`, `when` is whether the engine or board has it at all. */
const charts = (engine) => [
  {
    id: "throughput", title: "Requests", unit: "per second", show: rate, tick: compact, floor: 10, none: NO_REQUESTS,
    lines: [["Successful", "successes_per_sec", { fill: 0.1 }], ["Failed", "errors_per_sec", { failures: true, fill: 0.25, marked: false }]],
  },
  {
    id: "latency", title: "Latency", unit: "ms, inside the server", show: latency, tick: compact, floor: 1, canLog: true, none: NO_REQUESTS, about: LATENCY,
    lines: [
      ["p50", "p50", { width: 1.75 }],
      ["p95", "p95", { dash: [7, 3], faint: 0.8, marked: false }],
      ["p99", "p99", { dash: [2, 2.5], faint: 0.8, marked: false }],
      ["max", "max", { neutral: true, width: 1, faint: 0.7, marked: false }],
    ],
  },
  {
    id: "connections", title: "Connections", unit: "open, without dashboards", show: count, tick: compact, floor: 10, whole: true,
    lines: [["Clients", "clients", { fill: 0.1 }], ["Idle", "idle", { dash: [7, 3], faint: 0.8, marked: false }], ["In flight", "in_flight", { neutral: true, dash: [2, 2.5], marked: false }]],
  },
  {
    id: "memory", title: "Memory", unit: "MiB", show: mebibytes, tick: compact, floor: 10,
    lines: [["Resident", "memory_mb", { fill: 0.1 }], ["Per connection", "bytes_per_connection", { textual: true, show: bytes }]],
  },
  {
    id: "cpu", title: "CPU of this engine", unit: "100% = one core", show: load, tick: compact, floor: 10,
    lines: [["This engine", "cpu", { fill: 0.1 }]],
  },
  {
    id: "board_cpu", title: "CPU of the board", unit: "100% = one core; the line is all of it", show: load, tick: compact, floor: 100, when: (s) => s.pi?.cores_percent?.length > 0,
    limit: () => 100 * (engine.latest?.pi?.cores_percent?.length ?? NaN),
    lines: [["Whole board", "board_cpu", { neutral: true }]],
  },
  {
    id: "traffic", title: "Traffic", unit: "bytes per second", show: perSecond, tick: compact, floor: 1000,
    lines: [["Written", "bytes_written", { fill: 0.1 }], ["Read", "bytes_read", { neutral: true, dash: [3, 3] }]],
  },
  {
    id: "queue", title: "Queue", unit: "requests waiting", show: count, tick: compact, floor: 10, whole: true, when: queued,
    lines: [["Waiting", "queue_depth", { fill: 0.1 }], ["Rejected", "refused_by_queue", { failures: true, marked: false }], ["Busy workers", "busy_workers", { textual: true }]],
  },
  {
    id: "temperature", title: "Temperature", unit: "°C", show: celsius, tick: compact, low: 20, floor: 60, when: sensed,
    limit: () => engine.latest?.pi?.temperature_limit_c ?? NaN,
    lines: [["System on chip", "temperature_c", { neutral: true }], ["Clock", "frequency_mhz", { textual: true, show: (mhz) => `${count(mhz)} MHz` }]],
  },
];

function makeChart(engine, { lines, when, ...spec }, page) {
  const series = lines.map(([label, key, { neutral, failures, ...looks }]) => ({
    ...looks, key, label: () => label, toggle: () => `${spec.id}.${key}`, store: () => engine.shown.store,
    slot: () => (failures ? "bad" : neutral ? null : engine.slot),
  }));
  const chart = new Chart({ ...spec, series, bands: (start, end) => page.bands(start, end, engine) }, page);
  chart.when = when;
  show(chart.element, !when);
  return chart;
}

/** What stands in the line under the engine's name; `asOf` (ms) when it is not of now. */
function facts(sample, asOf) {
  return [
    describeWork(sample.work),
    `${sample.num_cpu} cores`,
    `version ${sample.version}`,
    `up ${duration(sample.uptime_seconds)}`,
    crashCount(sample.crashes),
    asOf === null ? null : `as of ${clock(asOf)}`,
  ].filter(Boolean);
}

function list(element, texts) {
  while (element.children.length < texts.length) element.append(h("li"));
  while (element.children.length > texts.length) element.lastChild.remove();
  texts.forEach((text, i) => put(element.children[i], text));
}

/** Links to the other engines' dashboards: peers of this one, or those given in the address. */
class Switcher {
  #key = "";

  constructor() {
    this.element = h("nav", { class: "switcher", "aria-label": "Engines" });
  }

  draw(sample, engine) {
    const base = new URL(engine.origin);
    const peers = peersOf(sample?.peers, sample?.server_type, base);
    const key = JSON.stringify([peers, sample?.server_type]);
    if (key === this.#key) return;
    this.#key = key;
    this.element.replaceChildren(...peers.map(({ server_type: type, port }) =>
      h("a", { href: `${originAt(base, port)}/dashboard${location.search}`, "aria-current": type === sample?.server_type ? "page" : null }, type)));
  }
}

function build(page) {
  const [engine] = page.fleet.engines;
  const notices = new Notices(page.announcer);
  const tiles = new Tiles();
  const start = new StartLoad(page.announcer);
  const startCard = h("section", { class: "card", "aria-label": "Start a load", hidden: true }, start.element);
  const registrations = new StorePanel([engine]);
  const board = new Board();
  const settings = new Settings();
  const events = new EventList();
  const status = new Status();
  const switcher = new Switcher();
  const name = h("span", { class: "engine-name" });
  const shape = h("span", { class: "shape" });
  const line = h("ul", { class: "facts" });
  const all = charts(engine).map((spec) => makeChart(engine, spec, page));
  let slot;

  function draw() {
    const { sample } = engine.shown;
    const { paused } = page.view;
    const fresh = paused || engine.state === "live";
    const asOf = sample && !fresh ? engine.lastSampleAt : null;
    put(name, engine.name);
    if (slot !== engine.slot) shape.replaceChildren(marker((slot = engine.slot)));
    status.draw(engine, paused);
    switcher.draw(sample, engine);
    if (sample) list(line, facts(sample, asOf));
    mark(page.main, "data-stale", asOf === null ? null : "yes");
    tiles.draw(engine.shown, fresh);
    const busy = hasRequests([engine], page.view);
    show(startCard, Boolean(sample) && !busy);
    showLoaded(all, busy);
    start.draw([engine]);
    registrations.draw();
    board.draw(boardAt([engine], Date.now()));
    settings.draw(sample);
    events.draw(page.fleet.incidents.list, engine.store.firstTime, Date.now());
    for (const chart of all) if (chart.when && sample) show(chart.element, chart.when(sample));
    mark(page.main, "data-state", engine.state);
    const live = engine.latest && engine.state === "live";
    notices.draw([...page.alerts(), ...(live ? [...engineAlerts(engine.latest, engine.store), ...storeAlerts(engine.latest), ...boardAlerts(engine.latest, engine.store)] : [])], calmText(live ? [engine] : []));
    document.title = titleOf([engine], engine.name);
  }

  return {
    charts: all,
    draw,
    elements: [
      h("div", { class: "identity" }, h("h1", {}, shape, name), status.element, line, switcher.element),
      notices.element,
      tiles.element,
      startCard,
      h("div", { class: "layout" }, h("div", { class: "side" }, registrations.element, board.element, events.element), h("div", { class: "charts" }, ...all.map((c) => c.element)), settings.element),
    ],
  };
}

new Page({ wanted: null, most: 1, build }).open();
