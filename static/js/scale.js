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

/** Fills `ticks` from `low` upward in round steps, or `whole` ones, and returns the axis top, which is the last tick. */
export function linearTicks(low, high, most, ticks, whole = false) {
  const nice = niceStep(high - low, most);
  const step = whole ? Math.ceil(nice) : nice;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(high / step - 1e-9));
  ticks.length = 0;
  for (let i = first; i <= last; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks[ticks.length - 1];
}

/**
 * The 1-2-5 values around `[low, high]`, which bound the axis and are returned. Fills `ticks` with those between, or with
 * the whole decades alone where they would crowd.
 */
export function logTicks(low, high, ticks) {
  ticks.length = 0;
  let power = Math.floor(Math.log10(low) + 1e-9);
  for (let part = 0; ; part = (part + 1) % 3, power += part === 0 ? 1 : 0) {
    const value = Number(`${[1, 2, 5][part]}e${power}`);
    // The last value at or under `low` begins the axis.
    if (value <= low * (1 + 1e-9)) ticks.length = 0;
    ticks.push(value);
    if (value >= high * (1 - 1e-9) && ticks.length > 1) break;
  }
  const bounds = [ticks[0], ticks[ticks.length - 1]];
  if (ticks.length > 7) {
    let kept = 0;
    for (const tick of ticks) if (Number.isInteger(Math.log10(tick))) ticks[kept++] = tick;
    ticks.length = kept;
  }
  return bounds;
}

/** Seconds between time labels, for a window in milliseconds and room for `most` labels. */
export function timeStep(windowMs, most) {
  for (const s of [5, 10, 15, 30, 60, 120, 180, 300, 600, 1800, 3600, 7200, 14_400]) if (windowMs / (s * 1000) <= most) return s * 1000;
  return 21_600_000;
}
