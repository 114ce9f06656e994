// A button that opens a list of actions; closes on Escape, on a choice, and on a click elsewhere.

import { h, mark, show } from "./dom.js";

export class Menu {
  /** `button`: what it shows; `items`: `{ label, act, when }`, `when` a class that shows the item on some screens only. */
  constructor(label, button, items) {
    this.button = h("button", { type: "button", class: "button menu-button", "aria-haspopup": "true", "aria-expanded": "false", "aria-label": label, title: label, onclick: () => this.toggle() }, ...button);
    this.items = items.map(({ label: text, act, when }) =>
      h("li", { class: when ?? null }, h("button", { type: "button", class: "menu-item", onclick: () => this.choose(act) }, text)));
    this.list = h("ul", { class: "menu-list", "aria-label": label, hidden: true }, ...this.items);
    this.element = h("div", { class: "menu", onkeydown: (event) => this.key(event) }, this.button, this.list);
    document.addEventListener("pointerdown", (event) => {
      if (!this.element.contains(event.target)) this.open(false);
    });
  }

  open(open) {
    show(this.list, open);
    mark(this.button, "aria-expanded", open);
  }

  toggle() {
    this.open(this.list.hidden);
    if (!this.list.hidden) this.visible()[0]?.focus();
  }

  choose(act) {
    this.open(false);
    this.button.focus();
    act();
  }

  visible() {
    return [...this.list.querySelectorAll("button")].filter((item) => item.checkVisibility());
  }

  key(event) {
    if (this.list.hidden) return;
    const items = this.visible();
    const at = items.indexOf(document.activeElement);
    if (event.key === "Escape") {
      this.open(false);
      this.button.focus();
    } else if (event.key === "ArrowDown") items[(at + 1) % items.length].focus();
    else if (event.key === "ArrowUp") items[(at + items.length - 1) % items.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
