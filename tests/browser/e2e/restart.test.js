// What is there after a restart: 15 minutes that an engine recorded before, and engines that moved to another port meanwhile.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { drawn, launch, leave, open, points } from "./browser.js";
import { record } from "./recorded.js";
import { ENGINES, metrics, serve, stopAll, untilMetrics } from "./server.js";

const QUARTER = 900;
/** Seconds for which the engine was down. */
const DOWN = 20;
let browser;
let state;

before(async () => {
  state = mkdtempSync(path.join(tmpdir(), "fastgo-restart-"));
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await stopAll();
  rmSync(state, { recursive: true });
});

afterEach(() => leave(browser));

test("15 minutes are 15 minutes, after a restart too, and the restart is among the events", async () => {
  const probe = await serve("hyper");
  const { fields } = await (await fetch(`${probe.origin}/history`)).json();
  await probe.stop();
  const end = Math.floor(Date.now() / 1000) - DOWN;
  record(state, "hyper", fields, QUARTER, end, (n) => ({
    "uptime_seconds": 100 + n, "active_connections": 20, "total_requests": 50 * n, "completed_requests": 50 * n, "error_count": 0, "requests_per_sec": 50,
    "latency_ms.count": 50, "latency_ms.p50": 10.5, "latency_ms.p95": 12, "latency_ms.p99": 13, "latency_ms.max": 15, "cpu_usage_percent": 3,
    "memory_alloc_mb": 12, "responses.4xx": 0, "responses.5xx": 0, "responses.408": 0,
  }));
  const engine = await serve("hyper", { STATE_DIRECTORY: state });
  await untilMetrics(engine.origin, (m) => m.uptime_seconds > 2);

  const page = await open(browser, `${engine.origin}/dashboard?window=15m`);
  // What the window shows of the time before: less and less, as long as this takes.
  const recorded = (window) => window - (Date.now() / 1000 - end) - 10;
  await drawn(page, "cpu", recorded(QUARTER));
  const [shown] = await points(page, "throughput");
  assert.ok(shown >= recorded(QUARTER) && shown > QUARTER / 2, `${shown} seconds with a rate`);
  await page.locator(".events li", { hasText: "hyper restarted" }).waitFor();

  const compare = await open(browser, `${engine.origin}/compare?engines=${engine.origin}`);
  await drawn(compare, "cpu", recorded(300));
});

test("engines that are services find each other where they listen, whatever their ports", async () => {
  // Each in a runtime directory of its own beside the others', as the units have it.
  const run = (engine) => {
    const directory = path.join(state, "run", engine);
    mkdirSync(directory, { recursive: true });
    return { RUNTIME_DIRECTORY: directory };
  };
  const all = await Promise.all(ENGINES.map((engine) => serve(engine, run(engine))));
  const [pool, may, hyper] = all;
  await untilMetrics(may.origin, ({ peers }) => peers.length === 3 && all.every(({ port }) => peers.some((peer) => peer.port === port)));
  for (const { origin } of all) {
    const page = await open(browser, `${origin}/compare3`);
    await page.waitForFunction(() => document.querySelectorAll('.status[data-state="live"]').length === 3);
    await leave(browser);
  }
  // hyper comes back on another port: a page of another engine that is opened then finds it there.
  await hyper.stop();
  const moved = await serve("hyper", run("hyper"));
  assert.notEqual(moved.port, hyper.port);
  await untilMetrics(pool.origin, ({ peers }) => peers.some((peer) => peer.port === moved.port));
  const page = await open(browser, `${pool.origin}/compare3`);
  await page.locator(`.engine[data-origin="${moved.origin}"] .status[data-state="live"]`).waitFor();
  assert.equal((await metrics(moved.origin)).server_type, "hyper");
});
