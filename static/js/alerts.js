// What a person should know now, in plain words. Pure: from the latest sample and the last minute of the store.

import { celsius, count, load, mebibytes } from "./format.js";

const MINUTE = 60_000;
const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** An alert: `level` is `bad` (act), `warn` (look) or `info` (know); `id` stays the same while it lasts. */
const alert = (id, level, text) => ({ id, level, text });

/** The state of the connection to an engine; null while all is well. */
export function connectionAlert(name, state) {
  if (state === "down") return alert("down", "bad", `${name} is down: trying again every 2 s`);
  if (state === "stale") return alert("stale", "warn", `${name} is silent: no data for more than 2.5 s`);
  return null;
}

/** Alerts about the engine's own process. */
export function engineAlerts(sample, store) {
  const found = [];
  const to = store.lastTime;
  const last = (key) => store.sum(key, to - MINUTE, to);
  if (sample.draining) {
    found.push(alert("draining", "info", "Draining: finishing what has arrived, taking nothing new"));
  }
  const queued = last("refused_by_queue");
  if (queued > 0) {
    found.push(alert("queue", "bad", `Queue full: ${plural(queued, "request")} refused in the last minute`));
  } else if (sample.queue?.capacity > 0 && sample.queue.depth >= 0.8 * sample.queue.capacity) {
    found.push(alert("queue", "warn", `Queue ${load((100 * sample.queue.depth) / sample.queue.capacity)} full`));
  }
  const turned = last("refused_connections");
  if (turned > 0) {
    const text = `Connection limit reached: ${plural(turned, "connection")} refused in the last minute`;
    found.push(alert("connections", "bad", text));
  }
  const files = (100 * sample.open_fds) / sample.max_fds;
  if (files >= 80) {
    found.push(alert("files", files >= 95 ? "bad" : "warn", `Open files at ${load(files)} of the limit`));
  }
  return found;
}

/** Alerts about the board, the same for every engine on it. */
export function boardAlerts(sample, store) {
  const pi = sample.pi;
  if (!pi) return [];
  const now = pi.throttled?.now ?? [];
  const occurred = pi.throttled?.occurred ?? [];
  const found = [];
  if (pi.under_voltage || now.includes("under_voltage")) {
    found.push(alert("voltage", "bad", "Under-voltage: check the power supply"));
  } else if (occurred.includes("under_voltage")) {
    found.push(alert("voltage", "warn", "Under-voltage since the board started: check the power supply"));
  }
  found.push(...heatAlerts(pi, now, occurred), ...fanAlerts(pi));
  const overflows = store.sum("listen_overflows", store.lastTime - MINUTE, store.lastTime);
  if (overflows > 0) {
    const text = `Listen queue overflowed: ${plural(overflows, "connection")} not taken in the last minute`;
    found.push(alert("listen", "bad", text));
  }
  const { total_mb: total, available_mb: available } = pi.memory ?? {};
  if (available < 0.1 * total) {
    const level = available < 0.05 * total ? "bad" : "warn";
    found.push(alert("memory", level, `Low memory: ${mebibytes(available)} of ${mebibytes(total)} available`));
  }
  return found;
}

function heatAlerts(pi, now, occurred) {
  const { temperature_c: degrees, temperature_limit_c: limit } = pi;
  const at = degrees === null || degrees === undefined ? "" : ` at ${celsius(degrees)}`;
  if (now.includes("throttled")) return [alert("heat", "bad", `Throttled${at}`)];
  if (now.includes("soft_temperature_limit")) {
    return [alert("heat", "warn", `Slowed down by the soft temperature limit${at}`)];
  }
  if (now.includes("frequency_capped")) {
    return [alert("heat", "warn", `Clock capped at ${count(pi.cpu_freq_mhz)} of ${count(pi.cpu_freq_max_mhz)} MHz`)];
  }
  if (at && limit && degrees >= limit - 5) {
    if (degrees >= limit) return [alert("heat", "bad", `${celsius(degrees)}: the throttling limit is ${celsius(limit)}`)];
    return [alert("heat", "warn", `${celsius(degrees)}: throttling begins at ${celsius(limit)}`)];
  }
  return occurred.includes("throttled") ? [alert("heat", "info", "Throttled earlier, since the board started")] : [];
}

function fanAlerts(pi) {
  const { rpm, pwm_percent: drive } = pi.fan ?? {};
  // The counter may read 0 for a moment at mid drive, so only an undriven or a hard driven fan at 0 is told.
  if (rpm === 0 && pi.temperature_c >= 70 && !(drive > 0)) {
    return [alert("fan", "warn", `Fan stopped at ${celsius(pi.temperature_c)}`)];
  }
  if (rpm === 0 && drive >= 90) {
    return [alert("fan", "warn", `Fan driven at ${load(drive)} reads 0 rpm: check that it turns`)];
  }
  if (drive >= 99.5) return [alert("fan", "info", `Fan at full speed${rpm > 0 ? `: ${count(rpm)} rpm` : ""}`)];
  return [];
}

const ORDER = { bad: 0, warn: 1, info: 2 };

/** Gravest first, otherwise in the order found. */
export const byGravity = (alerts) => alerts.sort((a, b) => ORDER[a.level] - ORDER[b.level]);
