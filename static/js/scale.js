// Axis arithmetic: round tops and tick positions for linear, logarithmic and time axes. Pure; ticks go into a given array.

const STEPS = [1, 2, 2.5, 5, 10];

/** The smallest round step that covers `span` in at most `most` intervals. */
export function niceStep(span, most) {
  if (!(span > 0)) return 1;
  const raw = span / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  for (const step of STEPS) if (step * power >= raw * (1 - 1e-9)) return step * power;
  return 10 * power;
}

/** Fills `ticks` from `low` upward in round steps and returns the axis top, which is the last tick. */
export function linearTicks(low, high, most, ticks) {
  const step = niceStep(high - low, most);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  ticks.length = 0;
  for (let i = first; i <= last; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks[ticks.length - 1];
}

/** Fills `ticks` with whole decades around `[low, high]` (1-2-5 within when that is under two decades). */
export function logTicks(low, high, ticks) {
  let from = Math.floor(Math.log10(low) + 1e-9);
  let to = Math.ceil(Math.log10(high) - 1e-9);
  if (to <= from) to = from + 1;
  ticks.length = 0;
  const parts = to - from <= 2 ? [1, 2, 5] : [1];
  for (let p = from; p < to; p++) for (const part of parts) ticks.push(part * 10 ** p);
  ticks.push(10 ** to);
  return ticks;
}

/** Seconds between time labels, for a window in milliseconds and room for `most` labels. */
export function timeStep(windowMs, most) {
  for (const s of [5, 10, 15, 30, 60, 120, 180, 300]) if (windowMs / (s * 1000) <= most) return s * 1000;
  return 300_000;
}
