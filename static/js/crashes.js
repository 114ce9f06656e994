// How earlier runs of an engine's service ended, as the service noted it over restarts and reboots. Pure.

import { plural } from "./alerts.js";

/** `3 crashes, 1 by the watchdog`; null where there were none, or nobody notes them. */
export function crashCount(crashes) {
  if (!(crashes?.total > 0)) return null;
  return `${plural(crashes.total, "crash", "crashes")}${crashes.watchdog > 0 ? `, ${crashes.watchdog} by the watchdog` : ""}`;
}

/** The last one: when and why. */
export function lastCrash(crashes) {
  const { time, reason } = crashes?.last ?? {};
  return time ? `${new Date(time).toLocaleString()}: ${reason}` : null;
}
