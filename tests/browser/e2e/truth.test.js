// The page is red when it is red, and says nothing that the figures do not bear out.

import assert from "node:assert/strict";
import net from "node:net";
import { after, afterEach, before, test } from "node:test";
import { drawn, launch, leave, open } from "./browser.js";
import { ENGINES, hold, load, loadAlike, serve, serveAll, stopAll, untilMetrics } from "./server.js";

let browser;
const cables = [];

before(async () => {
  browser = await launch();
});

after(async () => {
  cables.forEach((one) => one.close());
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

const notice = (page, level, text) => page.locator(`.notices .${level}`, { hasText: text }).waitFor();
const state = (page, origin, name, timeout) => page.locator(`.engine[data-origin="${origin}"] .status[data-state="${name}"]`).waitFor({ timeout });

test("three of four requests failing is red, on both pages, and what succeeds stands apart", async () => {
  // 2 workers, 100 ms each: 20 requests a second; 160 clients wait 2 s and get a 408 otherwise.
  const pool = await serve("worker-pool", { WORKERS: "2", WORK: "sleep:100ms", READ_TIMEOUT: "2s" });
  const stop = load(pool.origin, 160);
  try {
    await untilMetrics(pool.origin, (m) => m.responses["408"] > 100 && m.error_rate_percent > 60);
    const page = await open(browser, `${pool.origin}/dashboard?window=1m`);
    await notice(page, "bad", /^.?\d\d% of requests failed in the last minute: [\d,]+ timed out \(408\)/);
    await notice(page, "bad", /Slow: half of the answers take more than \d\.\d\d s, the simulated work takes 100 ms/);
    assert.equal(await page.locator(".notices .good").count(), 0, "nothing is called well");
    await page.locator('[data-metric="successes_per_sec"]', { hasText: /^(1\d|2\d)$/ }).waitFor();
    assert.equal(await page.locator(".tile", { has: page.locator('[data-metric="errors_last_minute"]') }).getAttribute("data-level"), "bad");
    await page.locator('.tile[data-level="bad"] [data-metric="p99"]').waitFor();
    await page.locator(".events li.bad", { hasText: /worker-pool: [\d,]+ of [\d,]+ requests failed/ }).waitFor();
    const compare = await open(browser, `${pool.origin}/compare?engines=${pool.origin}`);
    await notice(compare, "bad", /worker-pool: \d\d% of requests failed/);
    await compare.locator('[data-metric="errors_per_sec"]', { hasText: /failed \/ s/ }).waitFor();
  } finally {
    stop();
  }
});

test("a load on one engine only ranks none", async () => {
  const all = await serveAll({ WORK: "sleep:1ms" });
  const stop = load(all.origins.hyper, 8);
  try {
    await untilMetrics(all.origins.hyper, (m) => m.uptime_seconds > 13 && m.total_requests > 1000);
    const page = await open(browser, `${all.origins["worker-pool"]}/compare3?window=1m`);
    await drawn(page, "connections", 11);
    await page.waitForTimeout(1500);
    const rows = await page.$$eval(".comparison tbody tr", (all) => all.map((row) => ({ metric: row.dataset.metric, verdict: row.dataset.verdict, text: row.querySelector(".verdict").textContent })));
    assert.ok(rows.length >= 9);
    for (const { metric, verdict, text } of rows) assert.ok(["none", "fact"].includes(verdict), `${metric}: ${text}`);
    assert.equal(await page.locator(".comparison .winner").count(), 0);
  } finally {
    stop();
    await all.stop();
  }
});

test("the same load on all is ranked, and an engine that is killed no longer is", async () => {
  const [may, hyper] = await Promise.all([serve("may", { WORK: "sleep:5ms" }), serve("hyper", { WORK: "sleep:20ms" })]);
  const twin = await serve("worker-pool", { WORK: "sleep:20ms" });
  const stop = loadAlike([may.origin, hyper.origin, twin.origin], 4);
  try {
    const page = await open(browser, `${hyper.origin}/compare?window=1m&engines=${may.origin},${hyper.origin},${twin.origin}`);
    const verdict = (metric) => page.locator(`.comparison [data-metric="${metric}"] .verdict`);
    // may does other work: it is not compared; the two others do the same and get the same.
    await page.waitForFunction(() => /about equal|ahead/.test(document.querySelector('.comparison [data-metric="p50"] .verdict')?.textContent));
    assert.match(await verdict("p50").textContent(), /hyper|worker-pool/);
    assert.doesNotMatch(await verdict("p50").textContent(), /may/);
    assert.equal(await verdict("throughput").textContent(), "hyper and worker-pool about equal");
    await page.locator(".basis", { hasText: /Ranked over \d+ s in which they got the same load/ }).waitFor();
    await hyper.kill();
    await state(page, hyper.origin, "down");
    await page.locator('.comparison [data-metric="p50"] .verdict', { hasText: "not ranked: different work" }).waitFor();
    await page.locator('.comparison [data-metric="memory"] .verdict').filter({ hasNotText: "hyper" }).waitFor();
  } finally {
    stop();
  }
});

test("an engine at its connection limit is not down, to a page opened after the limit was reached", async () => {
  const [full, other] = await Promise.all([serve("hyper", { MAX_CONNECTIONS: "40", IDLE_TIMEOUT: "5m" }), serve("may")]);
  await untilMetrics(full.origin, (m) => m.uptime_seconds > 2);
  const release = hold(full.origin, 60);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const page = await open(browser, `${other.origin}/compare?engines=${other.origin},${full.origin}`);
  const card = page.locator(`.engine[data-origin="${full.origin}"]`);
  await card.locator(".status", { hasText: "At its connection limit" }).waitFor();
  await notice(page, "bad", /onnection limit/);
  assert.doesNotMatch(await page.locator("main").innerText(), /\bDown\b|is down|stopped answering/);
  await page.locator(".events li", { hasText: /connection limit/ }).first().waitFor();
  // Its own pages come from the reserve, and show its figures.
  for (const path of ["/dashboard", `/compare3?engines=${other.origin},${full.origin}`]) {
    const own = await open(browser, full.origin + path);
    await notice(own, "bad", /onnection limit/);
    assert.equal((await fetch(`${full.origin}/health`)).status, 200);
    await own.context().close();
  }
  release();
  await state(page, full.origin, "live");
});

/** A host's way to its engines that can be cut: afterwards bytes vanish, as when a cable is pulled. */
async function cable(target) {
  const pairs = new Set();
  let cut = false;
  const server = net.createServer((near) => {
    near.on("error", () => {});
    pairs.add(near);
    if (cut) return;
    const far = net.connect(Number(new URL(target).port), "127.0.0.1");
    pairs.add(far);
    far.on("error", () => near.destroy());
    far.on("close", () => cut || near.destroy());
    near.on("close", () => far.destroy());
    near.on("data", (bytes) => cut || far.write(bytes));
    far.on("data", (bytes) => cut || near.write(bytes));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    pull() {
      cut = true;
    },
    plug() {
      cut = false;
      for (const socket of pairs) socket.destroy();
      pairs.clear();
    },
    close() {
      this.plug();
      server.close();
    },
  };
}

test("a network that is gone is the network, not three engines", async () => {
  const all = await serveAll();
  cables.push(...await Promise.all(ENGINES.map((engine) => cable(all.origins[engine]))));
  const page = await open(browser, `${cables[0].origin}/compare3?engines=${cables.map(({ origin }) => origin).join()}`);
  await page.waitForFunction(() => document.querySelectorAll('.status[data-state="live"]').length === 3);
  cables.forEach((one) => one.pull());
  await notice(page, "bad", /Cannot reach 127\.0\.0\.1 \(3 engines\) since \d\d:\d\d:\d\d\. Check the network/);
  assert.equal(await page.locator(".notices li", { hasText: /stopped answering|No data from/ }).count(), 0, "one alert, not three");
  await page.waitForTimeout(5000);
  assert.equal(await page.locator(".notices .bad").count(), 1);
  cables.forEach((one) => one.plug());
  await page.waitForFunction(() => document.querySelectorAll('.status[data-state="live"]').length === 3);
  await page.locator(".events li", { hasText: /Connection to 127\.0\.0\.1 \([\w-]+, [\w-]+, [\w-]+\) lost for \d+ s; the engines kept running/ }).waitFor();
  await page.locator(".notices .good", { hasText: "No problems" }).waitFor();
  assert.equal(await page.locator(".events li:visible").count(), 1, await page.locator(".events").innerText());
  await all.stop();
});

test("an engine alone on its page, dead while the others live, is not the network", async () => {
  const all = await serveAll();
  const { peers } = await untilMetrics(all.origins.may, (m) => m.uptime_seconds > 1);
  assert.equal(peers.length, 3);
  const page = await open(browser, `${all.origins.may}/dashboard`);
  await page.locator('.status[data-state="live"]').waitFor();
  all.signalEngine("may", "SIGKILL");
  await notice(page, "bad", /may stopped answering at .*worker-pool and hyper on the same host answer/);
  await all.stop();
});

test("an engine on another port than its peers believe is found where it serves the page", async () => {
  const moved = await serve("hyper");
  const page = await open(browser, `${moved.origin}/compare3`);
  await state(page, moved.origin, "live");
  const dashboard = await open(browser, `${moved.origin}/dashboard`);
  assert.equal(await dashboard.locator(".switcher a[aria-current]").getAttribute("href"), `${moved.origin}/dashboard`);
});

test("without a load the page shows how to start one, and no rows that say nothing", async () => {
  const all = await serveAll();
  await untilMetrics(all.origins.hyper, (m) => m.uptime_seconds > 3);
  const page = await open(browser, `${all.origins["worker-pool"]}/compare3`);
  await drawn(page, "connections", 2);
  const command = await page.locator(".comparison .command code").textContent();
  for (const origin of Object.values(all.origins)) assert.ok(command.includes(`"${origin}/"`), command);
  assert.equal(await page.locator(".comparison table").isVisible(), false);
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByRole("button", { name: "Copied" }).waitFor();
  const stop = loadAlike(Object.values(all.origins), 2);
  await page.locator(".comparison table").waitFor();
  stop();
  await all.stop();
});

test("a single request in a quiet minute is visible", async () => {
  const quiet = await serve("hyper");
  await untilMetrics(quiet.origin, (m) => m.uptime_seconds > 2);
  await fetch(quiet.origin);
  await untilMetrics(quiet.origin, (m) => m.uptime_seconds > 5);
  const page = await open(browser, `${quiet.origin}/dashboard?window=1m`);
  await drawn(page, "connections", 3);
  const inked = await page.locator('[data-chart="latency"] canvas').first().evaluate((canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    // Pixels of the engine's own colour, which neither grid nor text has.
    let n = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200 && data[i + 1] > data[i] + 60 && data[i + 1] > data[i + 2]) n += 1;
    return n;
  });
  assert.ok(inked >= 8, `${inked} pixels of the line`);
});

test("lines far apart get a logarithmic scale by themselves, near ones do not", async () => {
  const [quick, slow] = await Promise.all([serve("may", { WORK: "sleep:2ms" }), serve("hyper", { WORK: "sleep:300ms" })]);
  const stops = [load(quick.origin, 2), load(slow.origin, 2)];
  await untilMetrics(slow.origin, (m) => m.uptime_seconds > 5);
  const scale = async (...origins) => {
    const page = await open(browser, `${origins[0]}/compare?engines=${origins.join()}`);
    await drawn(page, "p50", 2);
    return page.locator('[data-chart="p50"]').getAttribute("data-scale");
  };
  assert.equal(await scale(quick.origin, slow.origin), "log");
  assert.equal(await scale(quick.origin), "linear");
  stops.forEach((stop) => stop());
});
