// The stream: silence, loss, recovery and sleep, with a made-up EventSource and clock.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Stream } from "../../../static/js/stream.js";

class Source {
  static made = [];
  listeners = {};
  closed = false;

  constructor(url) {
    this.url = url;
    Source.made.push(this);
  }

  addEventListener(name, listener) {
    this.listeners[name] = listener;
  }

  close() {
    this.closed = true;
  }

  say(name, data) {
    this.listeners[name]({ data: typeof data === "string" ? data : JSON.stringify(data) });
  }
}

/** Lets the answer to "why did it fail" arrive. */
const settle = () => new Promise((done) => setImmediate(done));

function start({ failure = "down" } = {}) {
  Source.made = [];
  const seen = { states: [], samples: [], histories: [] };
  const time = { now: 1000 };
  const stream = new Stream("http://pi:8080/sse/metrics", {
    state: (state) => seen.states.push(state),
    sample: (sample) => seen.samples.push(sample),
    history: (samples) => seen.histories.push(samples),
  }, { make: (url) => new Source(url), now: () => time.now, explain: async () => failure });
  const pass = (ms) => {
    for (const end = time.now + ms; time.now < end; ) {
      time.now += 250;
      stream.tick();
    }
  };
  stream.start();
  return { stream, seen, time, pass };
}

const last = () => Source.made.at(-1);

test("is live once an event came, and hands on history and samples", () => {
  const { stream, seen } = start();
  assert.equal(stream.state, "connecting");
  last().say("history", [{ n: 1 }]);
  last().say("message", { n: 2 });
  assert.deepEqual(seen, { states: ["connecting", "live"], samples: [{ n: 2 }], histories: [[{ n: 1 }]] });
});

test("silence shows within 3 seconds, and the connection is opened again", () => {
  const { stream, pass } = start();
  last().say("message", {});
  pass(2500);
  assert.equal(stream.state, "live");
  pass(500);
  assert.equal(stream.state, "stale");
  pass(4000);
  assert.equal(stream.state, "down");
  assert.ok(Source.made[0].closed);
  assert.equal(Source.made.length, 2);
  last().say("message", {});
  assert.equal(stream.state, "live");
});

test("a lost connection is down at once and tried again within 2 seconds, for ever", async () => {
  const { stream, pass } = start();
  last().say("message", {});
  last().say("error", "");
  await settle();
  assert.equal(stream.state, "down");
  for (let tries = 2; tries < 40; tries++) {
    pass(2000);
    assert.ok(Source.made.length >= tries, `${Source.made.length} tries`);
    if (!last().closed) last().say("error", "");
  }
  pass(2000);
  last().say("message", {});
  assert.equal(stream.state, "live");
});

test("an engine that answers but accepts no connection is full, not down, until it accepts one", async () => {
  const { stream, seen, pass } = start({ failure: "full" });
  for (let tries = 1; tries < 5; tries++) {
    last().say("error", "");
    await settle();
    assert.equal(stream.state, "full");
    pass(2000);
  }
  last().say("message", {});
  assert.deepEqual(seen.states, ["connecting", "full", "live"]);
});

test("an answer to why it failed that comes too late changes nothing", async () => {
  const { stream, pass } = start({ failure: "full" });
  last().say("error", "");
  pass(500);
  last().say("message", {});
  await settle();
  assert.equal(stream.state, "live");
});

test("an engine that never answers is down, not connecting, within 3 seconds", () => {
  const { stream, pass } = start();
  pass(3000);
  assert.equal(stream.state, "down");
});

test("a heartbeat or garbage is no sample", () => {
  const { stream, seen } = start();
  last().say("message", "not json");
  assert.equal(stream.state, "connecting");
  assert.equal(seen.samples.length, 0);
});

test("sleeps with the tab, and opens exactly one connection on return", () => {
  const { stream, pass } = start();
  last().say("message", {});
  stream.stop();
  assert.ok(Source.made[0].closed);
  pass(60_000);
  assert.equal(Source.made.length, 1);
  stream.start();
  stream.start();
  assert.equal(Source.made.length, 2);
  Source.made[0].say("message", { late: true });
  assert.equal(stream.state, "connecting", "what a closed connection still delivers is ignored");
});
