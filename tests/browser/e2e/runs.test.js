// The runs page: a run started and stopped there, one seen by itself, two side by side, and a file that needs no network.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { launch, leave, open } from "./browser.js";
import { ENGINES, load, serveAll, stopAll } from "./server.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [[360, 780], [1440, 900], [3840, 2160]];
const state = mkdtempSync(path.join(tmpdir(), "fastgo-runs-"));
let browser;
let all;

const start = () => serveAll({ WORK: "sleep:2ms", STATE_DIRECTORY: state });

before(async () => {
  [browser, all] = await Promise.all([launch(), start()]);
});

after(async () => {
  await browser?.close();
  await stopAll();
  rmSync(state, { recursive: true });
});

afterEach(() => leave(browser));

const runs = async (engine) => (await fetch(`${all.origins[engine]}/runs`)).json();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what, probe) {
  for (const end = Date.now() + 20_000; Date.now() < end; await pause(200)) {
    const found = await probe();
    if (found) return found;
  }
  throw new Error(`waited for ${what}`);
}

/** The page, of another engine than the first, so that it crosses origins. */
const runsPage = (query = "", options = {}) => open(browser, `${all.origins.may}/runs${query}`, options);
const rowsOf = (page) => page.locator(".runs-table tbody tr");

async function audit(page, what) {
  await page.evaluate(AXE);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join("; ")}`);
  assert.deepEqual(found, [], what);
  assert.ok(passes.length > 15, `axe looked at ${passes.length} rules`);
}

test("without runs it says how to get one", async () => {
  const page = await runsPage("", { bypassCSP: true });
  await page.getByText("No runs yet").waitFor();
  assert.match(await page.locator(".empty code").textContent(), /http\.batch.*k6 run/);
  await audit(page, "empty");
});

test("a run started and stopped here is one of every engine, with its name and figures", async () => {
  const page = await runsPage();
  await page.getByLabel("Name").fill("first <b>test</b>");
  await page.getByRole("button", { name: "Start a run" }).click();
  await page.getByText("Started: begin the load now.").waitFor();
  await page.getByText("A run appears here when it has ended.").waitFor();
  const stops = ENGINES.map((engine) => load(all.origins[engine], 8));
  await page.locator('.states [data-engine="hyper"]', { hasText: "requests" }).waitFor();
  await pause(3000);
  stops.forEach((stop) => stop());
  await page.getByRole("button", { name: "Stop" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".runs-table tbody tr").length === 3);
  for (const engine of ENGINES) {
    const { active, runs: [run] } = await runs(engine);
    assert.equal(active, null);
    assert.equal(run.name, "first <b>test</b>");
    assert.ok(run.results.successful > 100, `${engine}: ${JSON.stringify(run.results)}`);
    assert.equal(run.started_by, "request");
  }
  assert.equal(await rowsOf(page).first().locator("th .run-name").textContent(), "first <b>test</b>");
  await page.getByRole("button", { name: "Compare 3" }).click();
  await page.getByRole("heading", { name: "worker-pool, may and hyper" }).waitFor();
  assert.match(page.url(), /runs=worker-pool:\d+,may:\d+,hyper:\d+$/);
  assert.equal(await page.locator(".report .course .engine-2").count() > 3, true);
  assert.deepEqual(page.complaints, []);
});

test("a load is found by itself, and compared with another run", async () => {
  const stop = load(all.origins.may, 20);
  await until("an active run", async () => (await runs("may")).active);
  await pause(3000);
  stop();
  const { runs: [found, first] } = await until("the run's end", async () => {
    const now = await runs("may");
    return now.runs.length === 2 && now;
  });
  assert.equal(found.started_by, "load");
  const page = await runsPage(`?runs=may:${first.id},may:${found.id}`);
  const table = page.locator(".report .figures");
  await table.waitFor();
  const cells = await table.locator("tr", { hasText: "CPU a request" }).locator("td").allTextContents();
  assert.equal(cells.length, 3);
  assert.match(cells[2], /%|×|about equal/);
  assert.equal(await page.locator('.report [data-field="successful_per_sec"] .run-line').count(), 2);
  assert.equal(await page.locator(".runs-table .chosen").count(), 2);
});

test("a saved report opens without network and runs nothing", async () => {
  const { runs: [found, first] } = await runs("may");
  const page = await runsPage(`?runs=may:${first.id},may:${found.id}`);
  await page.locator(".report .figures").waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as an HTML file" }).click()]);
  assert.match(download.suggestedFilename(), /^fastgo-run-may-may-[\w-]+\.html$/);
  const file = path.join(state, "report.html");
  await download.saveAs(file);
  const text = readFileSync(file, "utf8");
  assert.ok(!/<script|https?:\/\/(?!www\.w3\.org)/.test(text), "no script and no address in it");
  const shown = await page.locator(".report .figures").innerText();

  const saved = await open(browser, `file://${file}`, { offline: true, bypassCSP: true });
  assert.deepEqual(saved.requests, [`file://${file}`]);
  assert.deepEqual(saved.complaints, []);
  assert.equal((await saved.locator(".report .figures").innerText()).replace(/\s+/g, " "), shown.replace(/\s+/g, " "));
  const chart = await saved.locator(".course").first().boundingBox();
  assert.ok(chart.width > 300 && chart.height > 80, JSON.stringify(chart));
  await audit(saved, "the saved file");
});

test("runs outlive the engines", async () => {
  const before = await Promise.all(ENGINES.map(async (engine) => (await runs(engine)).runs));
  await all.stop();
  all = await start();
  for (const [i, engine] of ENGINES.entries()) {
    const after = await until("the runs", async () => {
      const { runs: kept } = await runs(engine);
      return kept.length === before[i].length && kept;
    });
    assert.deepEqual(after, before[i]);
  }
});

for (const colorScheme of ["light", "dark"]) {
  test(`nothing overflows and axe is content: ${colorScheme}`, async () => {
    const keys = await Promise.all(ENGINES.map(async (engine) => `${engine}:${(await runs(engine)).runs.at(-1).id}`));
    for (const [width, height] of WIDTHS) {
      const page = await runsPage(`?runs=${keys.join()}`, { width, height, colorScheme, bypassCSP: true });
      await page.locator(".report .figures").waitFor();
      await rowsOf(page).first().waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `${width} px`);
      await audit(page, `${width} px`);
      assert.deepEqual(page.complaints, []);
      await leave(browser);
    }
  });
}

test("printing shows the report alone, dark on white", async () => {
  const { runs: [run] } = await runs("hyper");
  const page = await runsPage(`?runs=hyper:${run.id}`, { colorScheme: "dark" });
  await page.locator(".report .figures").waitFor();
  await page.emulateMedia({ media: "print" });
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  for (const hidden of [".bar", ".control", ".report-tools", ".runs-table"]) {
    assert.equal(await page.locator(hidden).isVisible(), false, hidden);
  }
  const colour = await page.locator(".report").evaluate((report) => getComputedStyle(report).color);
  assert.equal(colour, "rgb(22, 26, 33)");
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
});

test("a run is deleted when it was confirmed, on the engine that has it", async () => {
  const page = await runsPage();
  await rowsOf(page).first().waitFor();
  const { runs: [run] } = await runs("hyper");
  page.once("dialog", (dialog) => dialog.dismiss());
  const row = page.locator(`tr[data-run="hyper:${run.id}"]`);
  await row.getByRole("button", { name: "Delete" }).click();
  assert.equal((await runs("hyper")).runs.length, 1);
  page.once("dialog", (dialog) => dialog.accept());
  await row.getByRole("button", { name: "Delete" }).click();
  await row.waitFor({ state: "detached" });
  assert.deepEqual((await runs("hyper")).runs, []);
});

test("a page of another origin starts nothing, and cannot read why", async () => {
  const foreign = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html>"));
  foreign.listen(0, "127.0.0.1");
  try {
    await once(foreign, "listening");
    const page = await open(browser, `http://127.0.0.1:${foreign.address().port}/`);
    const statuses = [];
    page.on("response", (response) => statuses.push(response.status()));
    const read = await page.evaluate(async (url) => {
      const send = (mode) => fetch(url, { method: "POST", mode, body: '{"action":"start"}' });
      await send("no-cors");
      return send("cors").then(() => true, () => false);
    }, `${all.origins.may}/runs`);
    assert.deepEqual({ read, statuses }, { read: false, statuses: [403] });
  } finally {
    foreign.close();
  }
  await pause(1200);
  assert.equal((await runs("may")).active, null);
});

test("an engine that is gone is said to be gone, and the others' runs stay", async () => {
  const page = await runsPage();
  await rowsOf(page).first().waitFor();
  await page.route(`${all.origins["worker-pool"]}/**`, (route) => route.abort());
  await page.reload();
  await page.locator('.states [data-engine="worker-pool"]', { hasText: "does not answer" }).waitFor();
  assert.ok(await page.locator('tr[data-run^="may:"]').count() > 0);
});
