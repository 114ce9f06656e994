// The student's page on a phone: one tap, the receipt, the line, every refusal, and what goes wrong in a school corridor.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { launch, leave, open } from "./browser.js";
import { elsewhere, school } from "./school.js";
import { ENGINES, serve, stopAll } from "./server.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
const STUDENTS = "id,name,pin\nS1,Ann,111111\nS2,Ben,222222\n";

let browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await stopAll();
});

afterEach(() => leave(browser));

const register = (server, options = {}) => open(browser, `${server.origin}/register`, { ...PHONE, ...options });
const courseOf = (page, id) => page.locator(`[data-course="${id}"]`);
const tap = (page, id) => courseOf(page, id).locator(".primary").click();
const banner = (page) => page.locator(".banner");
const receipt = (page) => page.locator(".receipt");
const identify = (page, student) => page.getByLabel("Student number").fill(student);
const taken = async (server, id) => {
  const { courses } = await (await fetch(`${server.origin}/courses`)).json();
  return courses.find((course) => course.id === id).taken;
};

/** Waits until the course list, which follows the registrations by a moment, has `count` seats taken. */
const expectTaken = async (server, id, count) => {
  const end = Date.now() + 5000;
  while ((await taken(server, id)) !== count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await taken(server, id), count);
};

const giveBack = (server, { registration_id: id }) => fetch(`${server.origin}/registrations/${id}`, { method: "DELETE" });

for (const engine of ENGINES) {
  test(`${engine}: one tap, a receipt that survives a reload, and a place in line that moves`, async () => {
    const server = await school({ engine });
    const page = await register(server);
    await banner(page).getByText("Registration is open").waitFor();
    await identify(page, "S1");
    await tap(page, "art");
    await receipt(page).getByText("You have a seat").waitFor();
    assert.match(await receipt(page).innerText(), /Painting and drawing[\s\S]*S1[\s\S]*\d-[0-9a-f]{32}/);
    await courseOf(page, "art").getByText("Your seat").waitFor();
    await courseOf(page, "art").getByText("1 of 2 seats free").waitFor();

    const holder = await elsewhere(server, "S9", "robots");
    await courseOf(page, "robots").getByText("Full, nobody waiting").waitFor();
    await courseOf(page, "robots").getByRole("button", { name: "Join the waiting list: Robots" }).click();
    await receipt(page).getByText("Waiting list: you are first").waitFor();

    await page.reload();
    assert.equal(await receipt(page).count(), 2);
    await giveBack(server, holder);
    await page.waitForFunction(() => document.querySelectorAll('.receipt[data-status="enrolled"]').length === 2, null, { timeout: 25_000 });
    assert.deepEqual(page.complaints, []);
    assert.ok(page.requests.every((url) => url.startsWith(server.origin)), page.requests.join());
    await server.stop();
  });
}

test("the opening counts down by the server's clock, and the button works from the first moment", async () => {
  const server = await school({ at: null });
  // This phone is two hours behind and does not know it.
  const page = await register(server, { before: () => {
    const real = Date.now;
    Date.now = () => real() - 7_200_000;
  } });
  await banner(page).getByText("Registration is closed").waitFor();
  await identify(page, "S1");
  const opening = new Date(Date.now() + 6000);
  server.opens(opening.toISOString());
  await page.locator('.banner[data-state="soon"] .countdown').getByText(/^0:0[0-6]$/).waitFor();
  const button = courseOf(page, "choir").locator(".primary");
  assert.equal(await button.getAttribute("aria-disabled"), "true");
  await button.click({ force: true });
  await expectTaken(server, "choir", 0);
  await banner(page).getByText("Registration is open").waitFor();
  assert.ok(Date.now() >= opening - 700, `${opening - Date.now()} ms too early`);
  await tap(page, "choir");
  await receipt(page).getByText("You have a seat").waitFor();
});

test("a double tap, a lost answer and a reload in the middle leave one registration", async () => {
  const server = await school();
  const page = await register(server);
  const keys = [];
  let lose = true;
  await page.route("**/registrations", async (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (!lose) return route.continue();
    // The server has done it, and the answer is lost on the way.
    await route.fetch();
    return route.abort();
  });
  await identify(page, "S1");
  await courseOf(page, "choir").locator(".primary").dblclick();
  await courseOf(page, "choir").getByText(/No connection\. Trying again/).waitFor();
  assert.equal(keys.length, 1);
  await page.reload();
  await page.waitForFunction(() => document.querySelector('[data-course="choir"] .news')?.textContent.includes("No connection"));
  lose = false;
  await receipt(page).getByText("You have a seat").waitFor();
  assert.ok(keys.length >= 3 && new Set(keys).size === 1, keys.join());
  await expectTaken(server, "choir", 1);
});

test("without a network the page says so, keeps the tap, and goes on by itself", async () => {
  const server = await school();
  const page = await register(server);
  await banner(page).getByText("Registration is open").waitFor();
  await identify(page, "S1");
  await page.context().setOffline(true);
  await page.locator(".link").getByText("Offline").waitFor();
  await tap(page, "choir");
  await courseOf(page, "choir").getByText(/No connection\. Trying again/).waitFor();
  await page.context().setOffline(false);
  await receipt(page).getByText("You have a seat").waitFor();
  await page.locator(".link").getByText("Live").waitFor();
  await expectTaken(server, "choir", 1);
});

test("what the server refuses is explained, and what it postpones is repeated when it asks", async () => {
  const server = await school({ students: STUDENTS });
  const page = await register(server);
  await tap(page, "choir");
  await page.getByText("Enter your student number first.").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "student");
  await identify(page, "S7");
  await tap(page, "choir");
  await page.getByText("Enter your PIN first.").waitFor();
  await page.getByLabel("PIN").fill("111111");
  await tap(page, "choir");
  await page.locator("#student-problem").getByText(/does not have this student number, or the PIN is wrong/).waitFor();
  assert.equal(await page.getByLabel("Student number").getAttribute("aria-invalid"), "true");
  await identify(page, "S1");

  const answers = [
    { status: 429, headers: { "Retry-After": "1" }, body: '{"error":"too many requests: wait a moment"}' },
    { status: 503, headers: { "Retry-After": "2" }, body: '{"error":"too many registrations are waiting"}' },
  ];
  const times = [];
  await page.route("**/registrations", (route) => {
    times.push(Date.now());
    const answer = answers.shift();
    return answer ? route.fulfill({ ...answer, contentType: "application/json" }) : route.continue();
  });
  await tap(page, "choir");
  await courseOf(page, "choir").getByText(/Too many requests at once\. Trying again in \d s/).waitFor();
  await courseOf(page, "choir").getByText(/The server is busy\. You are not registered yet\. Trying again in \d s/).waitFor();
  await receipt(page).getByText("You have a seat").waitFor();
  assert.ok(times[1] - times[0] >= 1000 && times[2] - times[1] >= 2000, times.join());
});

test("a seat is given back after a question, by keyboard alone", async () => {
  const server = await school();
  const page = await register(server, { isMobile: false, hasTouch: false });
  await banner(page).getByText("Registration is open").waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByLabel("Student number").focus();
  await page.keyboard.type("S1");
  // In the order of the page: the first course's button is next.
  await page.keyboard.press("Tab");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Register: Painting/);
  await page.keyboard.press("Enter");
  await receipt(page).getByText("You have a seat").waitFor();
  // The receipt has the focus, so that a screen reader reads it.
  await page.waitForFunction(() => document.activeElement.textContent === "You have a seat");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Give back your seat in Painting and drawing?" });
  await dialog.waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "hidden" });
  await expectTaken(server, "art", 1);
  await page.keyboard.press("Enter");
  await dialog.waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await receipt(page).waitFor({ state: "detached" });
  await expectTaken(server, "art", 0);
  await page.getByText("You gave back Painting and drawing.").waitFor({ state: "attached" });
});

test("the receipt prints alone, and hides on a phone that is not one's own", async () => {
  const server = await school();
  const page = await register(server);
  await identify(page, "S1");
  await tap(page, "art");
  await receipt(page).getByText("You have a seat").waitFor();
  await page.emulateMedia({ media: "print" });
  assert.ok(await receipt(page).isVisible());
  for (const hidden of [".identity", ".course", ".receipt-tools", ".banner"]) assert.equal(await page.locator(hidden).first().isVisible(), false, hidden);
  await page.emulateMedia({ media: "screen" });
  await receipt(page).getByRole("button", { name: "Hide on this phone" }).click();
  await receipt(page).waitFor({ state: "detached" });
  await page.reload();
  await banner(page).getByText("Registration is open").waitFor();
  assert.equal(await receipt(page).count(), 0);
  await expectTaken(server, "art", 1);
});

for (const colorScheme of ["light", "dark"]) {
  test(`nothing overflows, every target is large enough and axe is content: ${colorScheme}`, async () => {
    const courses = `id,title,seats\nart,Painting and drawing,2\nrobots,Robots,1\n${"abcdefgh".split("").map((id) => `${id},A course with ${"averylongword".repeat(3)} and more words than fit ${id},20\n`).join("")}`;
    const server = await school({ courses, at: "2099-09-01T08:00:00Z" });
    const check = async (page, what) => {
      await page.evaluate(AXE);
      const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => `${what}: ${id}: ${nodes.map(({ html }) => html).join()}`), []);
      assert.ok(passes.length > 15, `axe looked at ${passes.length} rules`);
      const small = await page.evaluate(() => {
        const seen = [...document.querySelectorAll(".register button, .register input")].filter((element) => element.checkVisibility());
        return seen.filter((element) => element.getBoundingClientRect().height < 43.5).map((element) => element.outerHTML);
      });
      assert.deepEqual(small, [], what);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, `${what} overflows`);
    };
    const page = await register(server, { width: 360, height: 740, colorScheme, bypassCSP: true });
    await page.locator('.banner[data-state="soon"]').waitFor();
    await check(page, "before the opening");
    server.opens("now");
    await banner(page).getByText("Registration is open").waitFor();
    await tap(page, "art");
    await page.getByText("Enter your student number first.").waitFor();
    await check(page, "a field is missing");
    await elsewhere(server, "S8", "robots");
    await courseOf(page, "robots").getByText("Full").waitFor();
    await identify(page, "S1");
    await tap(page, "a");
    await receipt(page).getByText("You have a seat").waitFor();
    await tap(page, "robots");
    await receipt(page).getByText("Waiting list: you are first").waitFor();
    await page.getByLabel("Find a course").fill("robot");
    await page.waitForFunction(() => [...document.querySelectorAll(".course")].filter((course) => course.checkVisibility()).length === 1);
    await check(page, "with receipts");
    await receipt(page).first().getByRole("button", { name: /^Give it back/ }).click();
    await page.getByRole("dialog").waitFor();
    await check(page, "the question");
    assert.deepEqual(page.complaints, []);
  });
}

test("a server without registrations, and one without courses, say so", async () => {
  const without = await serve("hyper", { DATABASE_URL: "none" });
  const page = await open(browser, `${without.origin}/register`, PHONE);
  await page.getByText("This server offers no courses").waitFor();
  const empty = await serve("hyper", { DATABASE_URL: `sqlite:${path.join(mkdtempSync(path.join(tmpdir(), "fastgo-school-")), "none.db")}` });
  const other = await open(browser, `${empty.origin}/register`, PHONE);
  await other.getByText("No courses are offered yet.").waitFor();
});
