// The bar on top of the live pages: which board this is, the window, pause, export and theme.

import { h, mark, put, show, svg } from "./dom.js";
import { clock } from "./format.js";
import { ThemeButton, brand, icon, navigation, pageLinks } from "./masthead.js";
import { Menu } from "./menu.js";
import { WINDOWS } from "./view.js";
import { Where } from "./where.js";

const WINDOW_NAMES = { "1m": "1 min", "5m": "5 min", "15m": "15 min", "1h": "1 h", "24h": "24 h" };
const WALL_ICON = "M1.5 2.5h13v8.5h-13zM5.5 13.5h5";
const EXPORT_ICON = "M8 1.5v8.5M4.8 7L8 10.2L11.2 7M2 11v3h12v-3";

export class Header {
  /** `on` has `view()` (the view was changed), `pause()`, `wall()`, `save(format)`, `themed()`, `help()`, and on compare pages `boards()`. */
  constructor(view, on) {
    this.view = view;
    this.on = on;
    this.links = pageLinks();
    this.where = new Where();
    this.pauseLabel = h("span", { class: "pause-label" }, "Pause");
    this.pauseIcon = svg("path", {});
    this.pauseButton = h("button", { type: "button", class: "button pause", "aria-pressed": "false", title: "Pause or resume the display (p)", onclick: () => on.pause() },
      icon("glyph", this.pauseIcon), this.pauseLabel);
    this.zoomButton = h("button", { type: "button", class: "button zoom", hidden: true, title: "Leave the zoom (z)", onclick: () => this.unzoom() });
    this.theme = new ThemeButton(() => on.themed(), "wide-only");
    this.wallButton = h("button", { type: "button", class: "button icon wall-button wide-only", "aria-pressed": "false", "aria-label": "Wall display", title: "Wall display: few figures, read from across a room (w)", onclick: () => on.wall() },
      icon("outline", svg("path", { d: WALL_ICON })));
    const help = h("button", { type: "button", class: "button icon wide-only", "aria-label": "Keyboard shortcuts", title: "Keyboard shortcuts (?)", onclick: () => on.help() }, "?");
    const boards = on.boards && h("button", { type: "button", class: "button wide-only", onclick: () => on.boards() }, "Boards");
    this.menu = new Menu("Export and more", [icon("outline", svg("path", { d: EXPORT_ICON })), h("span", { class: "menu-label" }, "Export")], [
      { label: "Export as CSV", act: () => on.save("csv") },
      { label: "Export as JSON", act: () => on.save("json") },
      { label: "Print or save as PDF", act: () => print() },
      ...(boards ? [{ label: "Boards on this page", act: () => on.boards(), when: "narrow-only" }] : []),
      { label: "Change the theme", act: () => this.theme.turn(), when: "narrow-only" },
      { label: "Keyboard shortcuts", act: () => on.help(), when: "narrow-only" },
    ]);
    this.element = h("header", { class: "bar" },
      ...brand(), navigation(this.links),
      this.where.element,
      h("div", { class: "controls" }, this.zoomButton, this.windows(), this.pauseButton, boards, this.menu.element, this.wallButton, this.theme.element, help));
    this.draw();
  }

  windows() {
    this.inputs = Object.keys(WINDOWS).map((name) => h("input", { type: "radio", name: "window", value: name, onchange: () => this.choose(name) }));
    return h("fieldset", { class: "group segments" }, h("legend", { class: "visually-hidden" }, "Time window"),
      ...this.inputs.map((input) => h("label", {}, input, h("span", {}, WINDOW_NAMES[input.value]))));
  }

  choose(name) {
    this.view.setWindow(name);
    this.on.view();
  }

  unzoom() {
    this.view.zoomOut();
    this.on.view();
  }

  /** Follows the view. The links take the window and the engines along. */
  draw() {
    const { paused, zoom, window } = this.view;
    for (const input of this.inputs) input.checked = input.value === window;
    show(this.zoomButton, zoom !== null);
    if (zoom) put(this.zoomButton, `${clock(zoom[0])} to ${clock(zoom[1])} ✕`);
    mark(this.pauseButton, "aria-pressed", paused);
    mark(this.wallButton, "aria-pressed", this.view.wall);
    put(this.pauseLabel, paused ? "Resume" : "Pause");
    mark(this.pauseIcon, "d", paused ? "M3 1.5v13l11-6.5z" : "M3 2h3.5v12H3zM9.5 2H13v12H9.5z");
    const query = new URLSearchParams(location.search);
    for (const own of ["tables", "hide", "zoom"]) query.delete(own);
    const tail = String(query) ? `?${query}` : "";
    for (const link of this.links) mark(link.element, "href", link.path + tail);
  }
}
