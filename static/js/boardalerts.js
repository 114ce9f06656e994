// What a person should know now about the board, the same for every engine on it. Pure.

import { MINUTE, alert, plural } from "./alerts.js";
import { celsius, count, load, mebibytes } from "./format.js";

export function boardAlerts(sample, store) {
  const { pi } = sample;
  if (!pi) return [];
  const found = [powerAlert(pi), heatAlert(pi), fanAlert(pi), memoryAlert(pi)];
  const overflows = store.sum("listen_overflows", store.lastTime - MINUTE, store.lastTime);
  if (overflows > 0) {
    found.push(alert("listen", "bad", `Listen queue overflowed: ${plural(overflows, "connection")} dropped in the last minute`));
  }
  return found.filter(Boolean);
}

export function powerAlert({ under_voltage: low, throttled }) {
  if (low || throttled?.now.includes("under_voltage")) return alert("voltage", "bad", "Under-voltage: check the power supply");
  if (throttled?.occurred.includes("under_voltage")) {
    return alert("voltage", "warn", "Under-voltage since the board started: check the power supply");
  }
  return null;
}

export function heatAlert(pi) {
  const { temperature_c: degrees, temperature_limit_c: limit } = pi;
  const [now, occurred] = [pi.throttled?.now ?? [], pi.throttled?.occurred ?? []];
  const at = degrees === null || degrees === undefined ? "" : ` at ${celsius(degrees)}`;
  if (now.includes("throttled")) return alert("heat", "bad", `Throttled${at}`);
  if (now.includes("soft_temperature_limit")) return alert("heat", "warn", `Slowed down by the soft temperature limit${at}`);
  if (now.includes("frequency_capped")) {
    return alert("heat", "warn", `Clock capped at ${count(pi.cpu_freq_mhz)} of ${count(pi.cpu_freq_max_mhz)} MHz`);
  }
  if (at && limit && degrees >= limit) return alert("heat", "bad", `${celsius(degrees)}: the throttling limit is ${celsius(limit)}`);
  if (at && limit && degrees >= limit - 5) return alert("heat", "warn", `${celsius(degrees)}: throttling begins at ${celsius(limit)}`);
  return occurred.includes("throttled") ? alert("heat", "info", "Throttled earlier, since the board started") : null;
}

function fanAlert(pi) {
  const { rpm, pwm_percent: drive } = pi.fan ?? {};
  // The counter may read 0 for a moment at partial drive, so only an undriven or a hard driven fan at 0 counts.
  if (rpm === 0 && pi.temperature_c >= 70 && !(drive > 0)) return alert("fan", "warn", `Fan stopped at ${celsius(pi.temperature_c)}`);
  if (rpm === 0 && drive >= 90) return alert("fan", "warn", `Fan driven at ${load(drive)} reads 0 rpm: check that it turns`);
  if (drive >= 99.5) return alert("fan", "info", `Fan at full speed${rpm > 0 ? `: ${count(rpm)} rpm` : ""}`);
  return null;
}

export function memoryAlert(pi) {
  const { total_mb: total, available_mb: available } = pi.memory ?? {};
  if (!(available < 0.1 * total)) return null;
  const level = available < 0.05 * total ? "bad" : "warn";
  return alert("memory", level, `Low memory: ${mebibytes(available)} of ${mebibytes(total)} available`);
}
