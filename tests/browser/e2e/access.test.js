// What pages of other origins can do in a real browser, names that lead here from elsewhere, and the access token.

import assert from "node:assert/strict";
import http from "node:http";
import { once } from "node:events";
import { after, afterEach, before, test } from "node:test";
import { launch, leave, open } from "./browser.js";
import { ENGINES, metrics, serve, serveAll, stopAll } from "./server.js";

let browser;
let elsewhere;

before(async () => {
  // Every name leads to this machine, as after a rebinding; only names of loopback count as trustworthy for the browser.
  browser = await launch("--host-resolver-rules=MAP * 127.0.0.1");
  elsewhere = http.createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>elsewhere</title>"));
  elsewhere.listen(0, "127.0.0.1");
  await once(elsewhere, "listening");
});

after(async () => {
  await browser?.close();
  elsewhere?.close();
  await stopAll();
});

afterEach(() => leave(browser));

/** What a page at `page` gets of the engine at `engine` by every way a browser has. */
async function tryAll(page, engine) {
  const visitor = await open(browser, page);
  return visitor.evaluate(async (origin) => {
    const get = (path, options) => fetch(origin + path, options).then((answer) => answer.type === "opaque" ? "opaque" : answer.text(), () => "refused");
    const read = await Promise.all(["/metrics", "/history", "/runs", "/courses", "/"].map((path) => get(path)));
    const streamed = await new Promise((done) => {
      const stream = new EventSource(`${origin}/sse/metrics`);
      stream.addEventListener("error", () => done("refused"));
      for (const event of ["history", "message"]) stream.addEventListener(event, ({ data }) => done(data));
    });
    const blind = { mode: "no-cors" };
    await get("/", blind);
    await get("/", { ...blind, referrerPolicy: "no-referrer" });
    await get("/", { ...blind, method: "POST", body: "{}" });
    await get("/runs", { ...blind, method: "POST", body: '{"action":"start","name":"from elsewhere"}' });
    await new Promise((done) => {
      const image = new Image();
      image.onload = image.onerror = done;
      image.src = `${origin}/?image`;
    });
    return [...read, streamed];
  }, engine);
}

test("a page of another origin neither reads metrics nor makes the board work", async () => {
  const server = await serve("hyper", { WORK: "none" });
  const from = elsewhere.address().port;
  // A host of loopback, for which the browser sends Sec-Fetch-Site; names of the network, for which it does not.
  for (const [page, engine] of [
    [`http://localhost:${from}`, server.origin],
    [`http://evil.example:${from}`, server.origin],
    [`http://evil.example:${from}`, `http://board.local:${server.port}`],
  ]) {
    const got = await tryAll(page, engine);
    assert.deepEqual(got, got.map(() => "refused"), `${page} from ${engine}`);
  }
  const { total_requests: requests } = await metrics(server.origin);
  assert.equal(requests, 0);
  const runs = await (await fetch(`${server.origin}/runs`, { headers: { Accept: "application/json" } })).json();
  assert.equal(runs.active, null);
});

test("a name that its owner lets lead here is not answered", async () => {
  const server = await serve("may");
  const page = await open(browser, `http://evil.example:${server.port}/health`);
  const got = await page.evaluate(() => Promise.all(
    ["/metrics", "/", "/dashboard", "/sse/metrics", "/runs", "/health"].map((path) => fetch(path).then(({ status }) => status))));
  assert.deepEqual(got, [421, 421, 421, 421, 421, 200]);
  await (await open(browser, `http://board.local:${server.port}/dashboard`)).locator('.status[data-state="live"]').waitFor();
});

test("with an access token the pages ask for it once, for all engines", async () => {
  const token = "school-token-2026";
  const server = await serveAll({ ACCESS_TOKEN: token });
  const page = await open(browser, `${server.origins.may}/compare3`);
  await page.getByLabel("Access token").fill("wrong");
  await page.getByRole("button", { name: "Open" }).click();
  await page.waitForURL(/token=wrong/);
  await page.getByLabel("Access token").fill(token);
  await page.getByRole("button", { name: "Open" }).click();
  await page.waitForFunction((count) => document.querySelectorAll('.status[data-state="live"]').length === count, ENGINES.length);
  assert.doesNotMatch(page.url(), /token/);
  assert.equal((await fetch(`${server.origins.hyper}/metrics`)).status, 401);
  const answer = await fetch(`${server.origins.hyper}/metrics`, { headers: { Authorization: `Bearer ${token}` } });
  assert.equal(answer.status, 200);
});
