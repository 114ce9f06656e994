// Several boards on one page: servers at addresses of their own, each with a Raspberry Pi's sensors, under names of the network.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { drawn, launch, leave, open } from "./browser.js";
import { ENGINES, ROOT, loadAlike, serve, serveAll, stopAll, untilMetrics } from "./server.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PORTS = { "worker-pool": 8080, may: 8081, hyper: 8082 };
const PAGE = "http://pi1.local:8082";
const THREE = `${PAGE}/compare3?window=1m&hosts=pi1.local,pi2.local,pi3.local&only=hyper`;
const DESKTOP = { width: 1440, height: 900 };
const PHONE = { width: 390, height: 844, isMobile: true, hasTouch: true };
/** Longest time (ms) until a board that is gone shows. */
const WITHIN = 4000;
let browser;
let boards;
let whole;
let stop;

const sensors = (tree) => Object.fromEntries(
  ["proc", "sys", "run"].map((root) => [`FASTGO_${root.toUpperCase()}_ROOT`, path.join(ROOT, "tests/fixtures", tree, root)]),
);

/** The browser's rule for an engine of a board that a page knows by name and usual port. */
const rule = (host, engine, origin) => `MAP ${host}:${PORTS[engine]} ${new URL(origin).host}`;

before(async () => {
  const board = (n, tree, env) => serve("hyper", { bind: `127.0.0.${n + 1}`, WORK: "sleep:1ms", ...sensors(tree), ...env });
  // The fourth lets no page of another board read; the last two have every engine.
  [boards, whole] = await Promise.all([
    Promise.all([board(1, "pi4"), board(2, "pi5", { BOARDS: "pi1.local" }), board(3, "pi5", { BOARDS: "*.local" }), board(4, "pi5")]),
    Promise.all([5, 6].map((n) => serveAll({ bind: `127.0.0.${n + 1}`, BOARDS: "pi5.local", ...sensors("pi5") }))),
  ]);
  const rules = [
    ...boards.map(({ origin }, i) => rule(`pi${i + 1}.local`, "hyper", origin)),
    ...whole.flatMap(({ origins }, i) => ENGINES.map((engine) => rule(`pi${i + 5}.local`, engine, origins[engine]))),
  ];
  browser = await launch(`--host-resolver-rules=${rules.join()}`);
  stop = loadAlike(boards.slice(0, 3).map(({ origin }) => origin), 3);
  await untilMetrics(boards[0].origin, (m) => m.uptime_seconds > 5 && m.requests_per_sec > 0);
});

after(async () => {
  stop?.();
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

const board = (page, host) => page.getByRole("region", { name: `Board ${host}` });
/** What the board's panel says, without the signs that stand for its levels. */
const reading = async (page, host) => (await board(page, host).innerText()).replace(/[▲◆●○]/g, "");
const live = (page, count) => page.waitForFunction((n) => document.querySelectorAll('.engine .status[data-state="live"]').length === n, count);

/** How far the page is wider than its window, and which cards' texts do not fit. */
const overflow = (page) => page.evaluate(() => ({
  wide: document.documentElement.scrollWidth - innerWidth,
  cut: [...document.querySelectorAll(".boards :is(h2, strong, dd, .lamp-note, .unit)")].filter((text) => text.scrollWidth > text.clientWidth + 1).map((text) => text.textContent),
}));

for (const [device, size] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  for (const colorScheme of ["light", "dark"]) {
    test(`each board's power, heat and memory stand above its engine, ${device}, ${colorScheme}`, async () => {
      const page = await open(browser, THREE, { ...size, colorScheme, bypassCSP: true });
      await live(page, 3);
      await drawn(page, "throughput", 3);
      await page.waitForFunction(() => [...document.querySelectorAll(".on-board .rate strong")].every((rate) => parseFloat(rate.textContent) > 0));
      assert.deepEqual(page.complaints, []);
      const hot = await reading(page, "pi1.local");
      assert.match(hot, /pi1\.local\s+Raspberry Pi 4 Model B/);
      assert.match(hot, /Power\s+Too low\s+check supply\s+Heat\s+82 °C\s+slowed down\s+Memory\s+22% used/);
      assert.match(await reading(page, "pi2.local"), /Raspberry Pi 5.*\s+Power\s+Good\s+stable\s+Heat\s+61 °C\s+limit 80 °C\s+Memory\s+10% used/);
      await page.locator(".notices li", { hasText: "pi1.local: Throttled at 82 °C" }).waitFor({ state: "attached" });
      const columns = await page.$$eval(".on-board", (all) => all.map((one) => {
        const [top, below] = [".board", ".engine"].map((part) => one.querySelector(part).getBoundingClientRect());
        return { aligned: top.left === below.left && top.bottom < below.top, top: top.top };
      }));
      assert.ok(columns.every(({ aligned }) => aligned), JSON.stringify(columns));
      assert.equal(new Set(columns.map(({ top }) => top)).size, device === "desktop" ? 1 : 3, "side by side on a desktop, one below the other on a phone");
      assert.deepEqual(await overflow(page), { wide: 0, cut: [] });
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join("; ")}`), []);
    });
  }

  test(`a board that is killed shows as gone, with since when, and comes back, ${device}`, async () => {
    const page = await open(browser, THREE, size);
    await live(page, 3);
    const gone = boards[2];
    await gone.kill();
    const panel = board(page, "pi3.local");
    await panel.locator(".unit", { hasText: /^no answer for \d+ s, as of \d\d:\d\d:\d\d$/ }).waitFor({ timeout: WITHIN });
    await page.locator(".notices .bad", { hasText: /hyper pi3 stopped answering at \d\d:\d\d:\d\d/ }).waitFor({ state: "attached" });
    assert.ok(Number(await panel.locator(".lamps").evaluate((lamps) => getComputedStyle(lamps).opacity)) < 0.7, "old readings are dimmed");
    assert.equal(await page.locator(".on-board", { has: panel }).locator(".rate strong").textContent(), "—");
    assert.equal(await page.locator('.engine .status[data-state="live"]').count(), 2);
    const age = async () => Number(/for (\d+) s/.exec(await panel.innerText())[1]);
    const before = await age();
    await page.waitForTimeout(3000);
    assert.ok(await age() >= before + 2, "its age grows");
    assert.deepEqual(await overflow(page), { wide: 0, cut: [] });
    boards[2] = await serve("hyper", { port: gone.port, bind: "127.0.0.4", BOARDS: "pi1.local", WORK: "sleep:1ms", ...sensors("pi5") });
    await live(page, 3);
    await panel.locator(".unit", { hasText: "Raspberry Pi 5" }).waitFor();
  });
}

test("all engines of two boards: each board has the sum of its engines, and each engine its own look", async () => {
  for (const size of [DESKTOP, PHONE]) {
    const page = await open(browser, "http://pi5.local:8080/compare3?hosts=pi5.local,pi6.local", size);
    await live(page, 6);
    await page.waitForTimeout(1200);
    assert.deepEqual(page.complaints, []);
    assert.match(await board(page, "pi6.local").innerText(), /\d successful \/ s/);
    const names = await page.$$eval(".on-board", (all) => all.map((one) => [...one.querySelectorAll(".engine-name")].map((name) => name.textContent)));
    assert.deepEqual(names, ["pi5.local", "pi6.local"].map((host) => [host, ...ENGINES]));
    assert.deepEqual(await page.$$eval('[data-chart="memory"] .legend .name', (all) => all.map((name) => name.textContent)),
      ["pi5", "pi6"].flatMap((host) => ENGINES.map((engine) => `${engine} ${host}`)));
    assert.equal((await overflow(page)).wide, 0);
  }
});

test("a board that does not allow this page is named with the setting that does, and is asked for nothing else", async () => {
  const page = await open(browser, `${PAGE}/compare3?hosts=pi1.local,pi4.local&only=hyper`);
  await page.locator(".notices .bad", { hasText: "pi4.local answers, but this page may not read its figures: add pi1.local to BOARDS there" }).waitFor();
  await board(page, "pi4.local").getByText("not allowed").waitFor();
  await page.locator('.engine .status[data-state="refused"]').waitFor();
  const asked = page.requests.filter((url) => url.startsWith("http://pi4.local")).map((url) => new URL(url).pathname);
  assert.deepEqual([...new Set(asked)].sort(), ["/health", "/metrics", "/sse/metrics"]);
});

test("a page of a board that may read can neither work nor change anything", async () => {
  const page = await open(browser, PAGE + "/compare3");
  const got = await page.evaluate(async (origin) => {
    const status = (path, options) => fetch(origin + path, options).then(({ status, type }) => type === "opaque" ? "opaque" : status, () => "refused");
    const read = await Promise.all(["/metrics", "/history", "/", "/runs", "/courses", "/registrations/1"].map((path) => status(path)));
    const sent = await Promise.all(["/", "/runs", "/registrations"].map((path) => status(path, { method: "POST", body: '{"action":"start","name":"from another board"}' })));
    return [...read, ...sent];
  }, "http://pi2.local:8082");
  assert.deepEqual(got, [200, 200, ...Array(7).fill("refused")]);
  const runs = await (await fetch(`${boards[1].origin}/runs`, { headers: { Accept: "application/json" } })).json();
  assert.doesNotMatch(JSON.stringify(runs), /from another board/);
});

test("the list of boards is chosen on the page, checked, kept in the browser, and left again", async () => {
  for (const size of [DESKTOP, PHONE]) {
    const page = await open(browser, `${PAGE}/compare3?window=1m`, size);
    const choose = async () => {
      if (size === PHONE) {
        await page.getByRole("button", { name: "Export and more" }).click();
        await page.getByRole("button", { name: "Boards on this page" }).click();
      } else {
        await page.getByRole("button", { name: "Boards", exact: true }).click();
      }
    };
    const names = page.getByLabel("Host names");
    await choose();
    assert.equal(await names.inputValue(), "pi1.local");
    await names.fill("pi1.local\nhttp://pi2.local:8080");
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("alert").getByText("“http://pi2.local:8080” is not a host name").waitFor();
    assert.equal(await names.getAttribute("aria-invalid"), "true");
    await names.fill(Array.from({ length: 7 }, (_, i) => `pi${i + 1}.local`).join("\n"));
    await page.getByRole("button", { name: "Show" }).click();
    await page.getByRole("alert").getByText("At most 6 fit on a page, without pi7.local").waitFor();
    await names.fill("pi1.local, PI2.local\npi3.local");
    await page.getByLabel("Of each board").selectOption("hyper");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(/hosts=pi1\.local%2Cpi2\.local%2Cpi3\.local&only=hyper/);
    await live(page, 3);
    await page.goto(`${PAGE}/compare3`);
    await choose();
    assert.equal(await names.inputValue(), "pi1.local\npi2.local\npi3.local");
    assert.equal(await page.getByLabel("Of each board").inputValue(), "hyper");
    await names.fill("");
    await page.getByRole("button", { name: "Show" }).click();
    await page.waitForURL(`${PAGE}/compare3`);
    await choose();
    assert.equal(await names.inputValue(), "pi1.local");
    await page.getByRole("button", { name: "Cancel" }).click();
    await names.waitFor({ state: "hidden" });
    await leave(browser);
  }
});

test("more boards than engines fit are shown with fewer engines of each, and a bad name is reported", async () => {
  const page = await open(browser, `${PAGE}/compare3?hosts=pi1.local,pi2.local,pi3.local,pi4.local:80`);
  await page.locator(".on-board").nth(2).waitFor();
  const said = (await page.locator(".notices li").allTextContents()).join("\n");
  assert.match(said, /“pi4\.local:80” is not a host name/);
  assert.match(said, /6 engines fit on a page\. Shown of each board: worker-pool, may/);
  assert.equal(await page.locator(".engine").count(), 6);
});

test("the wall has every board's figures in one view", async () => {
  const page = await open(browser, `${THREE}&wall`, { width: 3840, height: 2160 });
  await live(page, 3);
  await drawn(page, "throughput", 2);
  const { height, lowest } = await page.evaluate(() => ({
    height: document.documentElement.scrollHeight,
    lowest: Math.max(...[...document.querySelectorAll("main .card")].map((card) => card.getBoundingClientRect().bottom)),
  }));
  assert.equal(height, 2160);
  assert.ok(lowest > 2160 - 200 && lowest <= 2160, `the lowest card ends at ${lowest} px`);
});
