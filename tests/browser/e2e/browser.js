// Debian's Chromium, headless, for the tests: pages that note every complaint and every request they make.

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

/** Longest wait (ms) for what a page should do; a busy machine takes its time. */
const PATIENCE = 60_000;

/** `flags` are added to the usual ones. */
export async function launch(...flags) {
  if (!existsSync(CHROMIUM)) throw new Error(`no Chromium at ${CHROMIUM}: apt-get install chromium`);
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
}

/** Closes all pages; for after each test. */
export const leave = (browser) => Promise.all(browser.contexts().map((context) => context.close()));

/** A page at `address` in a context of its own, with the `complaints` and `requests` it has had so far. */
export async function open(browser, address, { width = 1440, height = 900, before, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const complaints = [];
  const requests = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => requests.push(request.url()));
  if (before) await page.addInitScript(before);
  await page.goto(address);
  return Object.assign(page, { complaints, requests });
}

/** Waits until every series of the chart shows at least `least` values. */
export async function drawn(page, chart, least) {
  await page.waitForFunction(([id, n]) => {
    const points = document.querySelector(`[data-chart="${id}"]`)?.dataset.points;
    return points?.split(",").every((count) => Number(count) >= n);
  }, [chart, least]);
}

/** How many values each series of the chart shows. */
export async function points(page, chart) {
  const text = await page.locator(`[data-chart="${chart}"]`).getAttribute("data-points");
  return text.split(",").map(Number);
}
