// The settings in force, as the engine itself reports them.

import { h, put, show } from "./dom.js";
import { bytes, count, setting } from "./format.js";

const ROWS = [
  ["Work per request", (s) => s.work],
  ["Most connections", (s) => count(s.limits.max_connections)],
  ["Open files", (s) => `${count(s.open_fds)} of ${count(s.max_fds)}`],
  ["Workers", (s) => count(s.limits.workers)],
  ["Queue size", (s) => (s.queue.capacity > 0 ? count(s.limits.queue_size) : null)],
  ["Read timeout", (s) => setting(s.limits.read_timeout_ms)],
  ["Write timeout", (s) => setting(s.limits.write_timeout_ms)],
  ["Idle timeout", (s) => setting(s.limits.idle_timeout_ms)],
  ["Shutdown timeout", (s) => setting(s.limits.shutdown_timeout_ms)],
  ["Largest head", (s) => bytes(s.limits.max_header_bytes)],
  ["Largest body", (s) => bytes(s.limits.max_body_bytes)],
  ["Cores", (s) => count(s.num_cpu)],
  ["Page size", (s) => (s.pi?.page_size ? bytes(s.pi.page_size) : null)],
];

export class Settings {
  constructor() {
    this.lines = ROWS.map(([label, read]) => {
      const value = h("dd", {});
      return { read, value, element: h("div", { class: "row" }, h("dt", {}, label), value) };
    });
    this.element = h("section", { class: "card settings", "aria-labelledby": "settings-title" },
      h("header", {}, h("h2", { id: "settings-title" }, "Settings in force")),
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
