// The student's page: courses with live seats, one tap, a receipt.

import { h, mark, put, show } from "../dom.js";
import { SYSTEM_DARK, applyTheme } from "../palette.js";
import { Api } from "./api.js";
import { Attempts } from "./attempts.js";
import { Banner } from "./banner.js";
import { CourseList } from "./courselist.js";
import { Feed } from "./feed.js";
import { GiveBack } from "./giveback.js";
import { Identity } from "./identity.js";
import { ReceiptList } from "./receiptlist.js";
import { Receipts } from "./receipts.js";
import { ServerClock } from "./serverclock.js";
import { refusal, standing } from "./words.js";

/** Between two drawings (ms): countdowns show whole seconds. */
const TICK = 500;
/** A place in line is looked up at most so often (ms), and not by all phones at once. */
const LOOK = { pause: 10_000, spread: 4000 };

class Page {
  clock = new ServerClock();
  api = new Api(this.clock);
  receipts = new Receipts();
  list = null;
  connected = true;
  #lookedAt = new Map();

  constructor() {
    this.attempts = new Attempts(this.api, this.clock, {
      changed: () => this.draw(),
      receipt: (receipt) => this.registered(receipt),
      refused: (result, attempt) => this.refused(result, attempt),
    });
    this.backs = new GiveBack(this.api, this.clock, { changed: () => this.draw(), done: (receipt) => this.givenBack(receipt) });
    this.feed = new Feed(this.api, {
      list: (list) => this.listed(list),
      connected: (connected) => this.connection(connected),
      absent: () => this.banner.drawAbsent(),
    });
  }

  open() {
    this.build();
    applyTheme();
    SYSTEM_DARK.addEventListener("change", () => applyTheme());
    addEventListener("beforeprint", () => applyTheme({ onPaper: true }));
    addEventListener("afterprint", () => applyTheme());
    addEventListener("online", () => {
      this.attempts.hurry();
      this.feed.start();
    });
    addEventListener("offline", () => this.connection(false));
    // Another tab of this phone has registered.
    addEventListener("storage", () => this.receipts.load());
    document.addEventListener("visibilitychange", () => this.seen());
    this.receipts.load();
    this.attempts.resume();
    this.seen();
    this.lookAll();
    setInterval(() => this.draw(), TICK);
  }

  build() {
    this.status = h("p", { class: "visually-hidden", role: "status", "aria-live": "polite" });
    const say = (text) => put(this.status, text);
    this.say = say;
    this.banner = new Banner(say);
    this.identity = new Identity(() => this.draw());
    this.courses = new CourseList({
      register: (course) => this.register(course),
      stop: (course) => this.attempts.stop(course),
      receipt: (receipt) => this.mine.focus(receipt.registration_id),
    });
    this.mine = new ReceiptList({
      giveBack: (receipt) => this.backs.start(receipt),
      remove: (receipt) => {
        this.receipts.remove(receipt.registration_id);
        this.say("The receipt is hidden on this phone. The registration stays.");
        this.draw();
      },
    });
    this.link = h("p", { class: "link", "data-state": "live" }, "Live");
    document.body.classList.add("register");
    document.querySelector(".loading")?.remove();
    document.body.append(
      h("header", { class: "top" }, h("a", { class: "skip", href: "#courses-title" }, "Skip to the courses"),
        h("img", { src: "/static/icon.svg", alt: "", width: "28", height: "28" }), h("h1", {}, "Course registration"), this.link),
      h("main", { id: "main" }, this.banner.element, this.mine.element, this.identity.element, this.courses.element,
        h("p", { class: "fine" }, "A receipt means that your registration is stored on the school's server. This phone keeps a copy of it.")),
      this.status, this.mine.dialog);
  }

  /** A hidden page holds no connection. Attempts under way go on. */
  seen() {
    if (document.hidden) this.feed.stop();
    else this.feed.start();
  }

  listed(list) {
    const before = this.list;
    this.list = list;
    // Places in line may have moved up.
    for (const course of list.courses) {
      const old = before?.courses.find(({ id }) => id === course.id);
      if (old && (old.taken !== course.taken || old.waiting !== course.waiting)) this.lookLater(course.id);
    }
    if (!this.clock.known) this.feed.ask();
    this.draw();
  }

  connection(connected) {
    if (this.connected !== connected) this.say(connected ? "The connection is back." : "No connection to the server.");
    this.connected = connected;
    this.draw();
  }

  register(course) {
    if (!this.isOpen || this.attempts.all.has(course)) return;
    const who = this.identity.take();
    if (!who) return;
    this.say("Sending.");
    this.attempts.start(who.student, course, who.pin);
  }

  registered(receipt) {
    this.receipts.put({ ...receipt, title: this.titleOf(receipt.course_id), unknown: false });
    this.draw();
    const { title } = standing(receipt);
    this.say(`${title}: ${this.titleOf(receipt.course_id)}.`);
    // Only a student who still waits for it, and is not typing meanwhile.
    if (document.activeElement?.matches("input") !== true) this.mine.focus(receipt.registration_id);
  }

  refused(result, attempt) {
    this.courses.refuse(attempt.course, result);
    const text = refusal(result, this.clock.now());
    if (result.reason === "student") this.identity.ask(this.identity.student, text);
    this.say(text);
  }

  givenBack(receipt) {
    this.receipts.remove(receipt.registration_id);
    this.say(`You gave back ${receipt.title ?? receipt.course_id}.`);
    this.draw();
    this.courses.list.querySelector(`[data-course="${CSS.escape(receipt.course_id)}"] .button`)?.focus();
  }

  /** By the server's clock; its own word comes up to a second later. */
  get isOpen() {
    const { open, opens_at: opensAt } = this.list?.registration ?? {};
    return Boolean(open || (opensAt && this.clock.known && this.clock.now() >= Date.parse(opensAt)));
  }

  titleOf(course) {
    return this.list?.courses.find(({ id }) => id === course)?.title ?? course;
  }

  lookAll() {
    for (const receipt of this.receipts.all) this.look(receipt.registration_id);
  }

  lookLater(course) {
    for (const { registration_id: id, course_id: of, status } of this.receipts.all) {
      if (of !== course || status !== "waiting") continue;
      const since = this.clock.steady() - (this.#lookedAt.get(id) ?? -Infinity);
      if (since < 0) continue;
      const wait = Math.max(0, LOOK.pause - since) + LOOK.spread * Math.random();
      // No other look comes before this one.
      this.#lookedAt.set(id, this.clock.steady() + wait);
      setTimeout(() => this.look(id), wait);
    }
  }

  /** Asks what has become of a registration. */
  async look(id) {
    this.#lookedAt.set(id, this.clock.steady());
    const answer = await this.api.receipt(id);
    const kept = this.receipts.all.find((receipt) => receipt.registration_id === id);
    if (!kept || !answer) return;
    if (answer.status === 200 && answer.body?.registration_id === id) {
      if (kept.status === "waiting" && answer.body.status === "enrolled") this.say(`You have a seat now: ${kept.title ?? kept.course_id}.`);
      this.receipts.put({ ...answer.body, unknown: false });
    }
    if (answer.status === 410) this.receipts.remove(id);
    if (answer.status === 404) this.receipts.put({ ...kept, unknown: true });
    this.draw();
  }

  draw() {
    put(this.link, this.connected ? "Live" : "Offline");
    mark(this.link, "data-state", this.connected ? "live" : "lost");
    this.mine.draw(this.receipts.all, (id) => this.backs.trouble(id));
    show(this.identity.element, Boolean(this.list?.courses.length));
    if (!this.list) return;
    const { registration, courses } = this.list;
    const now = this.clock.now();
    this.banner.draw({ ...registration, open: this.isOpen }, now);
    this.identity.needsPin(registration.needs_pin);
    this.courses.draw(courses, {
      open: this.isOpen,
      attemptOf: (course) => this.attempts.all.get(course),
      receiptOf: (course) => this.receipts.of(this.identity.number, course),
      now,
      steady: this.clock.steady(),
    });
  }
}

new Page().open();
