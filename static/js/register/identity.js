// Who registers: the student number, and the PIN where the school gave one. Kept for as long as the tab is open.

import { h, mark, put, show } from "../dom.js";

const KEY = "fastgo-student";

export class Identity {
  /** `changed()` is called when another student number was entered. */
  constructor(changed) {
    const plain = { autocomplete: "off", autocapitalize: "off", spellcheck: "false" };
    this.student = h("input", { id: "student", name: "student", maxlength: "64", required: true, "aria-describedby": "student-problem", ...plain,
      oninput: () => {
        this.complain("");
        this.#keep();
        changed();
      } });
    this.pin = h("input", { id: "pin", name: "pin", type: "password", inputmode: "text", maxlength: "200", "aria-describedby": "student-problem", ...plain,
      oninput: () => this.complain("") });
    this.pinField = h("div", { class: "field pin", hidden: true }, h("label", { for: "pin" }, "PIN"), this.pin);
    this.problem = h("p", { id: "student-problem", class: "problem", hidden: true });
    this.element = h("form", { class: "panel identity", "aria-label": "Who registers", onsubmit: (event) => event.preventDefault() },
      h("div", { class: "fields" },
        h("div", { class: "field" }, h("label", { for: "student" }, "Student number"), this.student), this.pinField),
      this.problem);
    try {
      this.student.value = sessionStorage.getItem(KEY) ?? "";
    } catch {
      // Without storage the number is entered again after a reload.
    }
  }

  get number() {
    return this.student.value.trim();
  }

  needsPin(needed) {
    show(this.pinField, needed);
  }

  /** What to register with; null, with the cursor where something is missing. */
  take() {
    const needsPin = !this.pinField.hidden;
    if (!this.number) return this.ask(this.student, "Enter your student number first.");
    if (needsPin && !this.pin.value.trim()) return this.ask(this.pin, "Enter your PIN first.");
    return { student: this.number, pin: needsPin ? this.pin.value.trim() : null };
  }

  ask(input, text) {
    this.complain(text);
    mark(input, "aria-invalid", "true");
    input.focus();
    input.scrollIntoView({ block: "center" });
    return null;
  }

  complain(text) {
    put(this.problem, text);
    show(this.problem, text !== "");
    for (const input of [this.student, this.pin]) mark(input, "aria-invalid", null);
  }

  #keep() {
    try {
      sessionStorage.setItem(KEY, this.number);
    } catch {
      // See above.
    }
  }
}
