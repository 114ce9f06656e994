// One engine at a glance on the compare pages: who, how it is, what it does now, and its throughput on the common scale.

import { h, mark, put, show } from "./dom.js";
import { clients } from "./fields.js";
import { NONE, count, latency, load, mebibytes, rate } from "./format.js";
import { Plot } from "./plot.js";
import { Status } from "./status.js";
import { marker } from "./swatch.js";
import { describeWork } from "./workload.js";

const timed = (name) => (s) => (s.latency_ms.count > 0 ? latency(s.latency_ms[name]) : NONE);

const NUMBERS = [
  { id: "p50", label: "p50", text: timed("p50") },
  { id: "p99", label: "p99", text: timed("p99") },
  { id: "in_flight_requests", label: "In flight", text: (s) => count(s.in_flight_requests) },
  { id: "active_connections", label: "Connections", text: (s) => count(clients(s)) },
  { id: "cpu_usage_percent", label: "CPU", text: (s) => load(s.cpu_usage_percent) },
  { id: "memory_alloc_mb", label: "Memory", text: (s) => mebibytes(s.memory_alloc_mb) },
];

export class EngineCard {
  constructor(engine) {
    this.engine = engine;
    this.shape = h("span", { class: "shape" });
    this.name = h("a", { class: "engine-name", href: `${engine.origin}/dashboard` });
    this.status = new Status();
    this.work = h("span", { class: "work" }, " ");
    this.rate = h("strong", { "data-metric": "successes_per_sec" }, NONE);
    this.failed = h("span", { class: "failed", "data-metric": "errors_per_sec" });
    this.numbers = NUMBERS.map((number) => ({ ...number, value: h("dd", { "data-metric": number.id }, NONE) }));
    const spark = h("div", { class: "spark", "aria-hidden": "true" });
    this.element = h("article", { class: "card engine", "data-origin": engine.origin },
      h("header", {}, h("h2", {}, this.shape, this.name), this.status.element, this.work),
      h("div", { class: "headline" }, h("p", { class: "rate" }, this.rate, h("span", { class: "rate-unit" }, "successful / s"), this.failed), spark),
      h("dl", { class: "numbers" }, ...this.numbers.map(({ label, value }) => h("div", {}, h("dt", {}, label), value))));
    this.plot = new Plot(spark, {
      bare: true,
      series: [
        { key: "successes_per_sec", store: () => engine.shown.store, slot: () => engine.slot, fill: 0.12 },
        { key: "errors_per_sec", store: () => engine.shown.store, slot: () => "bad", marked: false },
      ],
    });
  }

  peak(start, end) {
    return this.plot.peak(start, end);
  }

  draw(start, end, high, paused) {
    const { engine } = this;
    const { sample, store } = engine.shown;
    const fresh = sample && (paused || engine.state === "live");
    const now = (key) => (fresh ? store.value(key, store.size - 1) : NaN);
    put(this.name, engine.short ?? engine.name);
    if (this.slot !== engine.slot) this.shape.replaceChildren(marker((this.slot = engine.slot)));
    this.status.draw(engine, paused);
    put(this.work, sample ? describeWork(sample.work) : " ");
    mark(this.element, "data-state", engine.state);
    mark(this.element, "data-time", fresh ? sample.time_unix_ms : null);
    put(this.rate, rate(now("successes_per_sec")));
    show(this.failed, now("errors_per_sec") > 0);
    put(this.failed, `${rate(now("errors_per_sec"))} failed / s`);
    for (const { value, text } of this.numbers) put(value, fresh ? text(sample) : NONE);
    this.plot.draw(start, end, high);
  }
}
