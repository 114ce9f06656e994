// What the three pages share: finding the engines, the clock that drives everything, pause, export, the address bar.

import { Announcer } from "./announce.js";
import { h } from "./dom.js";
import { csv, download, json } from "./export.js";
import { clock } from "./format.js";
import { Fleet } from "./fleet.js";
import { Header } from "./header.js";
import { SYSTEM_DARK, applyTheme } from "./palette.js";
import { findPeers, parseEngines } from "./peers.js";
import { View } from "./view.js";

const TICK = 250;
/** Longest wait (ms) for the engines' first words before anything is shown: what is shown later may not jump. */
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
      this.heard?.();
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
    this.header = new Header(this.view, {
      view: () => this.changed(),
      pause: () => this.pause(),
      save: (format) => this.save(format),
      themed: () => this.themed(),
    });
    this.main = h("main", {});
    document.body.append(this.header.element, this.main, this.announcer.element);
    const { origins, problems } = parseEngines(query.get("engines"));
    this.problems.push(...problems);
    await this.find(origins);
    await this.settle();
    this.content = this.spec.build(this);
    this.main.append(...this.content.elements);
    this.listen();
    this.themed();
    this.tick();
  }

  async find(given) {
    const { wanted, most } = this.spec;
    let origins = given;
    let types = null;
    if (!origins.length && wanted) {
      const found = findPeers(await ownPeers(), wanted, location);
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
      this.heard = () => {
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
    addEventListener("resize", () => this.invalidate());
    SYSTEM_DARK.addEventListener("change", () => this.themed());
    document.addEventListener("pointerdown", (event) => {
      if (event.target.closest(".plot") || this.view.cursor === null) return;
      this.view.release();
      this.pointed();
    });
    if (document.hidden) this.fleet.hide(true);
  }

  tick() {
    this.fleet.tick();
    this.announcer.tick(performance.now());
    // News of several engines within a tick is drawn once; without news time goes on all the same.
    if (this.news || performance.now() - this.drawnAt >= 1000) this.invalidate();
  }

  /** Draws once in the next frame: everything, or only what the crosshair moves. */
  invalidate(everything = true) {
    this.everything ||= everything;
    if (this.dirty || !this.content) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      const { charts } = this.content;
      if (this.everything) {
        this.news = false;
        this.drawnAt = performance.now();
        this.view.advance(Date.now());
        for (const chart of charts) chart.draw();
        this.content.draw();
      } else {
        for (const chart of charts) chart.read();
      }
      this.dirty = false;
      this.everything = false;
    });
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

  /** What to say of the page itself, before any engine: bad addresses, and that it stands still. */
  alerts() {
    const paused = { id: "paused", level: "info", text: `Paused at ${clock(this.view.end)}: the page stands still, the engines do not` };
    return [...this.problems.map((text, i) => ({ id: `page-${i}`, level: "warn", text })), ...(this.view.paused ? [paused] : [])];
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
    applyTheme();
    this.invalidate();
  }
}

/** What the page's own engine says of the others; null when it does not answer: then the usual ports hold. */
async function ownPeers() {
  try {
    const answer = await fetch("/metrics", { headers: { Accept: "application/json" }, signal: AbortSignal.timeout(2000) });
    return (await answer.json()).peers;
  } catch {
    return null;
  }
}
