// The courses: seats as they change, one button each, and the state of a registration under way.

import { h, mark, put, show } from "../dom.js";
import { action, refusal, seats, waiting } from "./words.js";

/** From so many courses on there is a field to find one. */
const MANY = 8;

export class CourseList {
  #rows = new Map();
  /** Why a registration was refused, by course, until the next one. */
  #refusals = new Map();

  /** `on` has `register(course)`, `stop(course)` and `receipt(receipt)`: show that one. */
  constructor(on) {
    this.on = on;
    this.find = h("input", { id: "find", type: "search", autocomplete: "off", oninput: () => this.#filter() });
    this.finder = h("div", { class: "field finder", hidden: true }, h("label", { for: "find" }, "Find a course"), this.find);
    this.list = h("ul", { class: "courses" });
    this.none = h("p", { class: "none", hidden: true });
    this.element = h("section", { "aria-labelledby": "courses-title" },
      h("h2", { id: "courses-title" }, "Courses"), this.finder, this.list, this.none);
  }

  refuse(course, result) {
    this.#refusals.set(course, result);
  }

  /** `open`: registration is open. `attemptOf(course)`, `receiptOf(course)`; `now` by the server's clock, `steady` never jumps. */
  draw(courses, state) {
    for (const course of courses) {
      if (!this.#rows.has(course.id)) this.#rows.set(course.id, this.#row(course));
      this.#fill(this.#rows.get(course.id), course, state);
    }
    const order = courses.map(({ id }) => id);
    for (const id of [...this.#rows.keys()].filter((one) => !order.includes(one))) {
      this.#rows.get(id).element.remove();
      this.#rows.delete(id);
    }
    // Moving an element that is in its place would take the focus away.
    order.forEach((id, index) => {
      const { element } = this.#rows.get(id);
      if (this.list.children[index] !== element) this.list.insertBefore(element, this.list.children[index] ?? null);
    });
    show(this.finder, courses.length >= MANY);
    if (!courses.length) put(this.none, "No courses are offered yet.");
    this.#filter();
  }

  #row({ id }) {
    const key = `course-${this.#rows.size}-${id.replaceAll(/[^a-z0-9]/gi, "")}`;
    const row = {
      title: h("h3", { id: key }),
      seats: h("p", { class: "seats", id: `${key}-seats` }),
      level: h("span", {}),
      button: h("button", { type: "button", class: "button primary", "aria-describedby": `${key} ${key}-seats ${key}-news`, onclick: () => this.on.register(id) }),
      mine: h("button", { type: "button", class: "button mine", hidden: true }),
      news: h("p", { class: "news", id: `${key}-news`, hidden: true }),
      stop: h("button", { type: "button", class: "button plain", hidden: true, onclick: () => this.on.stop(id) }, "Stop trying"),
    };
    row.element = h("li", { class: "panel course", "data-course": id },
      h("div", { class: "about-course" }, row.title, row.seats, h("span", { class: "taken", "aria-hidden": "true" }, row.level)), h("div", { class: "act" }, row.button, row.mine, row.stop), row.news);
    return row;
  }

  #fill(row, course, { open, attemptOf, receiptOf, now, steady }) {
    const [attempt, receipt, refused] = [attemptOf(course.id), receiptOf(course.id), this.#refusals.get(course.id)];
    if (attempt || receipt) this.#refusals.delete(course.id);
    put(row.title, course.title);
    put(row.seats, seats(course));
    mark(row.seats, "data-full", course.taken >= course.seats ? "" : null);
    row.level.style.transform = `scaleX(${course.seats ? Math.min(1, course.taken / course.seats) : 1})`;
    show(row.button, !receipt);
    show(row.mine, Boolean(receipt));
    if (receipt) {
      put(row.mine, receipt.status === "enrolled" ? "✓ Your seat" : `Place ${receipt.position ?? "…"} in line`);
      mark(row.mine, "aria-label", `${row.mine.textContent}: ${course.title}. Show the receipt`);
      row.mine.onclick = () => this.on.receipt(receipt);
    }
    const busy = Boolean(attempt);
    put(row.button, busy ? (attempt.sending && !attempt.reason ? "Sending…" : "Trying…") : action(course));
    mark(row.button, "aria-label", busy ? null : `${action(course)}: ${course.title}`);
    // A button that is only marked as disabled keeps the focus, so that nobody loses their place.
    mark(row.button, "aria-disabled", busy || !open ? "true" : null);
    mark(row.button, "aria-busy", busy ? "true" : null);
    const news = attempt?.reason ? waiting(attempt.reason, attempt.sending ? 0 : attempt.retryAt - steady)
      : refused && !attempt && !receipt ? refusal(refused, now) : "";
    put(row.news, news);
    show(row.news, news !== "");
    mark(row.news, "data-level", attempt ? "wait" : "refused");
    show(row.stop, Boolean(attempt?.reason));
  }

  #filter() {
    const wanted = this.finder.hidden ? "" : this.find.value.trim().toLowerCase();
    let shown = 0;
    for (const { element, title } of this.#rows.values()) {
      const fits = title.textContent.toLowerCase().includes(wanted);
      show(element, fits);
      shown += fits;
    }
    if (this.#rows.size) put(this.none, "No course has that in its name.");
    show(this.none, shown === 0);
  }
}
