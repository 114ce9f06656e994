// The receipts of this phone: a seat or the place in line, the number, and giving it back.

import { h, mark, put, show } from "../dom.js";
import { exactly, standing } from "./words.js";

export class ReceiptList {
  #cards = new Map();

  /** `on` has `giveBack(receipt)`, and `remove(receipt)`: from this phone only. */
  constructor(on) {
    this.on = on;
    this.list = h("ul", { class: "receipts" });
    this.element = h("section", { class: "mine-section", "aria-labelledby": "mine-title", hidden: true },
      h("h2", { id: "mine-title" }, "Your registrations"), this.list);
    this.dialog = this.#confirmation();
  }

  /** `troubleOf(id)` is what hinders giving it back, if anything. */
  draw(receipts, troubleOf) {
    for (const receipt of receipts) {
      const id = receipt.registration_id;
      if (!this.#cards.has(id)) this.#cards.set(id, this.#card(receipt));
      this.#fill(this.#cards.get(id), receipt, troubleOf(id));
    }
    const order = receipts.map(({ registration_id: id }) => id);
    for (const id of [...this.#cards.keys()].filter((one) => !order.includes(one))) {
      this.#cards.get(id).element.remove();
      this.#cards.delete(id);
    }
    order.forEach((id, index) => {
      const { element } = this.#cards.get(id);
      if (this.list.children[index] !== element) this.list.insertBefore(element, this.list.children[index] ?? null);
    });
    show(this.element, receipts.length > 0);
  }

  /** Brings a receipt before the eyes and to the screen reader. */
  focus(id) {
    this.#cards.get(id)?.title.focus();
    this.#cards.get(id)?.element.scrollIntoView({ block: "start" });
  }

  #card(receipt) {
    const card = {
      course: h("p", { class: "receipt-course" }),
      title: h("h3", { tabindex: "-1" }),
      text: h("p", { class: "receipt-text" }),
      trouble: h("p", { class: "news", "data-level": "wait", hidden: true }),
      student: h("dd"), time: h("dd"), number: h("dd", { class: "number" }),
    };
    const fact = (name, value) => h("div", {}, h("dt", {}, name), value);
    card.back = h("button", { type: "button", class: "button", onclick: () => this.#confirm(card) }, "Give it back");
    const printed = h("button", { type: "button", class: "button", onclick: () => this.#print(card.element) }, "Print");
    const removed = h("button", { type: "button", class: "button plain", onclick: () => this.on.remove(card.receipt) }, "Hide on this phone");
    card.element = h("li", { class: "panel receipt" }, card.title, card.course, card.text,
      h("dl", {}, fact("Student number", card.student), fact("Registered", card.time), fact("Receipt", card.number)),
      card.trouble, h("div", { class: "receipt-tools" }, card.back, printed, removed));
    card.receipt = receipt;
    return card;
  }

  #fill(card, receipt, trouble) {
    card.receipt = receipt;
    const { title, text } = standing(receipt);
    mark(card.element, "data-status", receipt.status);
    put(card.title, title);
    put(card.course, receipt.title ?? receipt.course_id);
    put(card.text, receipt.unknown ? "The server does not know this receipt any more. Ask the school office." : text);
    show(card.text, card.text.textContent !== "");
    put(card.student, receipt.student_id);
    put(card.time, exactly(Date.parse(receipt.registered_at)));
    put(card.number, receipt.registration_id);
    put(card.trouble, trouble ?? "");
    show(card.trouble, Boolean(trouble));
    mark(card.back, "aria-disabled", trouble ? "true" : null);
    mark(card.back, "aria-label", `Give it back: ${card.course.textContent}`);
  }

  #print(element) {
    mark(element, "data-print", "");
    addEventListener("afterprint", () => mark(element, "data-print", null), { once: true });
    print();
  }

  #confirmation() {
    this.question = h("h2", { id: "question" });
    this.consequence = h("p", { id: "consequence" });
    this.yes = h("button", { type: "button", class: "button danger" }, "Give it back");
    const no = h("button", { type: "button", class: "button", autofocus: true, onclick: () => this.dialog.close() }, "Keep it");
    return h("dialog", { class: "confirm", "aria-labelledby": "question", "aria-describedby": "consequence" },
      this.question, this.consequence, h("div", { class: "choices" }, no, this.yes));
  }

  #confirm({ receipt, back, course }) {
    if (back.getAttribute("aria-disabled")) return;
    const seat = receipt.status === "enrolled";
    put(this.question, `Give back your ${seat ? "seat" : "place in line"} in ${course.textContent}?`);
    put(this.consequence, seat ? "The first in line has it at once. You can register again, at the end of the line." : "You can register again, at the end of the line.");
    this.yes.onclick = () => {
      this.dialog.close();
      this.on.giveBack(receipt);
    };
    this.dialog.showModal();
  }
}
