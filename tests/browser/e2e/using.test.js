// Using a page: keyboard, tables, window, pause, theme, the address, and exports.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, afterEach, before, test } from "node:test";
import { drawn, launch, leave, open, points } from "./browser.js";
import { load, serve, stopAll, untilMetrics } from "./server.js";

let browser;
let server;
let stop;

before(async () => {
  [browser, server] = await Promise.all([launch(), serve("worker-pool", { WORK: "sleep:5ms" })]);
  stop = load(server.origin, 4);
  await untilMetrics(server.origin, (m) => m.uptime_seconds > 8);
});

after(async () => {
  stop?.();
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

const dashboard = (query = "") => open(browser, `${server.origin}/dashboard${query}`);
const plot = (page, chart) => page.locator(`[data-chart="${chart}"] .plot`);
const says = (page, chart) => plot(page, chart).getAttribute("aria-valuetext");

test("arrow keys move one crosshair over all charts, and each shows its values", async () => {
  const page = await dashboard();
  await drawn(page, "throughput", 5);
  await plot(page, "throughput").focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowLeft");
  await page.waitForFunction(() => /^\d\d:\d\d:\d\d: /.test(document.querySelector('[data-chart="latency"] .plot').getAttribute("aria-valuetext")));
  const [throughput, latency] = [await says(page, "throughput"), await says(page, "latency")];
  assert.match(throughput, /^\d\d:\d\d:\d\d: Successful [\d,]+, Failed 0$/);
  assert.match(latency, /: p50 [\d.]+ ms, p95 [\d.]+ ms, p99 [\d.]+ ms, max [\d.]+ ms$/);
  assert.equal(throughput.slice(0, 8), latency.slice(0, 8));
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction((old) => document.querySelector('[data-chart="latency"] .plot').getAttribute("aria-valuetext").slice(0, 8) < old, latency.slice(0, 8));
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => document.querySelector('[data-chart="latency"] .plot').getAttribute("aria-valuetext").startsWith("Latest"));
});

test("the pointer moves the same crosshair and takes it away again", async () => {
  const page = await dashboard();
  await drawn(page, "throughput", 5);
  const box = await plot(page, "cpu").boundingBox();
  await page.mouse.move(box.x + box.width - 20, box.y + 40);
  await page.waitForFunction(() => /^\d\d:/.test(document.querySelector('[data-chart="memory"] .plot').getAttribute("aria-valuetext")));
  await page.mouse.move(5, 5);
  await page.waitForFunction(() => document.querySelector('[data-chart="memory"] .plot').getAttribute("aria-valuetext").startsWith("Latest"));
});

test("everything on the page is reached with Tab, and shows where one is", async () => {
  const page = await dashboard();
  await drawn(page, "throughput", 2);
  const reached = new Set();
  for (let i = 0; i < 90; i++) {
    await page.keyboard.press("Tab");
    const { name, outlined } = await page.evaluate(() => {
      const here = document.activeElement;
      const shown = here.matches("input") ? here.nextElementSibling : here;
      return { name: here.getAttribute("aria-label") ?? here.textContent ?? "", outlined: getComputedStyle(shown).outlineStyle !== "none" };
    });
    if (name !== "" && here(name)) reached.add(name);
    assert.ok(outlined || !here(name), `${name} has no visible focus`);
  }
  for (const wanted of ["Skip to the figures", "Pause", "Export and more", "Keyboard shortcuts", "Requests as a table", "Requests, crosshair", "Latency, log scale", "What Latency means", "Queue, crosshair", "All sensors"]) {
    assert.ok(reached.has(wanted), `${wanted} is not among ${[...reached].join(" | ")}`);
  }
});

const here = (name) => name.length < 60;

test("each chart has a table of the same numbers, by keyboard, kept in the address", async () => {
  const page = await dashboard("?window=1m");
  await drawn(page, "throughput", 5);
  const button = page.getByRole("button", { name: "Requests as a table" });
  await button.focus();
  await page.keyboard.press("Enter");
  const table = page.locator('[data-chart="throughput"] .tableview');
  await table.waitFor();
  assert.equal(new URL(page.url()).searchParams.get("tables"), "throughput");
  assert.equal(await button.getAttribute("aria-pressed"), "true");
  assert.deepEqual(await table.locator("thead th").allTextContents(), ["Time", "Successful", "Failed"]);
  assert.equal(await table.locator("tbody tr").count(), 60);
  await page.getByRole("button", { name: "Pause" }).click();
  const shown = (await table.locator("tbody td:nth-child(2)").allTextContents()).filter((text) => text !== "—").map((text) => Number(text.replaceAll(",", "")));
  assert.ok(shown.length >= 5 && shown.every(Number.isFinite), shown.join());
  await page.reload();
  await table.waitFor();
});

test("every chart has its table", async () => {
  const page = await dashboard();
  await drawn(page, "throughput", 2);
  const charts = await page.locator(".chart:visible").count();
  for (const button of await page.getByRole("button", { name: /as a table$/ }).all()) await button.click();
  await page.waitForFunction((n) => [...document.querySelectorAll(".tableview tbody")].filter((body) => body.checkVisibility() && body.rows.length === 60).length === n, charts);
});

test("the window, by arrow keys, widens what is shown and goes into the address", async () => {
  const page = await dashboard("?window=1m");
  await drawn(page, "throughput", 2);
  await page.getByRole("radio", { name: "1 min" }).focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.equal(new URL(page.url()).searchParams.get("window"), "15m");
  assert.match(await page.locator("nav a", { hasText: "Compare" }).getAttribute("href"), /window=15m/);
  await page.reload();
  assert.ok(await page.getByRole("radio", { name: "15 min" }).isChecked());
});

test("a paused page does not move, and catches up without a gap", async () => {
  const page = await dashboard();
  await drawn(page, "throughput", 3);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.locator(".notices", { hasText: "Display paused at" }).waitFor();
  const frozen = async () => [await points(page, "throughput"), await page.locator(".tiles").textContent(), await says(page, "throughput")];
  const before = await frozen();
  const { uptime_seconds: uptime } = await untilMetrics(server.origin, () => true);
  await untilMetrics(server.origin, (m) => m.uptime_seconds > uptime + 3);
  assert.deepEqual(await frozen(), before);
  await page.getByRole("button", { name: "Resume" }).click();
  await drawn(page, "throughput", before[0][1] + 3);
});

test("the theme goes round, is remembered, and is there before the first paint", async () => {
  const page = await dashboard();
  const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await drawn(page, "throughput", 1);
  const light = await ground();
  const button = page.getByRole("button", { name: /^Theme/ });
  await button.click();
  assert.equal(await theme(), "light");
  await button.click();
  assert.equal(await theme(), "dark");
  assert.notEqual(await ground(), light);
  await page.reload({ waitUntil: "commit" });
  await page.waitForSelector("html[data-theme]", { state: "attached" });
  assert.equal(await theme(), "dark");
});

test("with reduced motion nothing moves by itself", async () => {
  const page = await open(browser, `${server.origin}/dashboard`, { reducedMotion: "reduce" });
  await drawn(page, "throughput", 1);
  const moving = await page.$$eval("*", (all) => all.filter((e) => {
    const { transitionDuration, animationName } = getComputedStyle(e);
    return transitionDuration !== "0s" || animationName !== "none";
  }).length);
  assert.equal(moving, 0);
});

for (const format of ["csv", "json"]) {
  test(`exports what is on the screen as ${format.toUpperCase()}`, async () => {
    const page = await dashboard("?window=1m");
    await drawn(page, "throughput", 5);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator(".notices", { hasText: "Display paused at" }).waitFor();
    await page.getByRole("button", { name: "Export and more" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: `Export as ${format.toUpperCase()}` }).click()]);
    assert.match(download.suggestedFilename(), new RegExp(`^fastgo-.*\\.${format}$`));
    const text = readFileSync(await download.path(), "utf8");
    const [shown] = await points(page, "connections");
    const rows = format === "csv" ? text.trimEnd().split("\n").length - 1 : JSON.parse(text).engines[0].rows.length;
    assert.equal(rows, shown);
    assert.deepEqual(page.complaints, []);
  });
}

test("a click on a line's name hides it, on the compare page in every chart", async () => {
  const page = await open(browser, `${server.origin}/compare3?engines=${server.origin}`);
  await drawn(page, "throughput", 3);
  const names = page.locator("button.entry");
  await names.first().click();
  await page.waitForFunction(() => [...document.querySelectorAll("button.entry")].every((entry) => entry.getAttribute("aria-pressed") === "false"));
  assert.equal(new URL(page.url()).searchParams.get("hide"), "worker-pool");
  await names.first().click();
  assert.equal(new URL(page.url()).searchParams.get("hide"), null);
});

test("a drag over a chart zooms into that time, everywhere, until it is left", async () => {
  const page = await dashboard("?window=1m");
  await drawn(page, "throughput", 8);
  const box = await plot(page, "cpu").boundingBox();
  await page.mouse.move(box.x + box.width - 150, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 60, box.y + 50, { steps: 5 });
  await page.mouse.up();
  await page.locator(".zoom", { hasText: /^\d\d:\d\d:\d\d to \d\d:\d\d:\d\d/ }).waitFor();
  const span = async () => Number(await plot(page, "latency").getAttribute("aria-valuemax"));
  const zoomed = await span();
  assert.ok(zoomed >= 3 && zoomed < 30, `${zoomed} s`);
  await page.reload();
  await page.locator(".zoom:visible").waitFor();
  assert.equal(await span(), zoomed, "the address keeps it");
  await page.keyboard.press("z");
  await page.waitForFunction(() => document.querySelector('[data-chart="latency"] .plot').getAttribute("aria-valuemax") === "60");
});

test("Enter twice zooms by keyboard, a click fixes the crosshair", async () => {
  const page = await dashboard("?window=1m");
  await drawn(page, "throughput", 8);
  await plot(page, "throughput").focus();
  for (const key of ["ArrowLeft", "Enter", "ArrowLeft", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"]) await page.keyboard.press(key);
  await page.locator(".zoom:visible").waitFor();
  assert.equal(await plot(page, "throughput").getAttribute("aria-valuemax"), "4");
  await page.keyboard.press("Escape");
  await page.locator(".zoom").waitFor({ state: "hidden" });
  const box = await plot(page, "cpu").boundingBox();
  await page.mouse.click(box.x + box.width - 60, box.y + 40);
  await page.mouse.move(5, 5);
  await page.waitForTimeout(500);
  assert.match(await says(page, "memory"), /^\d\d:\d\d:\d\d: /);
});

test("keys pause, choose the window and the theme, and list themselves", async () => {
  const page = await dashboard();
  await drawn(page, "throughput", 1);
  const checked = (name) => page.waitForFunction((value) => document.querySelector("input:checked").value === value, name);
  for (const [key, window] of [["1", "1m"], ["f", "15m"], ["5", "5m"]]) {
    await page.keyboard.press(key);
    await checked(window);
  }
  await page.keyboard.press("p");
  await page.locator('.status[data-state="paused"]').waitFor();
  await page.keyboard.press("p");
  await page.locator('.status[data-state="live"]').waitFor();
  await page.keyboard.press("t");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.choice), "light");
  await page.keyboard.press("?");
  await page.locator("dialog[open]", { hasText: "Pause or resume the display" }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator("dialog").waitFor({ state: "hidden" });
});

test("the skip link leads past the header", async () => {
  const page = await dashboard();
  await drawn(page, "throughput", 1);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "MAIN");
});

test("on paper it is light, without controls, and wholly there", async () => {
  const page = await open(browser, `${server.origin}/dashboard`, { colorScheme: "dark" });
  await drawn(page, "throughput", 3);
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  for (const gone of [".controls", "nav", ".tools"]) assert.equal(await page.locator(gone).first().isVisible(), false, gone);
  assert.ok(await page.locator(".where .host").isVisible());
  assert.ok((await page.pdf()).length > 20_000);
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
});

test("a part that cannot be loaded leaves a sentence, not a blank page", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.route("**/static/js/plot.js", (route) => route.abort());
  await page.goto(`${server.origin}/dashboard`);
  await page.getByText("a part of it could not be loaded").waitFor({ timeout: 8000 });
});
