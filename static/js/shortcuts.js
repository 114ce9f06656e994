// Keyboard shortcuts, and the dialog that lists them.

import { h } from "./dom.js";

const LIST = [
  ["p", "Pause or resume the display"],
  ["1", "Show 1 minute"],
  ["5", "Show 5 minutes"],
  ["f", "Show 15 minutes"],
  ["h", "Show 1 hour"],
  ["d", "Show 24 hours"],
  ["z", "Leave the zoom"],
  ["t", "Change the theme"],
  ["w", "Wall display on or off"],
  ["?", "Show this list"],
];
const CHARTS = "In a chart: arrow keys move the crosshair, Enter begins and ends a range to zoom into, Escape goes back. With a mouse: drag to zoom, click to fix the crosshair.";

export class Shortcuts {
  /** `on`: an action for each key of the list but `?`. */
  constructor(on) {
    this.on = on;
    this.dialog = h("dialog", { class: "shortcuts", "aria-labelledby": "shortcuts-title" },
      h("h2", { id: "shortcuts-title" }, "Keyboard shortcuts"),
      h("dl", {}, ...LIST.map(([key, text]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, text)))),
      h("p", {}, CHARTS),
      h("button", { type: "button", class: "button", onclick: () => this.dialog.close() }, "Close"));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]") || event.target.closest("select, textarea, input:not([type=radio])")) return;
    if (event.key === "?") this.show();
    else if (Object.hasOwn(this.on, event.key)) this.on[event.key]();
    else return;
    event.preventDefault();
  }

  show() {
    this.dialog.showModal();
  }
}
