// The compare pages: two or three engines side by side, on one scale, and how they compare.

import { LATENCY, NO_FAILURES, NO_REQUESTS } from "./about.js";
import { calmText, engineAlerts } from "./alerts.js";
import { Board } from "./board.js";
import { boardAlerts } from "./boardalerts.js";
import { boardAt, byHost } from "./boards.js";
import { Chart } from "./chart.js";
import { Comparison } from "./comparison.js";
import { h, mark, put } from "./dom.js";
import { EngineCard } from "./enginecard.js";
import { EventList } from "./eventlist.js";
import { compact, count, latency, load, mebibytes, micros, rate } from "./format.js";
import { Notices } from "./notices.js";
import { Page } from "./page.js";
import { TYPES } from "./peers.js";
import { StartLoad, hasRequests, showLoaded } from "./startload.js";
import { StorePanel, storeAlerts } from "./storepanel.js";
import { titleOf } from "./where.js";
import { describeWork, workAmount } from "./workload.js";

const WANTED = location.pathname.startsWith("/compare3") ? TYPES : TYPES.slice(0, 2);

/** The comparison of more engines than this takes the page's whole width. */
const ROOM = 3;

const CHARTS = [
  { id: "throughput", key: "successes_per_sec", title: "Successful requests", unit: "per second", show: rate, tick: compact, floor: 10, none: NO_REQUESTS },
  { id: "failures", key: "errors_per_sec", title: "Failed requests", unit: "per second", show: rate, tick: compact, floor: 1, none: NO_FAILURES },
  { id: "p50", key: "p50", title: "Latency p50", unit: "ms, inside the server", show: latency, tick: compact, floor: 1, canLog: true, none: NO_REQUESTS, about: LATENCY },
  { id: "p99", key: "p99", title: "Latency p99", unit: "ms, inside the server", show: latency, tick: compact, floor: 1, canLog: true, none: NO_REQUESTS, about: LATENCY },
  { id: "connections", key: "clients", title: "Connections", unit: "open, without dashboards", show: count, tick: compact, floor: 10, whole: true, none: "No connections in this window" },
  { id: "cpu_per_request", key: "cpu_micros_per_request", title: "CPU per request", unit: "µs", show: micros, tick: compact, floor: 10, canLog: true, none: NO_REQUESTS },
  { id: "cpu", key: "cpu", title: "CPU", unit: "100% = one core", show: load, tick: compact, floor: 10 },
  { id: "memory", key: "memory_mb", title: "Memory", unit: "MiB resident", show: mebibytes, tick: compact, floor: 10 },
];

function makeChart({ key, ...spec }, page, several) {
  const series = page.fleet.engines.map((engine) => ({
    key, label: () => engine.name, toggle: () => engine.name, store: () => engine.shown.store, slot: () => engine.slot,
  }));
  // What happened to one of several boards says nothing about the others' lines.
  return new Chart({ ...spec, series, bands: (start, end) => page.bands(start, end).filter(({ engine }) => engine || !several) }, page);
}

const isLive = ({ latest, state }) => latest && state === "live";

/** One sentence on what the engines do for each request, a warning when it is not the same. */
function workNote(engines) {
  const reporting = engines.filter((e) => e.shown.sample);
  if (!reporting.length) return { text: "Waiting for the first sample", different: false };
  const kinds = [...new Set(reporting.map((engine) => engine.shown.sample.work))];
  if (kinds.length === 1) {
    const [kind] = kinds;
    if (reporting.length === 1) return { text: `${reporting[0].name}, ${describeWork(kind)} for each request.`, different: false };
    return { text: `All engines simulate the same work: ${workAmount(kind)} for each request.`, different: false };
  }
  const amounts = kinds.map(workAmount).join(", ");
  return { text: `The engines simulate different work (${amounts}), so speed cannot be compared. Set the same WORK for all.`, different: true };
}

function build(page) {
  const { engines } = page.fleet;
  const notices = new Notices(page.announcer);
  const cards = engines.map((engine) => new EngineCard(engine));
  const note = h("p", { class: "work-note" }, " ");
  const comparison = new Comparison(engines, new StartLoad(page.announcer));
  const registrations = new StorePanel(engines);
  const hosts = byHost(engines);
  const several = hosts.length > 1;
  const boards = hosts.map((here) => new Board(several ? here : null));
  const events = new EventList();
  const charts = CHARTS.map((spec) => makeChart(spec, page, several));

  function draw() {
    const { start, end, paused } = page.view;
    const high = Math.max(10, ...cards.map((card) => card.peak(start, end)));
    for (const card of cards) card.draw(start, end, high, paused);
    const { text, different } = workNote(engines);
    put(note, text);
    mark(note, "data-different", different ? "yes" : null);
    const busy = hasRequests(engines, page.view);
    comparison.draw(page.view, busy);
    showLoaded(charts, busy);
    registrations.draw();
    hosts.forEach((here, i) => boards[i].draw(boardAt(here, Date.now())));
    events.draw(page.fleet.incidents.list, Math.min(...engines.map((e) => e.store.firstTime)), Date.now());
    mark(page.main, "data-state", engines.map((e) => e.state).join());
    notices.draw([...page.alerts(), ...alerts(engines)], calmText(engines.filter(isLive)));
    document.title = titleOf(engines);
  }

  return {
    charts,
    draw,
    elements: [
      h("h1", { class: "visually-hidden" }, "Engines side by side"),
      notices.element,
      several ? onBoards(hosts, boards, cards) : cardsOf(engines, cards, "Engines now"),
      note,
      h("div", { class: engines.length > ROOM ? "layout versus many" : "layout versus" }, h("div", { class: "side" }, comparison.element, registrations.element, several ? null : boards[0].element, events.element), h("div", { class: "charts" }, ...charts.map((c) => c.element))),
    ],
  };
}

const cardsOf = (engines, cards, label) =>
  h("section", { class: "engines", "aria-label": label }, ...cards.filter(({ engine }) => engines.includes(engine)).map((card) => card.element));

/** Each board above its engines. */
function onBoards(hosts, boards, cards) {
  const element = h("div", { class: "boards" }, ...hosts.map((here, i) => h("div", { class: "on-board" }, boards[i].element, cardsOf(here, cards, `Engines of ${here[0].host}`))));
  element.style.setProperty("--each", hosts[0].length);
  return element;
}

/** Each live engine's own alerts under its name; a board's once for all engines on its host. */
function alerts(engines) {
  const found = [];
  const add = (alerts, prefix) => found.push(...alerts.map((alert) => ({ ...alert, id: `${prefix}/${alert.id}`, text: prefix ? `${prefix}: ${alert.text}` : alert.text })));
  const hosts = byHost(engines);
  for (const here of hosts.map((all) => all.filter(isLive)).filter(({ length }) => length)) {
    for (const { latest, store, name } of here) add([...engineAlerts(latest, store), ...storeAlerts(latest)], name);
    const [{ latest, store, host }] = here;
    add(boardAlerts(latest, store), hosts.length > 1 ? host : "");
  }
  return found;
}

new Page({ wanted: WANTED, most: null, build }).open();
