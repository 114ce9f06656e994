// Whether registration is open, and if not for how long it is not, by the server's clock.

import { h, mark, put, show } from "../dom.js";
import { left, when } from "./words.js";

/** Moments before the opening (ms) at which screen readers hear of it, and how. */
const ANNOUNCED = [[600_000, "10 minutes"], [60_000, "one minute"], [10_000, "10 seconds"]];

export class Banner {
  #before = Infinity;

  /** `say(text)` reaches screen readers. */
  constructor(say) {
    this.say = say;
    this.title = h("h2", { class: "banner-title" }, "Asking the server…");
    this.rest = h("p", { class: "countdown", role: "timer", hidden: true });
    this.note = h("p", { class: "banner-note", hidden: true }, "By the school's clock. You need not reload this page.");
    this.element = h("section", { class: "banner", "aria-label": "Opening", "data-state": "unknown" }, this.title, this.rest, this.note);
  }

  /** `registration` is that of the course list; `now` the server's time. */
  draw({ open, opens_at: opensAt }, now) {
    const wait = !open && opensAt ? Date.parse(opensAt) - now : null;
    const state = open ? "open" : wait === null ? "closed" : "soon";
    const changed = this.element.dataset.state !== state;
    mark(this.element, "data-state", state);
    put(this.title, open ? "Registration is open" : wait === null ? "Registration is closed" : `Registration opens at ${when(Date.parse(opensAt), now)}`);
    show(this.rest, wait !== null);
    show(this.note, wait !== null);
    if (wait !== null) {
      put(this.rest, left(wait));
      const [, due] = ANNOUNCED.find(([moment]) => wait <= moment && this.#before > moment) ?? [];
      if (due) this.say(`Registration opens in ${due}.`);
      this.#before = wait;
    } else if (changed) {
      this.#before = Infinity;
      this.say(`${this.title.textContent}.`);
    }
  }

  /** This server has no registrations. */
  drawAbsent() {
    mark(this.element, "data-state", "closed");
    put(this.title, "This server offers no courses");
  }
}
