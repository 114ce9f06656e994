// The board's panel on a Raspberry Pi 4 and 5, from the fixture trees.

import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { launch, leave, open } from "./browser.js";
import { ROOT, serve, stopAll } from "./server.js";

const FIXTURES = path.join(ROOT, "tests/fixtures");
let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

const roots = (tree) => ({
  FASTGO_PROC_ROOT: path.join(tree, "proc"), FASTGO_SYS_ROOT: path.join(tree, "sys"), FASTGO_RUN_ROOT: path.join(tree, "run"),
});

/** What the dashboard shows of the board in `tree`: its alerts, lamps, and every sensor. */
async function shown(tree) {
  const server = await serve("hyper", roots(tree));
  const page = await open(browser, `${server.origin}/dashboard`);
  await page.locator('.status[data-state="live"]').waitFor();
  await page.locator("[data-chart=temperature] .plot").waitFor();
  const alerts = await page.locator(".notices li").allTextContents();
  const lamps = await page.locator(".lamps").innerText();
  await page.getByText("All sensors").click();
  const board = await page.locator(".board").innerText();
  const where = await page.locator(".where").innerText();
  assert.deepEqual(page.complaints, []);
  await server.stop();
  return { alerts: alerts.join("\n"), lamps, board, where };
}

test("a Pi 4 that is hot and short of power says so", async () => {
  const { alerts, lamps, board, where } = await shown(path.join(FIXTURES, "pi4"));
  assert.match(lamps, /Power\s+Too low\s+check supply/);
  assert.match(lamps, /Heat\s+82 °C\s+slowed down/);
  assert.match(where, /^127\.0\.0\.1 · Pi 4B · \d GB · 82 °C$/);
  assert.match(alerts, /Under-voltage: check the power supply/);
  assert.match(alerts, /Throttled at 82 °C/);
  assert.match(board, /Raspberry Pi 4 Model B/);
  assert.match(board, /82\.3 °C/);
  assert.match(board, /Throttling begins at\s+80 °C/);
  assert.match(board, /Supply\s+under-voltage/);
  assert.match(board, /No sensor for:.*fan/);
});

test("a Pi 5 shows its fan, and one that is well has no alert of the board", async () => {
  const { alerts, lamps, board } = await shown(path.join(FIXTURES, "pi5"));
  assert.match(lamps, /Power\s+Good/);
  assert.doesNotMatch(alerts, /oltage|hrottl|Fan/);
  assert.match(board, /Raspberry Pi 5 Model B/);
  assert.match(board, /Speed\s+3,120 rpm/);
  assert.match(board, /Drive\s+49%/);
  assert.match(board, /Supply\s+good/);
});

test("a Pi 5 with a stuck fan says so", async () => {
  const tree = mkdtempSync(path.join(tmpdir(), "fastgo-pi5-"));
  try {
    cpSync(path.join(FIXTURES, "pi5"), tree, { recursive: true });
    const fan = path.join(tree, "sys/class/hwmon/hwmon2");
    writeFileSync(path.join(fan, "fan1_input"), "0\n");
    writeFileSync(path.join(fan, "pwm1"), "250\n");
    const { alerts } = await shown(tree);
    assert.match(alerts, /Fan driven at 98% reads 0 rpm: check that it turns/);
  } finally {
    rmSync(tree, { recursive: true });
  }
});
