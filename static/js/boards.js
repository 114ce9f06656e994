// The boards on a page: the engines on each, and what is known of a board now. Pure.

import { clock, duration, rate } from "./format.js";

/** The engines of each host. */
export const byHost = (engines) => [...new Set(engines.map((engine) => engine.host))].map((host) => engines.filter((engine) => engine.host === host));

/** The board of `engines` at `now`: the `sample` of one that answers, else the newest; their `total` rate; since when none answers (`absence`). */
export function boardAt(engines, now) {
  const seen = engines.filter((engine) => engine.latest).sort((a, b) => b.lastSampleAt - a.lastSampleAt);
  const live = engines.filter((engine) => engine.latest && (engine.state === "live" || engine.frozen));
  if (!live.length) return { sample: seen[0]?.shown.sample, total: "", absence: absence(engines, seen[0]?.lastSampleAt, now) };
  const total = live.reduce((sum, { shown: { store } }) => sum + store.value("successes_per_sec", store.size - 1), 0);
  return { sample: live[0].shown.sample, total: engines.length > 1 ? `${rate(total)} successful / s` : "", absence: "" };
}

function absence(engines, last, now) {
  if (last) return `no answer for ${duration((now - last) / 1000)}, as of ${clock(last)}`;
  if (engines.some(({ state }) => state === "refused")) return "not allowed";
  return engines.every(({ state }) => state === "down") ? "no answer yet" : "";
}
