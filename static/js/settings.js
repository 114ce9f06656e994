// The current settings, as the engine itself reports them.

import { crashCount, lastCrash } from "./crashes.js";
import { h, put, show } from "./dom.js";
import { bytes, count, setting } from "./format.js";

const ROWS = [
  ["Work per request", (s) => s.work],
  ["Connection limit", (s) => count(s.limits.max_connections)],
  ["Open files", (s) => `${count(s.open_fds)} of ${count(s.max_fds)}`],
  ["Engine threads", (s) => (s.limits.threads ? count(s.limits.threads) : null)],
  ["Workers", (s) => (s.limits.workers > 0 ? count(s.limits.workers) : null)],
  ["Queue size", (s) => (s.queue.capacity > 0 ? count(s.limits.queue_size) : null)],
  ["Read timeout", (s) => setting(s.limits.read_timeout_ms)],
  ["Write timeout", (s) => setting(s.limits.write_timeout_ms)],
  ["Idle timeout", (s) => setting(s.limits.idle_timeout_ms)],
  ["Shutdown timeout", (s) => setting(s.limits.shutdown_timeout_ms)],
  ["Max header size", (s) => bytes(s.limits.max_header_bytes)],
  ["Max body size", (s) => bytes(s.limits.max_body_bytes)],
  ["Cores", (s) => count(s.num_cpu)],
  ["Crashes", (s) => crashCount(s.crashes)],
  ["Last crash", (s) => lastCrash(s.crashes)],
  ["Page size", (s) => (s.pi?.page_size ? bytes(s.pi.page_size) : null)],
];

export class Settings {
  constructor() {
    this.lines = ROWS.map(([label, read]) => {
      const value = h("dd", {});
      return { read, value, element: h("div", { class: "row" }, h("dt", {}, label), value) };
    });
    this.element = h("section", { class: "card settings", "aria-labelledby": "settings-title" },
      h("header", {}, h("h2", { id: "settings-title" }, "Current settings")),
      h("dl", { class: "rows" }, ...this.lines.map((line) => line.element)));
  }

  draw(sample) {
    for (const { read, value, element } of this.lines) {
      const text = sample ? read(sample) : "";
      show(element, text !== null);
      if (text !== null) put(value, text);
    }
  }
}
