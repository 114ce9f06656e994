// The boards on a page: the engines on each, and what is known of a board now. Pure.

import { clock, duration, rate } from "./format.js";

/** The engines of each host. */
export const byHost = (engines) => [...new Set(engines.map((engine) => engine.host))].map((host) => engines.filter((engine) => engine.host === host));

/** The board of `engines` at `now`: the `sample` of one that answers, else the newest; the `total` of their rates; and since when none answers (`absence`). */
export function boardAt(engines, now) {
  const seen = engines.filter((engine) => engine.latest);
  const live = seen.filter((engine) => engine.state === "live" || engine.frozen);
  const last = seen.toSorted((a, b) => b.lastSampleAt - a.lastSampleAt)[0];
  const total = live.reduce((sum, { shown: { store } }) => sum + store.value("successes_per_sec", store.size - 1), 0);
  return live.length
    ? { sample: live[0].shown.sample, total: `${rate(total)} successful / s`, absence: "" }
    : { sample: last?.shown.sample, total: "", absence: absence(engines, last?.lastSampleAt, now) };
}

function absence(engines, last, now) {
  if (last) return `no answer for ${duration((now - last) / 1000)}, as of ${clock(last)}`;
  if (engines.some(({ state }) => state === "refused")) return "not allowed";
  return engines.every(({ state }) => state === "down") ? "no answer yet" : "";
}
