// Takes the pictures of the pages: idle, then under load, light and dark, on a desktop and a phone, and a Pi in trouble.

import path from "node:path";
import { drawn, launch, leave, open } from "./browser.js";
import { ENGINES, ROOT, hold, load, serve, serveAll, stopAll, untilMetrics } from "./server.js";

const [images] = process.argv.slice(2);
const PAGES = ["dashboard", "compare", "compare3"];
const DEVICES = {
  desktop: { width: 1440, height: 900 },
  phone: { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
/** Seconds of quiet before the load, seconds of load, and busy connections to each engine, in turn. */
const QUIET = 15;
const STEPS = [[14, 2], [14, 6], [14, 12], [14, 5]];
const IDLE_CONNECTIONS = 3000;

const browser = await launch();

async function shoot(name, address, device, colorScheme) {
  const page = await open(browser, `${address}?window=1m`, { ...DEVICES[device], colorScheme });
  await drawn(page, "connections", 2);
  await page.waitForTimeout(1200);
  await page.screenshot({ path: path.join(images, `${name}-${device}-${colorScheme}.png`) });
  await leave(browser);
}

async function shootAll(origin, state, looks) {
  for (const page of PAGES) for (const [device, colour] of looks) await shoot(`${page}-${state}`, `${origin}/${page}`, device, colour);
}

const board = (name) => Object.fromEntries(
  ["proc", "sys", "run"].map((root) => [`FASTGO_${root.toUpperCase()}_ROOT`, path.join(ROOT, "tests/fixtures", name, root)]),
);

try {
  const hot = await serve("hyper", board("pi4"));
  const all = await serveAll({ WORK: "sleep:10ms", IDLE_TIMEOUT: "10m" });
  const main = all.origins["worker-pool"];
  await untilMetrics(main, (m) => m.uptime_seconds > QUIET);
  await shootAll(main, "idle", [["desktop", "light"], ["phone", "dark"]]);

  for (const engine of ENGINES) hold(all.origins[engine], IDLE_CONNECTIONS);
  let stop = () => {};
  for (const [seconds, connections] of STEPS) {
    stop();
    const stops = [...Object.values(all.origins), hot.origin].map((origin) => load(origin, connections));
    stop = () => stops.forEach((end) => end());
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
  await shootAll(main, "load", Object.keys(DEVICES).flatMap((device) => [[device, "light"], [device, "dark"]]));
  await shoot("dashboard-pi4", `${hot.origin}/dashboard`, "desktop", "dark");
  stop();
} finally {
  await browser.close();
  await stopAll();
}
process.exit();
