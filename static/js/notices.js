// The line of alerts under the header: always there, so nothing jumps; what does not fit is counted and one click away.

import { byGravity } from "./alerts.js";
import { h, mark, put, show } from "./dom.js";

const ICONS = { bad: "▲", warn: "◆", info: "●", good: "●" };

export class Notices {
  #known = new Map();
  #key = "";

  constructor(announcer) {
    this.announcer = announcer;
    this.list = h("ul", {});
    this.more = h("button", { type: "button", class: "button more", "aria-expanded": "false", onclick: () => this.toggle() });
    this.element = h("section", { class: "notices", "aria-label": "Alerts" }, this.list, this.more);
    this.open = false;
  }

  /** Shows `alerts`, or `calm` (what was checked) without any warning among them. */
  draw(alerts, calm) {
    const all = byGravity(alerts);
    this.announce(all);
    if (!all.some(({ level }) => level !== "info")) all.push({ id: "calm", level: "good", text: calm });
    const key = all.map((a) => a.id + a.level).join();
    if (key !== this.#key) {
      this.#key = key;
      this.list.replaceChildren(...all.map(({ level }) =>
        h("li", { class: level }, h("span", { class: "icon", "aria-hidden": "true" }, ICONS[level]), h("span"))));
    }
    all.forEach((a, i) => put(this.list.children[i].lastChild, a.text));
    this.overflow();
  }

  /** Announces what began and what ended, not every change of a number in between. */
  announce(all) {
    const now = new Map(all.map((a) => [a.id, a.text]));
    for (const [id, text] of now) if (!this.#known.has(id)) this.announcer.say(text);
    for (const [id, text] of this.#known) if (!now.has(id)) this.announcer.say(`Resolved: ${text}`);
    this.#known = now;
  }

  overflow() {
    const first = this.list.firstChild;
    let hidden = 0;
    for (const item of this.list.children) {
      if (item.offsetTop > first.offsetTop || getComputedStyle(item).visibility === "hidden") hidden += 1;
    }
    show(this.more, hidden > 0);
    put(this.more, this.open ? "Fewer" : `+${hidden} more`);
    mark(this.more, "aria-expanded", this.open);
  }

  toggle() {
    this.open = !this.open;
    this.element.classList.toggle("open", this.open);
    this.overflow();
  }
}
