// The student's page: what an answer means, the server's clock, and an attempt over lost connections, double taps and reloads.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Attempts } from "../../../static/js/register/attempts.js";
import { outcome } from "../../../static/js/register/outcome.js";
import { Receipts } from "../../../static/js/register/receipts.js";
import { ServerClock } from "../../../static/js/register/serverclock.js";
import { action, left, refusal, seats, standing, waiting } from "../../../static/js/register/words.js";

const RECEIPT = { registration_id: "7-ab", student_id: "S1", course_id: "art", status: "enrolled", position: null, registered_at: "2026-09-01T06:00:00.250Z" };
const moment = { tries: 1, now: Date.parse("2026-09-01T06:00:00Z"), random: 0 };
const meaning = (answer, at = {}) => outcome(answer, { ...moment, ...at });

/** Storage as a browser has it. */
class Storage {
  kept = new Map();
  getItem = (key) => this.kept.get(key) ?? null;
  setItem = (key, value) => this.kept.set(key, value);
}

test("each answer of the contract has a meaning", () => {
  for (const status of [200, 201]) assert.deepEqual(meaning({ status, body: RECEIPT }), { kind: "receipt", receipt: RECEIPT });
  const closed = { status: 403, body: { error: "registration is not open yet", opens_at: "2026-09-01T08:00:00Z" } };
  assert.deepEqual(meaning(closed), { kind: "refused", reason: "closed", opensAt: Date.parse("2026-09-01T08:00:00Z") });
  assert.deepEqual(meaning({ status: 403, body: { error: "closed", opens_at: null } }), { kind: "refused", reason: "closed", opensAt: null });
  for (const [status, reason] of [[403, "student"], [404, "course"], [410, "given-back"]]) {
    assert.deepEqual(meaning({ status, body: { error: "…" } }), { kind: "refused", reason });
  }
  for (const status of [400, 413, 415, 422]) assert.equal(meaning({ status, body: { error: "why" } }).message, "why");
});

test("what may yet succeed is tried again when the server asks, and no sooner", () => {
  assert.deepEqual(meaning({ status: 503, retryAfter: "4", body: {} }), { kind: "again", reason: "busy", wait: 4000 });
  assert.deepEqual(meaning({ status: 429, retryAfter: "1", body: {} }, { random: 1 }), { kind: "again", reason: "often", wait: 2000 });
  assert.deepEqual(meaning({ status: 503, retryAfter: "999999", body: {} }).wait, 120_000);
  for (const status of [408, 500, 502, 504, 302]) assert.equal(meaning({ status, retryAfter: null, body: null }).kind, "again");
  // A proxy's page in the place of a receipt is none.
  assert.equal(meaning({ status: 200, retryAfter: null, body: null }).kind, "again");
  const waits = [1, 2, 3, 4, 50].map((tries) => meaning(null, { tries, random: 0.5 }).wait);
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 8000]);
});

test("an opening a moment away is waited for", () => {
  const soon = meaning({ status: 403, body: { opens_at: "2026-09-01T06:00:01Z" } });
  assert.deepEqual(soon, { kind: "again", reason: "soon", wait: 1100 });
});

test("the server's clock is known to a fraction of a second, whatever the phone's says", () => {
  let steady = 0;
  const clock = new ServerClock(() => steady);
  assert.equal(clock.known, false);
  // The server's time is 1,000,000.4 s at steady 0; its header is cut to whole seconds.
  const server = (at) => 1_000_000_400 + at;
  for (const at of [0, 730, 1460, 2190, 2920]) clock.note(Math.floor(server(at + 20) / 1000) * 1000, at, at + 40);
  steady = 3000;
  assert.ok(Math.abs(clock.now() - server(3000)) < 250, `${clock.now() - server(3000)} ms off`);
  clock.note(NaN, 3000, 3010);
  clock.note(0, 3000, 9000);
  assert.ok(Math.abs(clock.now() - server(3000)) < 250);
  // Set by an hour.
  const jumped = server(3020) + 3_600_000;
  clock.note(Math.floor(jumped / 1000) * 1000, 3000, 3040);
  assert.ok(Math.abs(clock.now() - jumped) < 1100);
});

/** Attempts against answers that come when the test sends them. */
function start(storage = new Storage()) {
  const seen = { posts: [], answers: [], receipts: [], refusals: [], timers: [] };
  const api = { register: (attempt) => new Promise((answer) => {
    seen.posts.push({ ...attempt });
    seen.answers.push(answer);
  }) };
  const attempts = new Attempts(api, new ServerClock(() => 0), {
    changed: () => {}, receipt: (receipt) => seen.receipts.push(receipt), refused: (result) => seen.refusals.push(result),
  }, { storage, random: () => 0, later: (act, wait) => seen.timers.push({ act, wait }) });
  const answer = async (value) => {
    seen.answers.shift()(value);
    await new Promise((done) => setImmediate(done));
  };
  return { attempts, seen, answer, storage };
}

test("a double tap is one request", async () => {
  const { attempts, seen, answer } = start();
  attempts.start("S1", "art", null);
  attempts.start("S1", "art", null);
  assert.equal(seen.posts.length, 1);
  await answer({ status: 201, body: RECEIPT });
  assert.deepEqual([seen.receipts, attempts.all.size], [[RECEIPT], 0]);
});

test("every repetition has the key of the first, over a reload too; the next attempt has another", async () => {
  const { attempts, seen, answer, storage } = start();
  attempts.start("S1", "art", "1234");
  await answer(null);
  assert.equal(attempts.all.get("art").reason, "offline");
  seen.timers.pop().act();
  await answer({ status: 503, retryAfter: "2", body: {} });
  assert.equal(seen.timers[0].wait, 2000);
  attempts.hurry();
  assert.equal(seen.posts.length, 2, "a pause that the server asked for is kept");
  const reloaded = start(storage);
  reloaded.attempts.resume();
  assert.equal(reloaded.seen.posts.length, 1);
  const keys = new Set([...seen.posts, ...reloaded.seen.posts].map(({ key }) => key));
  assert.equal(keys.size, 1);
  assert.deepEqual([reloaded.seen.posts[0].student, reloaded.seen.posts[0].pin], ["S1", "1234"]);
  await reloaded.answer({ status: 200, body: RECEIPT });
  reloaded.attempts.start("S1", "art", "1234");
  assert.ok(!keys.has(reloaded.seen.posts[1].key));
});

test("a connection that is back is used at once; who gave up is not registered by a late answer", async () => {
  const { attempts, seen, answer } = start();
  attempts.start("S1", "art", null);
  await answer(null);
  attempts.hurry();
  assert.equal(seen.posts.length, 2);
  attempts.stop("art");
  await answer({ status: 201, body: RECEIPT });
  assert.deepEqual(seen.receipts, []);
  attempts.start("S1", "art", null);
  await answer({ status: 403, body: { error: "unknown" } });
  assert.equal(seen.refusals[0].reason, "student");
});

test("receipts are kept, replaced by newer ones, and bounded", () => {
  const storage = new Storage();
  const receipts = new Receipts(storage);
  for (let n = 0; n < 30; n++) receipts.put({ ...RECEIPT, registration_id: `${n}-ab`, title: "Art" });
  receipts.put({ ...RECEIPT, registration_id: "29-ab", status: "waiting", position: 2 });
  const again = new Receipts(storage);
  again.load();
  assert.equal(again.all.length, 20);
  assert.deepEqual([again.all[0].status, again.all[0].title], ["waiting", "Art"]);
  again.remove("29-ab");
  assert.equal(again.of("S1", "art").registration_id, "28-ab");
  storage.setItem("fastgo-receipts", "{not json");
  receipts.load();
});

test("plain words", () => {
  assert.equal(seats({ seats: 25, taken: 18, waiting: 0 }), "7 of 25 seats free");
  assert.equal(seats({ seats: 1, taken: 0, waiting: 0 }), "1 of 1 seat free");
  assert.equal(seats({ seats: 25, taken: 25, waiting: 3 }), "Full, 3 waiting");
  assert.equal(action({ seats: 2, taken: 2 }), "Join the waiting list");
  assert.deepEqual([left(9000), left(754_000), left(11_100_000), left(200_000_000)], ["0:09", "12:34", "3 h 05 min", "2 days"]);
  assert.equal(standing({ status: "waiting", position: 3 }).title, "Waiting list: place 3");
  assert.equal(standing({ status: "waiting", position: 1 }).title, "Waiting list: you are first");
  assert.equal(waiting("offline", 2500), "No connection. Trying again in 3 s.");
  assert.match(refusal({ reason: "student" }, 0), /student number, or the PIN/);
  assert.equal(refusal({ reason: "closed", opensAt: null }, 0), "Registration is closed.");
});
