// What is on top of every page: the way past the header, the mark, the pages, and the theme.

import { h, mark, svg } from "./dom.js";
import { nextTheme, setTheme, theme } from "./palette.js";

/** Pages and the paths that are one of them. */
const PAGES = [
  { path: "/compare3", name: "Compare", also: ["/compare"] },
  { path: "/dashboard", name: "Engine", also: [] },
  { path: "/runs", name: "Runs", also: [] },
];
const THEME_NAMES = { auto: "as the system", light: "light", dark: "dark" };
const THEME_ICONS = {
  auto: "M8 1.5a6.5 6.5 0 1 0 0 13zM8 1.5a6.5 6.5 0 0 1 0 13",
  light: "M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6M8 .8v2M8 13.2v2M.8 8h2M13.2 8h2M2.9 2.9l1.4 1.4M11.7 11.7l1.4 1.4M2.9 13.1l1.4-1.4M11.7 4.3l1.4-1.4",
  dark: "M13.6 9.8A6 6 0 0 1 6.2 2.4a6 6 0 1 0 7.4 7.4z",
};

/** A drawing of `path` for a button; `kind` is `glyph` (filled) or `outline`. */
export const icon = (kind, path) => svg("svg", { viewBox: "0 0 16 16", width: "15", height: "15", "aria-hidden": "true", class: kind }, path);

/** The way past the header and the mark. */
export const brand = () => [
  h("a", { class: "skip", href: "#main" }, "Skip to the figures"),
  h("a", { class: "brand", href: "/compare3", "aria-label": "fastgo, all engines" },
    h("img", { src: "/static/icon.svg", alt: "", width: "24", height: "24" }), h("span", { class: "wordmark" }, "fastgo")),
];

/** A link for each page, `{ path, element }`, with the current one marked. */
export function pageLinks() {
  const here = location.pathname.replace(/\/$/, "");
  return PAGES.map(({ path, name, also }) => ({
    // A page's own link keeps its path, so that it does not change what is shown.
    path: also.includes(here) ? here : path,
    element: h("a", { href: path, "aria-current": path === here || also.includes(here) ? "page" : null }, name),
  }));
}

export const navigation = (links) => h("nav", { "aria-label": "Pages" }, ...links.map((link) => link.element));

/** A button that goes round the themes; `themed()` is called after each. */
export class ThemeButton {
  constructor(themed, looks = "") {
    this.themed = themed;
    this.icon = svg("path", {});
    this.element = h("button", { type: "button", class: `button icon theme ${looks}`.trim(), onclick: () => this.turn() }, icon("outline", this.icon));
    this.draw();
  }

  turn() {
    setTheme(nextTheme());
    this.draw();
    this.themed();
  }

  draw() {
    const text = `Theme: ${THEME_NAMES[theme()]}`;
    mark(this.element, "aria-label", `${text}. Change to ${THEME_NAMES[nextTheme()]}`);
    mark(this.element, "title", text);
    mark(this.icon, "d", THEME_ICONS[theme()]);
  }
}
