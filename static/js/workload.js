// What a `work` setting means: in words, and the time it takes. Pure.

const UNITS = { ns: 1e-6, us: 1e-3, "µs": 1e-3, ms: 1, s: 1000, m: 60_000 };

const PART = /(\d+)([a-zµ]+)/g;

/** Kind (`none`, `sleep`, `cpu` or null for unknown) and milliseconds of a `work` setting. */
export function parseWork(text) {
  if (text === "none") return { kind: "none", ms: 0 };
  const [, kind, amount] = /^(sleep|cpu):((?:\d+[a-zµ]+)+)$/.exec(text ?? "") ?? [];
  const ms = [...(amount ?? "").matchAll(PART)].reduce((sum, [, number, unit]) => sum + number * UNITS[unit], 0);
  return kind && Number.isFinite(ms) ? { kind, ms } : { kind: null, ms: NaN };
}

/** The time a request's work takes, in words: `sleep:10ms` → `10 ms`, `cpu:2ms` → `2 ms of CPU`. */
export function workAmount(text) {
  const { kind } = parseWork(text);
  if (kind === "none") return "none";
  if (kind === null) return text ?? "unknown";
  const amount = text.split(":")[1].replace(PART, " $1 $2").trim();
  return kind === "cpu" ? `${amount} of CPU` : amount;
}

/** The setting in words: `sleep:10ms` → `simulated work: 10 ms`. */
export const describeWork = (text) => (text === "none" ? "no simulated work" : `simulated work: ${workAmount(text)}`);
