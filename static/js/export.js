// What is on the screen as a file: every column of every engine over the window shown, as CSV or JSON. Texts are pure.

import { COLUMNS } from "./fields.js";
import { h } from "./dom.js";

/** Rows of one engine in [start, end] as `[time, value, …]`, null where there was none. */
function rows({ store }, start, end) {
  const out = [];
  for (let i = store.indexAt(start); i < store.size && store.time(i) <= end; i++) {
    const row = [new Date(store.time(i)).toISOString()];
    for (const key of COLUMNS) {
      const value = store.value(key, i);
      row.push(Number.isFinite(value) ? Math.round(value * 1e6) / 1e6 : null);
    }
    out.push(row);
  }
  return out;
}

/** One line a sample, engines one after the other; an empty cell is "no value". `engines`: `{ name, origin, store }`. */
export function csv(engines, start, end) {
  const lines = [["time", "engine", "origin", ...COLUMNS].join(",")];
  for (const engine of engines) {
    for (const [time, ...values] of rows(engine, start, end)) {
      lines.push([time, quoted(engine.name), engine.origin, ...values.map((v) => v ?? "")].join(","));
    }
  }
  return `${lines.join("\n")}\n`;
}

/** The same, with each engine's settings and its last whole sample beside the columns. */
export function json(engines, start, end) {
  return JSON.stringify({
    from: new Date(start).toISOString(),
    to: new Date(end).toISOString(),
    columns: ["time", ...COLUMNS],
    engines: engines.map((engine) => ({
      engine: engine.name,
      origin: engine.origin,
      rows: rows(engine, start, end),
      last_sample: engine.sample ?? null,
    })),
  });
}

// A name that a spreadsheet could take for a formula is kept a text.
const quoted = (text) => `"${(/^[=+\-@]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;

/** Hands a text to the browser as a download. */
export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = h("a", { href: url, download: name });
  link.click();
  // The download has its own hold on the data once it has begun.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
