// Numbers, units and times as the pages write them. Pure. A missing number is written as an em dash, never as 0.

export const NONE = "—";
/** Bytes in the mebibyte that `*_mb` fields count. */
export const MIB = 1_048_576;

const digits = [0, 1, 2].map(
  (n) => new Intl.NumberFormat("en-US", { minimumFractionDigits: n, maximumFractionDigits: n }),
);
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);
const fixed = (value, places) => digits[places].format(value);

/** A count: `12,345`. */
export function count(value) {
  return known(value) ? fixed(value, 0) : NONE;
}

/** About three significant digits, for values that range widely: `0.42`, `4.21`, `42.1`, `421`, `4,210`. */
export function significant(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  return fixed(value, size === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2);
}

/** Per-second rates: whole from 10 up, one decimal below. */
export function rate(value) {
  if (!known(value)) return NONE;
  return fixed(value, value === 0 || value >= 9.95 ? 0 : 1);
}

/** Milliseconds in, `0.42 ms` … `1.24 s` out. */
export function latency(value) {
  if (!known(value)) return NONE;
  return value >= 1000 ? `${significant(value / 1000)} s` : `${significant(value)} ms`;
}

/** Microseconds in, `42.1 µs` or `1.20 ms` out. */
export function micros(value) {
  if (!known(value)) return NONE;
  return value >= 1000 ? `${significant(value / 1000)} ms` : `${significant(value)} µs`;
}

/** A share in percent. A trace is never rounded down to nothing: `<0.01%`. */
export function percent(value) {
  if (!known(value)) return NONE;
  if (value > 0 && value < 0.01) return "<0.01%";
  return `${fixed(value, value === 0 || value >= 9.95 ? 0 : value >= 1 ? 1 : 2)}%`;
}

/** CPU or gauge percent, one decimal below 10. */
export function load(value) {
  return known(value) ? `${rate(value)}%` : NONE;
}

/** A temperature, whole degrees: `82 °C`. */
export function celsius(value) {
  return known(value) ? `${fixed(value, 0)} °C` : NONE;
}

const BINARY = ["B", "KiB", "MiB", "GiB", "TiB"];
const DECIMAL = ["B", "kB", "MB", "GB", "TB"];

function scaled(value, base, units) {
  if (!known(value)) return NONE;
  let unit = 0;
  while (Math.abs(value) >= 10 * base && unit < units.length - 1) {
    value /= base;
    unit += 1;
  }
  // Below ten of the next unit the smaller unit still reads well: 1,012 B rather than 0.99 KiB.
  if (unit > 0 || Math.abs(value) < base) return `${unit ? significant(value) : fixed(value, 0)} ${units[unit]}`;
  return `${fixed(value, 0)} ${units[unit]}`;
}

/** Memory, in binary units: `1,012 B`, `61.2 MiB`. */
export const bytes = (value) => scaled(value, 1024, BINARY);
/** Traffic, in decimal units: `4,200 B`, `12.3 MB`. */
export const traffic = (value) => scaled(value, 1000, DECIMAL);

/** Memory given in MiB, in MiB up to 10 GiB: `0.42 MiB`, `61.2 MiB`, `1,012 MiB`. */
export function mebibytes(value) {
  if (!known(value)) return NONE;
  return value >= 10_240 ? `${significant(value / 1024)} GiB` : `${significant(value)} MiB`;
}

/** `12 s`, `3 min 20 s`, `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function duration(seconds) {
  if (!known(seconds)) return NONE;
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min${s % 60 ? ` ${s % 60} s` : ""}`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

/** A setting in milliseconds: `250 ms`, `15 s`, `1 min`. */
export function setting(ms) {
  if (!known(ms)) return NONE;
  if (ms >= 60_000 && ms % 60_000 === 0) return `${count(ms / 60_000)} min`;
  return ms >= 1000 && ms % 1000 === 0 ? `${count(ms / 1000)} s` : `${count(ms)} ms`;
}

const two = (n) => String(n).padStart(2, "0");

/** Local time of day, `14:32:05`. */
export function clock(time, seconds = true) {
  const d = new Date(time);
  return `${two(d.getHours())}:${two(d.getMinutes())}${seconds ? `:${two(d.getSeconds())}` : ""}`;
}

/** An axis label: `950`, `1.2k`, `15k`, `2M`. */
export function compact(value) {
  const size = Math.abs(value);
  const trim = (n) => String(Math.round(n * 100) / 100);
  if (size >= 1e9) return `${trim(value / 1e9)}G`;
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e3) return `${trim(value / 1e3)}k`;
  return trim(value);
}

/** Bytes to two digits, for what is known no better: `≈ 470 B`, `≈ 1.2 KiB`. */
export function roughBytes(value) {
  if (!known(value)) return NONE;
  if (value === 0) return "0 B";
  const step = 10 ** (Math.floor(Math.log10(value)) - 1);
  const rough = Math.round(value / step) * step;
  return rough < 1024 ? `≈ ${fixed(rough, 0)} B` : `≈ ${Number((value / 1024).toPrecision(2))} KiB`;
}
