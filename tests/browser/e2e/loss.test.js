// Engines that die, fall silent or drain, tabs that are hidden, and addresses that are wrong.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { drawn, launch, leave, open, points } from "./browser.js";
import { metrics, serve, stopAll, untilMetrics } from "./server.js";

const WITHIN = 3000;
let browser;
let pool;
let hyper;

before(async () => {
  [browser, pool, hyper] = await Promise.all([launch(), serve("worker-pool"), serve("hyper")]);
});

after(async () => {
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

const compare = (...origins) => `${pool.origin}/compare?engines=${(origins.length ? origins : [pool.origin, hyper.origin]).join()}`;
const state = (page, origin, name, timeout) =>
  page.locator(`.engine[data-origin="${origin}"] .status[data-state="${name}"]`).waitFor({ timeout });

test("a killed engine is down within 3 s, and is picked up when it returns on its port", async () => {
  const page = await open(browser, compare());
  await state(page, hyper.origin, "live");
  await hyper.kill();
  await state(page, hyper.origin, "down", WITHIN);
  const card = page.locator(`.engine[data-origin="${hyper.origin}"]`);
  assert.equal(await card.locator('[data-metric="successes_per_sec"]').textContent(), "—");
  await page.locator(".notices .bad", { hasText: /hyper stopped answering at \d\d:\d\d:\d\d \(\d+ s ago\)/ }).waitFor();
  await page.locator(".events [data-open]", { hasText: /hyper stopped answering, .*journalctl -u fastgo@hyper/ }).waitFor();
  assert.match(await page.title(), /1 down/);
  assert.ok(await page.locator(`.engine[data-origin="${pool.origin}"] .status[data-state="live"]`).isVisible());
  hyper = await serve("hyper", { port: hyper.port });
  await state(page, hyper.origin, "live", 5000);
  await page.locator(".notices .good", { hasText: "No problems" }).waitFor();
  await page.locator(".events li", { hasText: /hyper stopped answering and restarted after \d+ s/ }).waitFor();
});

test("an engine that falls silent shows within 3 s, nothing old is passed off as new, and the silence is kept", async () => {
  const page = await open(browser, `${hyper.origin}/dashboard`);
  await page.locator('.status[data-state="live"]').waitFor();
  await drawn(page, "connections", 2);
  hyper.signal("SIGSTOP");
  await page.locator('.status[data-state="stale"]').waitFor({ timeout: WITHIN + 1000 });
  assert.equal(await page.locator('[data-metric="active_connections"]').textContent(), "—");
  await page.locator(".notices", { hasText: /No data from hyper for \d s/ }).waitFor();
  assert.match(await page.locator(".facts").textContent(), /as of \d\d:\d\d:\d\d/);
  assert.match(await page.locator(".board").textContent(), /as of \d\d:\d\d:\d\d/);
  assert.ok(Number(await page.locator(".board .lamps").evaluate((e) => getComputedStyle(e).opacity)) < 0.7, "old values are dimmed");
  await page.waitForTimeout(2000);
  hyper.signal("SIGCONT");
  await page.locator('.status[data-state="live"]').waitFor({ timeout: 10_000 });
  await page.locator(".events li", { hasText: /hyper did not run for \d+ s/ }).waitFor();
  assert.equal(await page.locator("main[data-stale]").count(), 0);
});

test("a hidden tab holds no stream; back in sight it fills the gap", async () => {
  const page = await open(browser, `${pool.origin}/dashboard`, { before: hideable });
  await drawn(page, "connections", 2);
  await untilMetrics(pool.origin, (m) => m.sse_subscribers === 1);
  await page.evaluate(() => globalThis.setHidden(true));
  const gone = await untilMetrics(pool.origin, (m) => m.sse_subscribers === 0);
  await untilMetrics(pool.origin, (m) => m.uptime_seconds > gone.uptime_seconds + 5);
  await page.evaluate(() => globalThis.setHidden(false));
  const { uptime_seconds: uptime } = await untilMetrics(pool.origin, (m) => m.sse_subscribers === 1);
  await page.locator('.status[data-state="live"]').waitFor();
  await drawn(page, "connections", Math.floor(Math.min(uptime, 290)) - 3);
});

function hideable() {
  let hidden = false;
  Object.defineProperty(document, "hidden", { get: () => hidden });
  globalThis.setHidden = (value) => {
    hidden = value;
    document.dispatchEvent(new Event("visibilitychange"));
  };
}

test("a draining engine says so, then is down", async () => {
  const mortal = await serve("hyper", { WORK: "sleep:4s" });
  const page = await open(browser, compare(pool.origin, mortal.origin));
  await state(page, mortal.origin, "live");
  const held = fetch(mortal.origin);
  await untilMetrics(mortal.origin, (m) => m.in_flight_requests === 1);
  mortal.signal("SIGTERM");
  await state(page, mortal.origin, "down", 8000);
  assert.equal((await held).status, 200, "the request in flight was answered");
  await mortal.ended;
});

test("bad addresses in ?engines= are reported, the others go on", async () => {
  const page = await open(browser, compare(pool.origin, "ftp://pi", "nonsense", hyper.origin));
  await state(page, pool.origin, "live");
  await state(page, hyper.origin, "live");
  assert.equal(await page.locator(".engine").count(), 2);
  const said = await page.locator(".notices li").allTextContents();
  assert.ok(said.some((text) => text.includes("ftp://pi") && text.includes("left out")), said.join());
  assert.ok(said.some((text) => text.includes("nonsense")), said.join());
});

test("two engines of a kind stay apart", async () => {
  const twin = await serve("hyper", { WORK: "none" });
  const page = await open(browser, compare(hyper.origin, twin.origin));
  await state(page, twin.origin, "live");
  const names = await page.locator(".engine .engine-name").allTextContents();
  assert.deepEqual(names, [hyper, twin].map((e) => `hyper 127.0.0.1:${e.port}`));
  await page.locator(".work-note", { hasText: "The engines simulate different work (10 ms, none), so speed cannot be compared" }).waitFor();
});

test("six engines fit side by side, each figure in its column", async () => {
  const six = await Promise.all(Array.from({ length: 6 }, () => serve("hyper")));
  for (const [width, height] of [[360, 740], [1440, 900]]) {
    const page = await open(browser, compare(...six.map(({ origin }) => origin)), { width, height });
    await state(page, six[5].origin, "live");
    for (const { origin } of six) await fetch(origin);
    await page.locator(".comparison table").waitFor();
    const { wide, overlaps } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      overlaps: [...document.querySelectorAll(".comparison tr")].flatMap((row) => [...row.cells].filter((cell) => cell.scrollWidth > cell.clientWidth)).length,
    }));
    assert.ok(wide <= width, `${wide} px wide on ${width}`);
    assert.equal(overlaps, 0, `figures wider than their column on ${width} px`);
  }
  await Promise.all(six.map((engine) => engine.stop()));
});

test("an engine that is alone on a compare page has how to load it, and no table", async () => {
  const lone = await serve("may");
  const page = await open(browser, compare(lone.origin));
  await page.locator(".comparison .command code", { hasText: lone.origin }).waitFor();
  await fetch(lone.origin);
  await page.locator(".comparison").waitFor({ state: "hidden" });
  await lone.stop();
});

test("history is drawn across a page that opens late", async () => {
  const { uptime_seconds: uptime } = await metrics(pool.origin);
  const page = await open(browser, `${pool.origin}/dashboard?window=15m`);
  await drawn(page, "memory", 0);
  const [resident] = await points(page, "memory");
  assert.ok(resident >= Math.min(Math.floor(uptime), 300) - 2, `${resident} values after ${uptime} s`);
});
