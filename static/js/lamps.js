// The board at a glance: power, heat and memory, each as one lamp with a word. What a board cannot measure says so.

import { heatAlert, memoryAlert, powerAlert } from "./boardalerts.js";
import { h, mark, put, show } from "./dom.js";
import { celsius, load } from "./format.js";

const ICONS = { good: "●", warn: "◆", bad: "▲", none: "○" };
const some = (value) => value !== null && value !== undefined;

/** `{ level, word, note, share }` of each lamp; `share` (0 to 1) fills its bar. */
export function readLamps(pi) {
  return { power: power(pi), heat: heat(pi), memory: memory(pi) };
}

const NO_SENSOR = { level: "none", word: "No sensor", note: "", share: null };

function power(pi) {
  if (!some(pi.under_voltage) && !pi.throttled) return NO_SENSOR;
  const level = powerAlert(pi)?.level ?? "good";
  const words = { good: ["Good", "stable"], warn: ["Was low", "since boot"], bad: ["Too low", "check supply"] };
  const [word, note] = words[level];
  return { level, word, note, share: null };
}

function heat(pi) {
  const { temperature_c: degrees, temperature_limit_c: limit } = pi;
  const found = heatAlert(pi);
  if (!some(degrees) && !found) return NO_SENSOR;
  const level = found && found.level !== "info" ? found.level : "good";
  const slowed = pi.throttled?.now.length > 0;
  return {
    level, word: some(degrees) ? celsius(degrees) : "Hot",
    note: slowed ? "slowed down" : limit ? `limit ${celsius(limit)}` : "",
    share: limit && some(degrees) ? (degrees - 20) / (limit - 20) : null,
  };
}

function memory(pi) {
  if (!pi.memory) return NO_SENSOR;
  const { used_percent: used, available_mb: available } = pi.memory;
  return { level: memoryAlert(pi)?.level ?? "good", word: `${load(used)} used`, note: `${(available / 1024).toFixed(1)} GiB free`, share: used / 100 };
}

export class Lamps {
  constructor() {
    this.lamps = Object.entries({ power: "Power", heat: "Heat", memory: "Memory" }).map(([key, label]) => {
      const icon = h("span", { class: "icon", "aria-hidden": "true" });
      const word = h("strong", {});
      const note = h("span", { class: "lamp-note" });
      const fill = h("span", { class: "level" });
      const bar = h("span", { class: "gauge", "aria-hidden": "true" }, fill);
      const element = h("li", { class: "lamp-card", "data-lamp": key }, h("span", { class: "lamp-label" }, icon, label), word, note, bar);
      return { key, icon, word, note, fill, bar, element };
    });
    this.element = h("ul", { class: "lamps", "aria-label": "Power, heat and memory of the board" }, ...this.lamps.map((lamp) => lamp.element));
  }

  draw(pi) {
    const read = readLamps(pi);
    for (const { key, icon, word, note, fill, bar, element } of this.lamps) {
      const lamp = read[key];
      mark(element, "data-level", lamp.level);
      put(icon, ICONS[lamp.level]);
      put(word, lamp.word);
      put(note, lamp.note);
      show(bar, lamp.share !== null);
      mark(bar, "data-level", lamp.level);
      if (lamp.share !== null) fill.style.transform = `scaleX(${Math.min(1, Math.max(0, lamp.share))})`;
    }
  }
}
