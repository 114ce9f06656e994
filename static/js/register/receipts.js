// The receipts that this phone has, kept until their owner removes them.

const KEY = "fastgo-receipts";
/** Most that are kept. */
const MOST = 20;

export class Receipts {
  /** Newest first: receipts as the server gives them, with the course's `title`. */
  all = [];

  constructor(storage = localStorage) {
    this.storage = storage;
  }

  load() {
    try {
      const kept = JSON.parse(this.storage.getItem(KEY)) ?? [];
      this.all = kept.filter((receipt) => typeof receipt?.registration_id === "string");
    } catch {
      // Not readable: the server still has the registration.
    }
  }

  /** Of this student for this course. */
  of(student, course) {
    return this.all.find((receipt) => receipt.student_id === student && receipt.course_id === course);
  }

  /** Adds a receipt, or puts it in the place of its older self. */
  put(receipt) {
    const at = this.all.findIndex(({ registration_id: id }) => id === receipt.registration_id);
    if (at >= 0) this.all[at] = { ...this.all[at], ...receipt };
    else this.all.unshift(receipt);
    this.all.length = Math.min(this.all.length, MOST);
    this.#keep();
  }

  remove(id) {
    this.all = this.all.filter((receipt) => receipt.registration_id !== id);
    this.#keep();
  }

  #keep() {
    try {
      this.storage.setItem(KEY, JSON.stringify(this.all));
    } catch {
      // Without storage a receipt is shown as long as the page.
    }
  }
}
