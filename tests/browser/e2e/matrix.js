// Takes every page in every state, width and theme, for a person to look at: idle, under load, and in trouble.
// ../matrix runs it.

import { mkdirSync } from "node:fs";
import path from "node:path";
import { drawn, launch, leave, open } from "./browser.js";
import { ENGINES, ROOT, hold, load, loadAlike, serveAll, stopAll, untilMetrics } from "./server.js";

const [images, wanted = ""] = process.argv.slice(2);
const PAGES = { dashboard: "dashboard?window=1m", compare: "compare?window=1m", compare3: "compare3?window=1m", wall: "compare3?window=1m&wall", runs: "runs" };
const WIDTHS = { 360: { height: 780, deviceScaleFactor: 2, isMobile: true, hasTouch: true }, 1440: { height: 900 }, 3840: { height: 2160 } };
const THEMES = ["light", "dark"];
/** Seconds of quiet and of load before a picture. */
const QUIET = 12;
const LOADED = 45;
const HELD = 2000;
/** Seconds for which an engine stands still: then it counts as down. */
const STOPPED = 9;

mkdirSync(images, { recursive: true });
const browser = await launch();
const seconds = (n) => new Promise((resolve) => setTimeout(resolve, n * 1000));

/** `meanwhile()` is done between the first samples and the picture; what it returns, after the picture. */
async function shoot(origin, page, state, width, colorScheme, meanwhile = () => {}) {
  const name = `${page}-${state}-${width}-${colorScheme}`;
  if (!name.includes(wanted)) return;
  const shown = await open(browser, `${origin}/${PAGES[page]}${page === "runs" ? await newestRuns(origin) : ""}`, { width: Number(width), colorScheme, ...WIDTHS[width] });
  if (page !== "runs") await drawn(shown, "connections", 2);
  const end = await meanwhile(page);
  await shown.waitForTimeout(1500);
  await shown.screenshot({ path: path.join(images, `${name}.png`), fullPage: width !== "3840" });
  end?.();
  await leave(browser);
}

/** The query that shows the report of the newest run of each engine. */
async function newestRuns(origin) {
  const { peers } = await untilMetrics(origin, () => true);
  const runs = await Promise.all(peers.map(({ port }) =>
    fetch(`http://127.0.0.1:${port}/runs`).then((answer) => answer.json()).then((answer) => answer.runs[0], () => null)));
  const keys = runs.filter(Boolean).map((run) => `${run.engine}:${run.id}`);
  return keys.length ? `?runs=${keys.join()}` : "";
}

async function shootAll(origin, state, meanwhile) {
  for (const page of Object.keys(PAGES)) for (const width of Object.keys(WIDTHS)) for (const theme of THEMES) await shoot(origin, page, state, width, theme, meanwhile);
}

const pi = (name) => Object.fromEntries(
  ["proc", "sys", "run"].map((root) => [`FASTGO_${root.toUpperCase()}_ROOT`, path.join(ROOT, "tests/fixtures", name, root)]),
);

/** Idle, then loaded alike. */
async function well() {
  const all = await serveAll({ WORK: "sleep:10ms", IDLE_TIMEOUT: "10m", ...pi("pi5") });
  const main = all.origins["worker-pool"];
  await untilMetrics(main, (m) => m.uptime_seconds > QUIET);
  await shootAll(main, "idle");
  for (const engine of ENGINES) hold(all.origins[engine], HELD);
  let stop = loadAlike(Object.values(all.origins), 10);
  await seconds(10);
  stop();
  await seconds(8);
  stop = loadAlike(Object.values(all.origins), 6);
  await seconds(LOADED);
  await shootAll(main, "load");
  stop();
  await all.stop();
}

/** A hot board short of power, a pool that is too small, one engine at its connection limit and one that stands still. */
async function trouble() {
  const all = await serveAll({ WORKERS: "2", WORK: "sleep:100ms", READ_TIMEOUT: "2s", MAX_CONNECTIONS: "200", IDLE_TIMEOUT: "10m", ...pi("pi4") });
  const main = all.origins["worker-pool"];
  const stops = [load(main, 160), load(all.origins.hyper, 5)];
  await seconds(25);
  hold(all.origins.hyper, 260);
  await seconds(5);
  await shootAll(main, "trouble", async (page) => {
    if (page === "dashboard" || page === "runs") return null;
    all.signalEngine("may", "SIGSTOP");
    await seconds(STOPPED);
    return () => all.signalEngine("may", "SIGCONT");
  });
  stops.forEach((stop) => stop());
  await all.stop();
}

try {
  if (!wanted.includes("trouble")) await well();
  if (!wanted.includes("idle") && !wanted.includes("load")) await trouble();
} finally {
  await browser.close();
  await stopAll();
}
process.exit();
