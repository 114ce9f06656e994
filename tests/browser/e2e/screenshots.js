// Takes the pictures of the pages: idle, then under load, light and dark, on a desktop, a phone, a wall and its wall display, an overloaded engine,
// a Pi with problems (its sensors are files of the tests), and the students' page.

import path from "node:path";
import { drawn, launch, leave, open } from "./browser.js";
import { shootRegister } from "./register-pictures.js";
import { ENGINES, ROOT, hold, load, loadAlike, serve, serveAll, stopAll, untilMetrics } from "./server.js";

const [images] = process.argv.slice(2);
const PAGES = ["dashboard", "compare", "compare3"];
const DEVICES = {
  desktop: { width: 1440, height: 900 },
  wall: { width: 3840, height: 2160, deviceScaleFactor: 0.5 },
  display: { width: 3840, height: 2160, deviceScaleFactor: 0.5, query: "&wall" },
  phone: { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
/** Seconds of quiet before the load, seconds of load, and users that ask every engine, in turn. */
const QUIET = 12;
const STEPS = [[14, 4], [14, 10], [14, 16], [14, 7]];
/** Users of an engine that can serve about a quarter of them before their requests time out. */
const TOO_MANY = 160;
const IDLE_CONNECTIONS = 3000;

const browser = await launch();

async function shoot(name, address, device, colorScheme) {
  const { query = "", ...looks } = DEVICES[device];
  const page = await open(browser, `${address}?window=1m${query}`, { ...looks, colorScheme });
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
    stop = loadAlike([...Object.values(all.origins), hot.origin], connections);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  }
  await shootAll(main, "load", ["desktop", "phone"].flatMap((device) => [[device, "light"], [device, "dark"]]));
  await shoot("dashboard-pi4", `${hot.origin}/dashboard`, "desktop", "dark");
  await shoot("compare3-load", `${main}/compare3`, "wall", "dark");
  await shoot("compare3-load", `${main}/compare3`, "display", "dark");
  stop();
  const small = await serve("worker-pool", { WORKERS: "2", WORK: "sleep:100ms", READ_TIMEOUT: "2s" });
  stop = load(small.origin, TOO_MANY);
  await untilMetrics(small.origin, (m) => m.uptime_seconds > QUIET);
  await shoot("dashboard-overload", `${small.origin}/dashboard`, "desktop", "light");
  stop();
  await shootRegister(browser, images, DEVICES.phone);
} finally {
  await browser.close();
  await stopAll();
}
process.exit();
