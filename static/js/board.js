// The board: three lamps, and every sensor folded below them. What a board cannot measure is named once at the end, never shown as 0.

import { h, mark, put, show } from "./dom.js";
import { celsius, count, load, mebibytes, significant, traffic } from "./format.js";
import { Lamps } from "./lamps.js";

const WORDS = {
  under_voltage: "under-voltage",
  frequency_capped: "frequency capped",
  throttled: "throttled",
  soft_temperature_limit: "soft temperature limit",
};
const named = (flags) => flags.map((flag) => WORDS[flag] ?? flag).join(", ");
const perSecond = (value) => `${traffic(value)}/s`;
const outOf = (part, whole) => `${count(part)} of ${count(whole)} MiB`;
const some = (value) => value !== null && value !== undefined;

// Each group reads its part of `pi`, null when the board has none, and gives rows [label, text, bar, level of the text];
// rows without a text are left out.

/** A bar: `share` (0 to 1), `limit` (share from which it is a problem), `level` (`warn`, `bad` or none). */
const bar = (share, level = null, limit = null) => ({ share: Math.min(1, Math.max(0, share)), level, limit });

const GROUPS = [
  { title: "Temperature", of: (pi) => pi.temperature_c, rows: temperature },
  {
    title: "Clock", of: (pi) => pi.cpu_freq_mhz,
    rows: (mhz, { cpu_freq_max_mhz: most }) => [
      ["Frequency", most ? `${count(mhz)} of ${count(most)} MHz` : `${count(mhz)} MHz`, most ? bar(mhz / most) : null],
    ],
  },
  { title: "Power and throttling", of: (pi) => (some(pi.under_voltage) || pi.throttled ? pi : null), rows: power },
  {
    title: "Fan", of: (pi) => pi.fan,
    rows: ({ rpm, pwm_percent: drive }) => [
      ["Speed", some(rpm) ? `${count(rpm)} rpm` : null],
      ["Drive", some(drive) ? load(drive) : null, some(drive) ? bar(drive / 100) : null],
    ],
  },
  {
    title: "Processor", of: (pi) => pi.load,
    rows: ({ one, five, fifteen }) => [["Load average", [one, five, fifteen].map((n) => n.toFixed(2)).join(" ")]],
  },
  { title: "Memory", of: (pi) => pi.memory, rows: memory },
  {
    title: "Pressure", of: (pi) => pi.psi, hint: "add psi=1 to the kernel command line",
    rows: (psi) => [
      ["CPU stalls (some tasks)", load(psi.cpu_some_avg10)],
      ["Memory stalls (some tasks)", load(psi.memory_some_avg10)],
      ["Memory stalls (all tasks)", load(psi.memory_full_avg10)],
      ["Disk stalls (some tasks)", load(psi.io_some_avg10)],
      ["Disk stalls (all tasks)", load(psi.io_full_avg10)],
    ],
  },
  { title: "Sockets", of: (pi) => pi.sockets, rows: sockets },
  {
    title: "Network", of: (pi) => pi.net,
    rows: (net) => [
      ["Interface", net.interface + (net.speed_mbps > 0 ? `, ${count(net.speed_mbps)} Mbit/s` : "")],
      ["Received", perSecond(net.rx_bytes_per_sec)],
      ["Sent", perSecond(net.tx_bytes_per_sec)],
      ["Dropped on receive", count(net.rx_dropped)],
    ],
  },
  {
    title: "Disk", of: (pi) => pi.disk,
    rows: (disk) => [
      ["Device", `${disk.device}, ${load(disk.busy_percent)} busy`],
      ["Read", perSecond(disk.read_bytes_per_sec)],
      ["Written", perSecond(disk.write_bytes_per_sec)],
      ["Total written", some(disk.lifetime_written_gb) ? `${significant(disk.lifetime_written_gb)} GB` : null],
    ],
  },
];

function temperature(degrees, { temperature_limit_c: limit }) {
  const text = `${degrees.toFixed(1)} °C`;
  if (!some(limit)) return [["System on chip", text, bar((degrees - 20) / 80)]];
  const level = degrees >= limit ? "bad" : degrees >= limit - 5 ? "warn" : null;
  const top = limit + 10;
  return [["System on chip", text, bar((degrees - 20) / (top - 20), level, (limit - 20) / (top - 20))], ["Throttling begins at", celsius(limit)]];
}

function power({ under_voltage: low, throttled }) {
  const under = low || throttled?.now.includes("under_voltage");
  return [
    ["Supply", under ? "under-voltage" : "good", null, under ? "bad" : null],
    ["Now", throttled ? named(throttled.now) || "no limits" : null, null, throttled?.now.length ? "bad" : null],
    ["Since boot", throttled ? named(throttled.occurred) || "no limits" : null],
  ];
}

function memory(ram, { swap }) {
  const level = ram.used_percent >= 95 ? "bad" : ram.used_percent >= 90 ? "warn" : null;
  return [
    ["In use", outOf(ram.total_mb - ram.available_mb, ram.total_mb), bar(ram.used_percent / 100, level)],
    ["Swap", swap?.total_mb > 0 ? outOf(swap.used_mb, swap.total_mb) : null],
    ["Compressed in memory", some(swap?.zram_mb) ? mebibytes(swap.zram_mb) : null],
    ["Graphics (CMA) free", some(ram.cma_free_mb) ? outOf(ram.cma_free_mb, ram.cma_total_mb) : null],
  ];
}

function sockets(s, pi) {
  return [
    ["TCP in use", count(s.tcp_in_use)],
    ["TIME_WAIT sockets", count(s.tcp_time_wait)],
    ["Orphaned sockets", count(s.tcp_orphan)],
    ["TCP buffers", mebibytes(s.tcp_mem_mb)],
    ["Listen overflows since boot", some(pi.listen_overflows) ? count(pi.listen_overflows) : null],
    ["Listen drops since boot", some(pi.listen_drops) ? count(pi.listen_drops) : null],
    ["Retransmits", some(pi.retransmits_per_sec) ? `${significant(pi.retransmits_per_sec)}/s` : null],
  ];
}

export class Board {
  /** `engines`: those on this board, where the page has several boards. */
  constructor(engines = null) {
    const [first] = engines ?? [];
    this.host = first && h("a", { class: "engine-name", href: `${first.origin}/compare3` }, first.host);
    this.title = h("h2", {}, this.host);
    this.note = h("span", { class: "unit" });
    this.total = h("strong", { class: "total" });
    this.lamps = new Lamps();
    this.cores = h("div", { class: "cores", role: "img" });
    this.groups = GROUPS.map((group) => {
      const list = h("dl", { class: "rows" });
      const element = h("div", { class: "board-group" }, h("h3", {}, group.title), list);
      if (group.title === "Processor") element.append(this.cores);
      return { ...group, list, element, lines: [] };
    });
    this.missing = h("p", { class: "missing" });
    this.element = h("section", { class: "card board", "aria-label": first ? `Board ${first.host}` : "Board" },
      h("header", {}, this.title, this.note, this.total), this.lamps.element,
      h("details", {}, h("summary", {}, "All sensors"),
        h("div", { class: "board-groups" }, ...this.groups.map((g) => g.element)), this.missing));
  }

  /** Takes what `boardAt` returns. */
  draw({ sample, total, absence }) {
    const pi = sample?.pi ?? {};
    if (!this.host) put(this.title, pi.model ?? "Board");
    put(this.note, absence || (this.host && pi.model) || "");
    put(this.total, this.host ? total : "");
    mark(this.element, "data-stale", absence ? "yes" : null);
    for (const part of [this.lamps.element, this.element.lastChild]) show(part, !this.host || Boolean(sample));
    this.lamps.draw(pi);
    const missing = [];
    for (const group of this.groups) {
      const part = group.of(pi);
      show(group.element, some(part));
      if (some(part)) this.rows(group, group.rows(part, pi).filter(([, text]) => some(text)));
      else missing.push(group.title.toLowerCase() + (group.hint ? ` (${group.hint})` : ""));
    }
    this.drawCores(pi.cores_percent ?? []);
    show(this.missing, Boolean(sample) && missing.length > 0);
    put(this.missing, `No sensor for: ${missing.join(", ")}.`);
  }

  rows(group, rows) {
    if (group.lines.length !== rows.length) {
      group.lines = rows.map(() => newLine());
      group.list.replaceChildren(...group.lines.map((line) => line.element));
    }
    rows.forEach(([label, text, gauge, level], i) => {
      const line = group.lines[i];
      put(line.label, label);
      put(line.value, text);
      mark(line.value, "data-level", level);
      show(line.gauge, Boolean(gauge));
      if (gauge) drawBar(line, gauge);
    });
  }

  drawCores(percents) {
    show(this.cores, percents.length > 0);
    while (this.cores.children.length < percents.length) this.cores.append(h("span", { class: "core" }, h("span", {})));
    while (this.cores.children.length > percents.length) this.cores.lastChild.remove();
    percents.forEach((percent, i) => {
      this.cores.children[i].firstChild.style.transform = `scaleY(${Math.min(1, percent / 100)})`;
    });
    mark(this.cores, "aria-label", `Cores: ${percents.map((p) => load(p)).join(", ")}`);
  }
}

function newLine() {
  const label = h("dt", {});
  const value = h("dd", {});
  const level = h("span", { class: "level" });
  const limit = h("span", { class: "limit" });
  const gauge = h("span", { class: "gauge", "aria-hidden": "true" }, level, limit);
  return { label, value, gauge, level, limit, element: h("div", { class: "row" }, label, value, gauge) };
}

function drawBar({ gauge, level, limit }, { share, level: name, limit: at }) {
  level.style.transform = `scaleX(${share})`;
  mark(gauge, "data-level", name);
  show(limit, at !== null);
  if (at !== null) limit.style.left = `${at * 100}%`;
}
