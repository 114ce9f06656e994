// What the three pages share: finding the engines, the clock that drives everything, pause, export, the address bar.

import { Announcer } from "./announce.js";
import { BoardList } from "./boardlist.js";
import { h, mark } from "./dom.js";
import { csv, download, json } from "./export.js";
import { clock, duration } from "./format.js";
import { Fleet } from "./fleet.js";
import { Header } from "./header.js";
import { SYSTEM_DARK, applyTheme } from "./palette.js";
import { TYPES, findPeers, onHosts, parseEngines } from "./peers.js";
import { reachAlerts } from "./reach.js";
import { Shortcuts } from "./shortcuts.js";
import { View } from "./view.js";

const TICK = 250;
/** Longest wait (ms) for the engines' first samples before anything is shown: what is shown later may not jump. */
const PATIENCE = 1000;

export class Page {
  /**
   * `spec`: `wanted` engine types (null: the engine that served the page), `most` engines shown, and `build(page)`, which
   * returns `{ elements, charts, draw() }`; `draw` is called when a sample came, a second passed or a state changed.
   */
  constructor(spec) {
    this.spec = spec;
    this.view = new View();
    this.announcer = new Announcer();
    this.fleet = new Fleet(() => {
      this.arrived?.();
      this.news = true;
    });
    this.dirty = false;
    this.everything = false;
    this.news = false;
    this.drawnAt = -Infinity;
    this.problems = [];
  }

  async open() {
    const query = new URLSearchParams(location.search);
    this.view.read(query);
    const boards = this.spec.wanted && new BoardList();
    this.header = new Header(this.view, {
      view: () => this.changed(),
      pause: () => this.pause(),
      wall: () => this.wall(),
      save: (format) => this.save(format),
      themed: () => this.themed(),
      help: () => this.shortcuts.show(),
      boards: boards && (() => boards.show()),
    });
    const window = (name) => () => this.header.choose(name);
    this.shortcuts = new Shortcuts({
      p: () => this.pause(), 1: window("1m"), 5: window("5m"), f: window("15m"), h: window("1h"), d: window("24h"),
      t: () => this.header.theme.turn(), w: () => this.wall(), z: () => this.header.unzoom(),
    });
    this.main = h("main", { id: "main", tabindex: "-1" });
    document.querySelector(".loading")?.remove();
    document.body.append(this.header.element, this.main, this.announcer.element, this.shortcuts.dialog);
    if (boards) document.body.append(boards.dialog);
    const wanted = query.get("only")?.split(",") ?? this.spec.wanted ?? TYPES;
    const given = query.has("engines") ? parseEngines(query.get("engines")) : onHosts(query.get("hosts"), wanted);
    this.problems.push(...given.problems);
    await this.find(given);
    await this.settle();
    this.content = this.spec.build(this);
    this.main.append(...this.content.elements);
    this.listen();
    this.themed();
    this.tick();
  }

  async find(given) {
    const { wanted, most } = this.spec;
    let { origins, types } = given;
    if (!origins.length && wanted) {
      const own = await ownSample();
      const found = findPeers(own?.peers, wanted, location, own?.server_type);
      ({ origins, types } = found);
      this.problems.push(...found.problems);
    } else if (!origins.length) {
      origins = [location.origin];
    }
    if (most && origins.length > most) {
      this.problems.push(`This page shows one engine: ${origins[0]}.`);
      origins = origins.slice(0, most);
    }
    this.fleet.open(origins, types);
  }

  settle() {
    return new Promise((done) => {
      this.arrived = () => {
        if (this.fleet.settled) done();
      };
      setTimeout(done, PATIENCE);
    });
  }

  listen() {
    setInterval(() => this.tick(), TICK);
    document.addEventListener("visibilitychange", () => {
      this.fleet.hide(document.hidden);
      this.invalidate();
    });
    // Left for another page: the browser may keep this one alive, but not its connections.
    addEventListener("pagehide", () => this.fleet.hide(true));
    addEventListener("pageshow", () => this.fleet.hide(document.hidden));
    // The type grows with the screen, and that of the charts with it.
    addEventListener("resize", () => this.themed());
    for (const name of ["online", "offline"]) addEventListener(name, () => this.invalidate());
    // Paper has its own width and colours: the charts are drawn for it, and for the screen again.
    for (const name of ["beforeprint", "afterprint"]) addEventListener(name, () => this.printed(name === "beforeprint"));
    SYSTEM_DARK.addEventListener("change", () => this.themed());
    document.addEventListener("pointerdown", (event) => {
      if (event.target.closest(".plot") || this.view.cursor === null) return;
      this.view.release();
      this.pointed();
    });
    if (document.hidden) this.fleet.hide(true);
  }

  tick() {
    this.fleet.tick(this.view.window);
    this.announcer.tick(performance.now());
    // News of several engines within a tick is drawn once; without news the time axis still moves.
    if (this.news || performance.now() - this.drawnAt >= 1000) this.invalidate();
  }

  /** Draws once in the next frame: everything, or only what the crosshair moves. */
  invalidate(everything = true) {
    this.everything ||= everything;
    if (this.dirty || !this.content) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      if (this.everything) this.draw();
      else for (const chart of this.content.charts) chart.read();
      this.dirty = false;
      this.everything = false;
    });
  }

  draw() {
    this.news = false;
    this.drawnAt = performance.now();
    this.view.advance(Date.now());
    this.header.where.draw(this.fleet.engines);
    this.content.draw();
    for (const chart of this.content.charts) chart.draw();
  }

  /** The crosshair moved. */
  pointed() {
    this.invalidate(false);
  }

  /** The view was changed by hand: shows it, and writes it into the address. */
  changed() {
    const query = this.view.write(new URLSearchParams(location.search));
    const text = String(query) ? `?${query}` : "";
    if (text !== location.search) history.replaceState(null, "", location.pathname + text);
    this.header.draw();
    this.invalidate();
  }

  pause() {
    this.view.paused = !this.view.paused;
    this.fleet.pause(this.view.paused);
    this.changed();
  }

  /** Switches the wall display on or off. */
  wall() {
    this.view.wall = !this.view.wall;
    this.themed();
    this.changed();
  }

  /** What to say of the page itself, before any engine: bad addresses, that it is paused, and which engines do not answer. */
  alerts() {
    const behind = duration((Date.now() - this.view.latest) / 1000);
    const paused = { id: "paused", level: "info", text: `Display paused at ${clock(this.view.latest)}. The engines keep running (${behind} behind)` };
    return [
      ...this.problems.map((text, i) => ({ id: `page-${i}`, level: "warn", text })),
      ...(this.view.paused ? [paused] : []),
      ...reachAlerts(this.engines(), Date.now(), navigator.onLine, location.origin),
    ];
  }

  /** The engines as reachAlerts takes them. */
  engines() {
    return this.fleet.engines.map(({ name, host, origin, state, lastSampleAt, siblings }) => ({ name, host, origin, state, lastSampleAt, siblings }));
  }

  /** What shades the charts: of all engines, or of one. */
  bands(start, end, engine = null) {
    return this.fleet.incidents.within(start, end, engine);
  }

  save(format) {
    const { start, end } = this.view;
    const engines = this.fleet.engines.map((e) => ({ name: e.name, origin: e.origin, ...e.shown }));
    const name = `fastgo-${new Date(end).toISOString().slice(0, 19).replaceAll(":", "")}.${format}`;
    if (format === "csv") download(name, "text/csv", csv(engines, start, end));
    else download(name, "application/json", json(engines, start, end));
    this.announcer.say(`Exported ${name}`);
  }

  themed() {
    mark(document.documentElement, "data-wall", this.view.wall ? "yes" : null);
    applyTheme();
    this.invalidate();
  }

  printed(onPaper) {
    applyTheme({ onPaper });
    this.draw();
  }
}

/** The latest sample of the page's own engine; null when it does not answer: then the usual ports hold. */
async function ownSample() {
  try {
    const answer = await fetch("/metrics", { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(2000) });
    return await answer.json();
  } catch {
    return null;
  }
}
