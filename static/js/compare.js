// The compare pages: two or three engines side by side, on one scale, with who is ahead.

import { Ahead } from "./ahead.js";
import { boardAlerts, connectionAlert, engineAlerts } from "./alerts.js";
import { Board } from "./board.js";
import { Chart } from "./chart.js";
import { h, mark, put } from "./dom.js";
import { EngineCard } from "./enginecard.js";
import { compact, count, bytes, latency, load, mebibytes, micros, rate, work } from "./format.js";
import { Notices } from "./notices.js";
import { Page } from "./page.js";

const WANTED = location.pathname.startsWith("/compare3") ? ["worker-pool", "may", "hyper"] : ["worker-pool", "may"];

const CHARTS = [
  { id: "throughput", key: "requests_per_sec", title: "Throughput", unit: "requests per second", show: rate, tick: compact, floor: 10 },
  { id: "p50", key: "p50", title: "Latency p50", unit: "ms", show: latency, tick: compact, floor: 1, canLog: true },
  { id: "p99", key: "p99", title: "Latency p99", unit: "ms", show: latency, tick: compact, floor: 1, canLog: true },
  { id: "connections", key: "active", title: "Connections", unit: "open", show: count, tick: compact, floor: 10, whole: true },
  { id: "cpu", key: "cpu", title: "CPU", unit: "100% = one core", show: load, tick: compact, floor: 100 },
  { id: "cpu_per_request", key: "cpu_micros_per_request", title: "CPU per request", unit: "µs", show: micros, tick: compact, floor: 10 },
  { id: "memory", key: "memory_mb", title: "Memory", unit: "MiB resident", show: mebibytes, tick: compact, floor: 10 },
  { id: "per_connection", key: "bytes_per_connection", title: "Memory per connection", unit: "bytes each", show: bytes, tick: compact, floor: 1024 },
];

function makeChart({ key, ...spec }, page) {
  const series = page.fleet.engines.map((engine) => ({
    key, label: () => engine.name, store: () => engine.shown.store, slot: () => engine.slot,
  }));
  return new Chart({ ...spec, series }, page);
}

/** One sentence on what the engines do for each request, a warning when it is not the same. */
function workNote(engines) {
  const heard = engines.filter((e) => e.shown.sample);
  if (!heard.length) return { text: "Waiting for the first sample", different: false };
  const groups = new Map();
  for (const engine of heard) {
    const does = engine.shown.sample.work;
    groups.set(does, [...(groups.get(does) ?? []), engine.name]);
  }
  if (groups.size === 1) {
    const [[does]] = groups;
    return { text: heard.length > 1 ? `Same work: each engine ${work(does)} per request.` : `${heard[0].name} ${work(does)} per request.`, different: false };
  }
  const parts = [...groups].map(([does, names]) => `${names.join(" and ")} ${work(does, names.length > 1)}`);
  return { text: `Different work per request: ${parts.join("; ")}. Throughput, latency and CPU are compared only where the work is the same.`, different: true };
}

function build(page) {
  const { engines } = page.fleet;
  const notices = new Notices(page.announcer);
  const cards = engines.map((engine) => new EngineCard(engine));
  const note = h("p", { class: "work-note" }, " ");
  const ahead = new Ahead(engines);
  const board = new Board();
  const charts = CHARTS.map((spec) => makeChart(spec, page));

  function draw() {
    const { start, end, paused } = page.view;
    const high = Math.max(10, ...cards.map((card) => card.peak(start, end)));
    for (const card of cards) card.draw(start, end, high, paused);
    const { text, different } = workNote(engines);
    put(note, text);
    mark(note, "data-different", different ? "yes" : null);
    ahead.draw(start, end, page.view.window);
    const live = engines.find((e) => e.state === "live" && e.latest) ?? engines.find((e) => e.latest);
    board.draw(live?.shown.sample);
    mark(page.main, "data-state", engines.map((e) => e.state).join());
    notices.draw([...page.alerts(), ...alerts(engines)], live ? "All is well" : "Waiting for the first sample");
    const down = engines.filter((e) => e.state === "down");
    document.title = `${down.length ? `${down.length} down: ` : ""}${engines.map((e) => e.name).join(", ")} · fastgo`;
  }

  return {
    charts,
    draw,
    elements: [
      h("h1", { class: "visually-hidden" }, "Engines side by side"),
      notices.element,
      h("section", { class: "engines", "aria-label": "Engines now", "data-count": engines.length }, ...cards.map((c) => c.element)),
      note,
      h("div", { class: "layout versus" }, ahead.element, h("div", { class: "charts" }, ...charts.map((c) => c.element)), board.element),
    ],
  };
}

/** Each engine's own alerts under its name; a board's once for all engines on its host. */
function alerts(engines) {
  const found = [];
  const boards = new Set();
  const hosts = new Set(engines.map((e) => e.host));
  for (const engine of engines) {
    const add = (alert, prefix) => found.push({ ...alert, id: `${prefix}/${alert.id}`, text: prefix && !alert.text.startsWith(engine.name) ? `${prefix}: ${alert.text}` : alert.text });
    const broken = connectionAlert(engine.name, engine.state);
    if (broken) add(broken, engine.name);
    if (!engine.latest || engine.state === "down") continue;
    for (const alert of engineAlerts(engine.latest, engine.store)) add(alert, engine.name);
    if (boards.has(engine.host)) continue;
    boards.add(engine.host);
    for (const alert of boardAlerts(engine.latest, engine.store)) add(alert, hosts.size > 1 ? engine.host : "");
  }
  return found;
}

new Page({ wanted: WANTED, most: null, build }).open();
