// The dashboard: one engine's headline numbers, charts, board and settings.

import { boardAlerts, connectionAlert, engineAlerts } from "./alerts.js";
import { Board } from "./board.js";
import { Chart, marker } from "./chart.js";
import { h, mark, put, show } from "./dom.js";
import { bytes, celsius, compact, count, duration, latency, load, mebibytes, rate, traffic, work } from "./format.js";
import { Notices } from "./notices.js";
import { Page } from "./page.js";
import { DEFAULT_PEERS, originAt } from "./peers.js";
import { Settings } from "./settings.js";
import { Status } from "./status.js";
import { Tiles } from "./tiles.js";

const queued = (s) => s.queue?.capacity > 0;
const perSecond = (value) => `${traffic(value)}/s`;

/** The charts; `lines` are `[label, key, looks]`, `when` tells whether the engine or board has it at all. */
const charts = (engine) => [
  {
    id: "throughput", title: "Throughput", unit: "per second", show: rate, tick: compact, floor: 10,
    lines: [["Requests", "requests_per_sec", { fill: 0.1 }], ["Errors", "errors", { neutral: true, dash: [3, 3] }]],
  },
  {
    id: "latency", title: "Latency", unit: "ms", show: latency, tick: compact, floor: 1, canLog: true,
    lines: [
      ["p50", "p50", { width: 1.75 }],
      ["p95", "p95", { dash: [7, 3], faint: 0.8, marked: false }],
      ["p99", "p99", { dash: [2, 2.5], faint: 0.8, marked: false }],
      ["max", "max", { neutral: true, width: 1, faint: 0.7, marked: false }],
    ],
  },
  {
    id: "connections", title: "Connections", show: count, tick: compact, floor: 10, whole: true,
    lines: [["Open", "active", { fill: 0.1 }], ["Idle", "idle", { dash: [7, 3], faint: 0.8, marked: false }], ["In flight", "in_flight", { neutral: true, dash: [2, 2.5], marked: false }]],
  },
  {
    id: "memory", title: "Memory", unit: "MiB", show: mebibytes, tick: compact, floor: 10,
    lines: [["Resident", "memory_mb", { fill: 0.1 }], ["Per connection", "bytes_per_connection", { textual: true, show: bytes }]],
  },
  {
    id: "cpu", title: "CPU", unit: "100% = one core", show: load, tick: compact, floor: 100,
    lines: [["This engine", "cpu", { fill: 0.1 }], ["Whole board", "board_cpu", { neutral: true, dash: [3, 3] }]],
  },
  {
    id: "traffic", title: "Traffic", unit: "bytes per second", show: perSecond, tick: compact, floor: 1000,
    lines: [["Written", "bytes_written", { fill: 0.1 }], ["Read", "bytes_read", { neutral: true, dash: [3, 3] }]],
  },
  {
    id: "queue", title: "Queue", unit: "jobs waiting", show: count, tick: compact, floor: 10, whole: true, when: queued,
    lines: [["Waiting", "queue_depth", { fill: 0.1 }], ["Refused", "refused_by_queue", { neutral: true, dash: [3, 3] }], ["Busy workers", "busy_workers", { textual: true }]],
  },
  {
    id: "temperature", title: "Temperature", unit: "°C", show: celsius, tick: compact, low: 20, floor: 60,
    when: (s) => s.pi?.temperature_c !== null && s.pi?.temperature_c !== undefined,
    limit: () => engine.latest?.pi?.temperature_limit_c ?? NaN,
    lines: [["System on chip", "temperature_c", { neutral: true }], ["Clock", "frequency_mhz", { textual: true, show: (mhz) => `${count(mhz)} MHz` }]],
  },
];

function makeChart(engine, { lines, when, ...spec }, page) {
  const series = lines.map(([label, key, { neutral, ...looks }]) => ({
    ...looks, key, label: () => label, store: () => engine.shown.store, slot: () => (neutral ? null : engine.slot),
  }));
  const chart = new Chart({ ...spec, series }, page);
  chart.when = when;
  show(chart.element, !when);
  return chart;
}

/** What stands in the line under the engine's name. */
function facts(sample) {
  return [
    `${work(sample.work)} per request`,
    sample.pi?.model,
    `${sample.num_cpu} cores`,
    `version ${sample.version}`,
    `up ${duration(sample.uptime_seconds)}`,
  ].filter(Boolean);
}

function tell(list, texts) {
  while (list.children.length < texts.length) list.append(h("li"));
  texts.forEach((text, i) => put(list.children[i], text));
}

/** Links to the other engines' dashboards: peers of this one, or those given in the address. */
class Switcher {
  #key = "";

  constructor() {
    this.element = h("nav", { class: "switcher", "aria-label": "Engines" });
  }

  draw(sample, engine) {
    const peers = sample?.peers ?? DEFAULT_PEERS;
    const key = JSON.stringify([peers, sample?.server_type]);
    if (key === this.#key) return;
    this.#key = key;
    const base = new URL(engine.origin);
    this.element.replaceChildren(...peers.map(({ server_type: type, port }) =>
      h("a", { href: `${originAt(base, port)}/dashboard${location.search}`, "aria-current": type === sample?.server_type ? "page" : null }, type)));
  }
}

function build(page) {
  const [engine] = page.fleet.engines;
  const notices = new Notices(page.announcer);
  const tiles = new Tiles();
  const board = new Board();
  const settings = new Settings();
  const status = new Status();
  const switcher = new Switcher();
  const name = h("span", { class: "engine-name" });
  const shape = h("span", { class: "shape" });
  const line = h("ul", { class: "facts" });
  const all = charts(engine).map((spec) => makeChart(engine, spec, page));
  let slot;

  function draw() {
    const { sample } = engine.shown;
    put(name, engine.name);
    if (slot !== engine.slot) shape.replaceChildren(marker((slot = engine.slot)));
    status.draw(engine);
    switcher.draw(sample, engine);
    if (sample) tell(line, facts(sample));
    const fresh = page.view.paused || engine.state === "live";
    tiles.draw(engine.shown, fresh);
    board.draw(sample);
    settings.draw(sample);
    for (const chart of all) if (chart.when && sample) show(chart.element, chart.when(sample));
    mark(page.main, "data-state", engine.state);
    notices.draw([...page.alerts(), ...alerts(engine)], engine.latest ? "All is well" : "Waiting for the first sample");
    document.title = `${engine.state === "down" ? "Down: " : ""}${engine.name} · fastgo`;
  }

  return {
    charts: all,
    draw,
    elements: [
      h("div", { class: "identity" }, h("h1", {}, shape, name), status.element, line, switcher.element),
      notices.element,
      tiles.element,
      h("div", { class: "layout" }, h("div", { class: "charts" }, ...all.map((c) => c.element), settings.element), board.element),
    ],
  };
}

function alerts(engine) {
  const broken = connectionAlert(engine.name, engine.state);
  if (broken?.id === "down" || !engine.latest) return broken ? [broken] : [];
  return [...(broken ? [broken] : []), ...engineAlerts(engine.latest, engine.store), ...boardAlerts(engine.latest, engine.store)];
}

new Page({ wanted: null, most: 1, build }).open();
