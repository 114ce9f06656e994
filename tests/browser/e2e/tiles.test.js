// No text of the tiles, the cards and the bar is cut off with large figures, on a laptop, a tablet and a phone.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { drawn, launch, leave, open } from "./browser.js";
import { ENGINES, serveAll, stopAll } from "./server.js";

const SIZES = [[1440, 900], [1024, 768], [390, 844], [360, 740]];
let browser;
let server;

before(async () => {
  [browser, server] = await Promise.all([launch(), serveAll()]);
});

after(async () => {
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

for (const [path, engine] of [["/compare3", "worker-pool"], ...ENGINES.map((engine) => ["/dashboard", engine])]) {
  test(`${path} of ${engine} cuts off no text`, async () => {
    const page = await open(browser, `${server.origins[engine]}${path}?window=1m`, { before: enlarge });
    await page.locator(".lamps", { hasText: "9.9% used" }).waitFor();
    await drawn(page, "throughput", 2);
    for (const [width, height] of SIZES) {
      await page.setViewportSize({ width, height });
      assert.deepEqual(await page.evaluate(cutOff), [], `${width} px`);
    }
  });
}

/** In the page, before its scripts: each sample has the figures of a large board with 100,000 connections and too much to do. */
function enlarge() {
  const large = (sample) => {
    const seconds = 10_000 + Math.floor(sample.uptime_seconds);
    const failed = seconds * 3456;
    const latency = { ...sample.latency_ms, count: 123_456, p50: 99.9, p90: 234, p95: 456, p99: 999, p999: 12_300, max: 12_300 };
    return {
      ...sample, uptime_seconds: seconds, num_cpu: 16, latency_ms: latency, requests_per_sec: 123_456,
      total_requests: seconds * 123_456, completed_requests: seconds * 120_000, error_count: failed,
      responses: { "2xx": seconds * 120_000, "3xx": 0, "4xx": 0, "5xx": failed, "408": 0 },
      bytes: { read: seconds * 123_456_789, written: seconds * 234_567_890 },
      active_connections: 100_000, idle_connections: 88_888, in_flight_requests: 11_112, num_tasks: 100_123, sse_subscribers: 12,
      limits: { ...sample.limits, max_connections: 100_000 },
      connections: { accepted: seconds * 100, rejected: seconds * 10, timed_out: 0 },
      queue: sample.queue.capacity > 0 ? { depth: 10_000, capacity: 10_000, rejected: seconds * 3456 } : sample.queue,
      workers: { total: 1024, busy: sample.workers.busy === null ? null : 1024 },
      cpu_usage_percent: 1599, memory_alloc_mb: 10_239, memory_sys_mb: 20_000,
      store: {
        ...sample.store, backend: "sqlite", breaker: "half_open", enrolled: 100_000, waiting: 98_765, pending: 10_000, commits: seconds * 1234,
        batch_p50: 1234, batch_max: 12_345, commit_ms: { p50: 45.6, p99: 99.9 },
      },
      admission: { ...sample.admission, predicted_wait_ms: 9990, admitted: seconds * 123, refused: seconds * 12 }, rate_limited: seconds * 12,
      pi: {
        ...sample.pi, model: "Raspberry Pi Compute Module 5 Rev 1.0", temperature_c: 82.3, temperature_limit_c: 80, under_voltage: true,
        throttled: { now: ["under_voltage", "throttled"], occurred: ["under_voltage", "throttled"] },
        memory: { total_mb: 131_072, available_mb: 118_096, used_percent: 9.9 }, cores_percent: Array(16).fill(99.9),
      },
    };
  };
  const Real = globalThis.EventSource;
  globalThis.EventSource = class extends Real {
    addEventListener(type, listener) {
      super.addEventListener(type, (event) => {
        const data = event.data && JSON.parse(event.data);
        listener(data ? { data: JSON.stringify(Array.isArray(data) ? data.map(large) : large(data)) } : event);
      });
    }
  };
}

/** In the page: texts that are wider than their place, without those that are hidden and the blocks that scroll. */
function cutOff() {
  const found = [];
  for (const element of document.querySelectorAll(".bar *, .tiles *, .card *")) {
    const style = getComputedStyle(element);
    if (!element.checkVisibility() || style.display === "inline" || style.clipPath !== "none" || element.closest("pre, .plot, .spark")) continue;
    const { scrollWidth, clientWidth } = element;
    const name = element.className || element.localName;
    if (scrollWidth > clientWidth) found.push(`${name} "${element.textContent}": ${scrollWidth} in ${clientWidth} px`);
  }
  return found;
}
