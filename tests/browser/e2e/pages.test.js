// The three pages on `fastgo all`: they load without errors or foreign requests, have history at once, and fit any screen.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, afterEach, before, test } from "node:test";
import { drawn, launch, leave, open, points } from "./browser.js";
import { ENGINES, load, metrics, serveAll, stopAll, untilMetrics } from "./server.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SHOWN = { "/dashboard": ["worker-pool"], "/compare": ["worker-pool", "may"], "/compare3": ENGINES };
const HISTORY = 6;
let browser;
let server;
let stops;

before(async () => {
  [browser, server] = await Promise.all([launch(), serveAll({ WORK: "sleep:1ms" })]);
  stops = ENGINES.map((engine) => load(server.origins[engine], 4));
  for (const engine of ENGINES) await untilMetrics(server.origins[engine], (m) => m.uptime_seconds > HISTORY + 2);
});

after(async () => {
  stops?.forEach((stop) => stop());
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

const at = (path, engine = "worker-pool") => server.origins[engine] + path;

for (const [path, engines] of Object.entries(SHOWN)) {
  test(`${path} loads without a complaint, from fastgo alone, one stream to each engine`, async () => {
    const page = await open(browser, at(path));
    await drawn(page, "throughput", 2);
    await page.locator('.status[data-state="live"]').nth(engines.length - 1).waitFor();
    await page.waitForTimeout(2500);
    assert.deepEqual(page.complaints, []);
    const ours = new Set(engines.map((engine) => server.origins[engine]));
    for (const request of page.requests) assert.ok(ours.has(new URL(request).origin), `asked ${request}`);
    const streams = page.requests.filter((url) => url.endsWith("/sse/metrics")).sort();
    assert.deepEqual(streams, [...ours].map((origin) => `${origin}/sse/metrics`).sort());
  });

  test(`${path} holds history as soon as it is drawn`, async () => {
    const page = await open(browser, at(path));
    await drawn(page, "throughput", 1);
    const first = await points(page, "throughput");
    assert.ok(first.every((n) => n >= HISTORY), `${first} values at first sight`);
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`${path} has no accessibility violation, ${colorScheme}`, async () => {
      const page = await open(browser, `${at(path)}?tables=cpu`, { colorScheme, bypassCSP: true });
      await drawn(page, "throughput", 2);
      await page.evaluate(AXE);
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.target).join("; ")}`), []);
      assert.ok(passes.length > 20, `axe looked at ${passes.length} rules`);
    });
  }

  test(`${path} fits every screen and does not jump`, async () => {
    for (const [width, height] of [[360, 740], [390, 844], [768, 1024], [1440, 900], [3840, 2160]]) {
      const page = await open(browser, at(path), { width, height, before: watchJumps });
      await drawn(page, "throughput", 2);
      await page.waitForTimeout(2200);
      const { wide, jumps } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, jumps: globalThis.jumps }));
      assert.ok(wide <= width, `${wide} px wide on ${width}`);
      assert.ok(jumps < 0.02, `layout moved by ${jumps} at ${width} px`);
    }
  });
}

for (const path of ["/compare3", "/dashboard"]) {
  test(`${path} fills a wall with figures that are read from across a room, and goes back`, async () => {
    const page = await open(browser, `${at(path)}?wall&window=1m`, { width: 3840, height: 2160 });
    await drawn(page, "throughput", 2);
    const size = () => page.locator('[data-metric="successes_per_sec"]').first().evaluate((figure) => parseFloat(getComputedStyle(figure).fontSize));
    assert.ok(await size() >= 200, `${await size()} px`);
    const { height, lowest } = await page.evaluate(() => ({
      height: document.documentElement.scrollHeight,
      lowest: Math.max(...[...document.querySelectorAll("main .card")].map((card) => card.getBoundingClientRect().bottom)),
    }));
    assert.equal(height, 2160);
    assert.ok(lowest > 2160 - 80, `nothing below ${lowest} px`);
    assert.equal(await page.locator("nav").first().isVisible(), false);
    await page.getByRole("button", { name: "Wall display" }).click();
    await page.locator("nav").first().waitFor();
    assert.ok(await size() < 100, `${await size()} px`);
    assert.equal(new URL(page.url()).searchParams.get("wall"), null);
    await page.keyboard.press("w");
    assert.equal(new URL(page.url()).searchParams.get("wall"), "1");
    for (const [width, height] of [[1440, 900], [360, 740]]) {
      await page.setViewportSize({ width, height });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `${wide} px wide on ${width}`);
    }
  });
}

function watchJumps() {
  globalThis.jumps = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) globalThis.jumps += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}

test("the policy of each page lets in nothing from elsewhere and nothing inline", async () => {
  for (const path of Object.keys(SHOWN)) {
    const policy = (await fetch(at(path))).headers.get("content-security-policy");
    for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]) {
      assert.ok(policy.split(/; */).includes(rule), `${path}: ${policy}`);
    }
    const page = await (await fetch(at(path))).text();
    assert.doesNotMatch(page, /<style|<script(?![^>]*\bsrc="\/static\/)|style=|\bon\w+=|https?:\/\//);
  }
});

test("fields of forms have the same colours and font on every page", async () => {
  for (const path of [...Object.keys(SHOWN), "/runs", "/register"]) {
    const page = await open(browser, at(path));
    const { found, expected } = await page.evaluate(() => {
      const add = (name) => document.body.appendChild(document.createElement(name));
      const looks = (element) => (({ borderColor, color, fontFamily }) => ({ borderColor, color, fontFamily }))(getComputedStyle(element));
      const body = add("p");
      body.style.borderColor = "var(--neutral-line)";
      return { found: ["input", "textarea", "select"].map((name) => looks(add(name))), expected: looks(body) };
    });
    for (const looks of found) assert.deepEqual(looks, expected, path);
  }
});

test("numbers on the page equal /metrics within a sample while a load runs", async () => {
  const page = await open(browser, at("/compare3"));
  await drawn(page, "throughput", 2);
  const said = [];
  const shown = [];
  for (const end = Date.now() + 8000; Date.now() < end; ) {
    said.push(...await Promise.all(ENGINES.map((engine) => metrics(server.origins[engine]))));
    shown.push(...await page.$$eval(".engine", (all) => all.map((card) => {
      const text = (metric) => card.querySelector(`[data-metric="${metric}"]`).textContent;
      return {
        engine: card.querySelector(".engine-name").textContent, time: Number(card.dataset.time),
        rate: text("successes_per_sec"), p50: text("p50"), memory: text("memory_alloc_mb"),
      };
    })));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const compared = new Set();
  for (const card of shown) {
    // What /metrics said after this sample and before the next.
    const near = said.filter((m) => m.server_type === card.engine && m.time_unix_ms >= card.time && m.time_unix_ms < card.time + 600);
    if (!near.length) continue;
    const match = near.some((m) =>
      card.rate === Math.round(m.requests_per_sec).toLocaleString("en-US") &&
      Math.abs(parseFloat(card.p50) - m.latency_ms.p50) <= 0.051 &&
      Math.abs(parseFloat(card.memory) - m.memory_alloc_mb) <= 0.051);
    assert.ok(match, `shown ${JSON.stringify(card)}, /metrics said ${JSON.stringify(near.map((m) => [m.time_unix_ms, m.requests_per_sec, m.latency_ms.p50, m.memory_alloc_mb]))}`);
    compared.add(card.engine + card.time);
  }
  assert.ok(compared.size >= 9, `${compared.size} samples compared`);
});

test("the page says which board it is of, in header and title", async () => {
  const page = await open(browser, at("/compare3"));
  await page.waitForFunction(() => document.title === "127.0.0.1: 3 up · fastgo");
  assert.equal(await page.locator(".where .host").textContent(), "127.0.0.1");
  assert.match(await page.locator(".work-note").textContent(), /All engines simulate the same work: 1 ms for each request/);
});

test("the dashboard leads to the other engines' dashboards", async () => {
  const page = await open(browser, `${at("/dashboard")}?window=1m`);
  await page.locator(".switcher a", { hasText: "hyper" }).click();
  await page.locator("h1", { hasText: "hyper" }).waitFor();
  assert.equal(page.url(), `${at("/dashboard", "hyper")}?window=1m`);
});
