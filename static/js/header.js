// The bar on top of each page: where one is, the window, pause, export and theme.

import { h, mark, put, svg } from "./dom.js";
import { nextTheme, setTheme, theme } from "./palette.js";
import { WINDOWS } from "./view.js";

const PAGES = [
  ["/dashboard", "Dashboard"],
  ["/compare", "Compare two"],
  ["/compare3", "Compare three"],
];
const WINDOW_NAMES = { "1m": "1 min", "5m": "5 min", "15m": "15 min" };
const THEME_NAMES = { auto: "as the system", light: "light", dark: "dark" };
const THEME_ICONS = {
  auto: "M8 1.5a6.5 6.5 0 1 0 0 13zM8 1.5a6.5 6.5 0 0 1 0 13",
  light: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8 .8v2M8 13.2v2M.8 8h2M13.2 8h2M2.9 2.9l1.4 1.4M11.7 11.7l1.4 1.4M2.9 13.1l1.4-1.4M11.7 4.3l1.4-1.4",
  dark: "M13.6 9.8A6 6 0 0 1 6.2 2.4a6 6 0 1 0 7.4 7.4z",
};

export class Header {
  /** `on` has `view()` (the view was changed), `pause()`, `save(format)` and `themed()`. */
  constructor(view, on) {
    this.view = view;
    this.on = on;
    this.links = PAGES.map(([path, name]) => {
      const here = location.pathname.replace(/\/$/, "") === path;
      return { path, element: h("a", { href: path, "aria-current": here ? "page" : null }, name) };
    });
    this.pauseLabel = h("span", { class: "pause-label" }, "Pause");
    this.pauseIcon = svg("path", {});
    this.pauseButton = h("button", { type: "button", class: "button pause", "aria-pressed": "false", onclick: () => on.pause() },
      svg("svg", { viewBox: "0 0 16 16", width: "12", height: "12", "aria-hidden": "true", class: "glyph" }, this.pauseIcon), this.pauseLabel);
    this.themeIcon = svg("path", {});
    this.themeButton = h("button", { type: "button", class: "button icon theme", onclick: () => this.turn() },
      svg("svg", { viewBox: "0 0 16 16", width: "16", height: "16", "aria-hidden": "true", class: "outline" }, this.themeIcon));
    this.element = h("header", { class: "bar" },
      h("a", { class: "brand", href: "/compare3", "aria-label": "fastgo, all engines" },
        h("img", { src: "/static/icon.svg", alt: "", width: "24", height: "24" }), h("span", { class: "wordmark" }, "fastgo")),
      h("nav", { "aria-label": "Pages" }, ...this.links.map((link) => link.element)),
      this.themeButton,
      h("div", { class: "controls" }, this.windows(), this.pauseButton,
        h("div", { class: "group", role: "group", "aria-label": "Export what is on the screen" },
          this.saveButton("csv", "CSV"), this.saveButton("json", "JSON"))));
    this.showTheme();
    this.draw();
  }

  windows() {
    const choices = Object.keys(WINDOWS).map((name) => {
      const input = h("input", { type: "radio", name: "window", value: name, checked: name === this.view.window,
        onchange: () => {
          this.view.window = name;
          this.on.view();
        } });
      return h("label", {}, input, h("span", {}, WINDOW_NAMES[name]));
    });
    return h("fieldset", { class: "group segments" }, h("legend", { class: "visually-hidden" }, "Time window"), ...choices);
  }

  saveButton(format, name) {
    return h("button", { type: "button", class: "button", "aria-label": `Export as ${name}`, onclick: () => this.on.save(format) }, name);
  }

  turn() {
    setTheme(nextTheme());
    this.showTheme();
    this.on.themed();
  }

  showTheme() {
    const text = `Theme: ${THEME_NAMES[theme()]}`;
    mark(this.themeButton, "aria-label", `${text}. Change to ${THEME_NAMES[nextTheme()]}`);
    mark(this.themeButton, "title", text);
    mark(this.themeIcon, "d", THEME_ICONS[theme()]);
  }

  /** Follows the view. The links take the window and the engines along. */
  draw() {
    const { paused } = this.view;
    mark(this.pauseButton, "aria-pressed", paused);
    put(this.pauseLabel, paused ? "Resume" : "Pause");
    mark(this.pauseIcon, "d", paused ? "M3 1.5v13l11-6.5z" : "M3 2h3.5v12H3zM9.5 2H13v12H9.5z");
    const query = new URLSearchParams(location.search);
    query.delete("tables");
    const tail = String(query) ? `?${query}` : "";
    for (const link of this.links) mark(link.element, "href", link.path + tail);
  }
}
