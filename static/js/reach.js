// Which engines do not answer, and whose fault that looks like: the engine's, the host's, or the network's. Pure.

import { alert, plural } from "./alerts.js";
import { byHost } from "./boards.js";
import { clock, duration } from "./format.js";

const NO_DATA = new Set(["down", "stale"]);

/** Whether nothing has come from this engine for seconds. */
export const isSilent = ({ state }) => NO_DATA.has(state);

/**
 * Alerts for the engines that do not answer; each has the `id` of its engine or host. Engines are `{ name, host, origin, state, lastSampleAt, siblings }`:
 * `siblings` says which others on its host were asked, `{ asked, answering: [name] }`, where the page shows one alone. `served`: the origin of the page.
 */
export function reachAlerts(engines, now, online = true, served = null) {
  const found = [];
  for (const here of byHost(engines)) {
    const [{ host }] = here;
    const silent = here.filter(isSilent);
    // All of several engines at once: that is hardly the engines' fault.
    if (here.length > 1 && silent.length === here.length) found.push(hostAlert(host, here, online));
    else for (const engine of silent) found.push(engineAlert(engine, now, engine.origin === served ? here.find((other) => !isSilent(other)) : null));
    if (here.some(({ state }) => state === "refused")) {
      found.push(alert(`${host}/refused`, "bad", `${host} answers, but this page may not read its figures: add ${new URL(served).hostname} to BOARDS there`));
    }
    for (const { name, state } of here) if (state === "full") found.push(alert(`${name}/full`, "bad", `${name} is at its connection limit: it answers, but accepts no more connections`));
  }
  return found;
}

function hostAlert(host, engines, online) {
  const last = Math.max(...engines.map((engine) => engine.lastSampleAt ?? -Infinity));
  const many = ` (${plural(engines.length, "engine")})`;
  const since = Number.isFinite(last) ? ` since ${clock(last)}` : "";
  const cause = online ? "Check the network and the board's power" : "This computer is offline";
  return alert(`${host}/unreachable`, "bad", `Cannot reach ${host}${many}${since}. ${cause}`);
}

/** What the other engines of the host say about the silence of one. */
function othersOf({ answering }, host) {
  if (!answering.length) return `. Nothing else on ${host} answers either: check the network`;
  return `. ${answering.join(" and ")} on the same host ${answering.length > 1 ? "answer" : "answers"}`;
}

/** `spare`: another engine that has the page, where it is this one that served it. */
function engineAlert({ name, origin, state, lastSampleAt, siblings }, now, spare) {
  const others = siblings?.asked > 0 ? othersOf(siblings, new URL(origin).hostname) : spare ? `. To reload this page, open it at ${spare.origin}` : "";
  if (lastSampleAt === null) return alert(`${name}/down`, "bad", `No answer from ${name} at ${origin}: not running, or on another port${others}`);
  const silence = duration((now - lastSampleAt) / 1000);
  if (state === "stale") return alert(`${name}/stale`, "warn", `No data from ${name} for ${silence}`);
  return alert(`${name}/down`, "bad", `${name} stopped answering at ${clock(lastSampleAt)} (${silence} ago). Retrying every 2 s${others}`);
}
