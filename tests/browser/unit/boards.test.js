// Several boards on one page: their names, their engines in the address, and what is known of a board.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withHosts } from "../../../static/js/boardlist.js";
import { boardAt, byHost } from "../../../static/js/boards.js";
import { clock } from "../../../static/js/format.js";
import { MOST_ENGINES, TYPES, onHosts, parseHosts } from "../../../static/js/peers.js";
import { reachAlerts } from "../../../static/js/reach.js";
import { Store } from "../../../static/js/store.js";
import { at, fill, sample } from "./sample.js";

test("names of hosts are read, and each that cannot be used is named", () => {
  assert.deepEqual(parseHosts(" PI4.local,pi5\n192.0.2.7 [fd00::1],,pi5 "), { hosts: ["pi4.local", "pi5", "192.0.2.7", "[fd00::1]"], problems: [] });
  for (const none of [null, undefined, "", " , "]) assert.deepEqual(parseHosts(none), { hosts: [], problems: [] });
  for (const bad of ["http://pi4.local", "pi4.local:8080", "pi4.local/compare3", "me@pi4.local", "4", "[fd00::1", "a%20b", "?"]) {
    const { hosts, problems } = parseHosts(`pi4.local,${bad}`);
    assert.deepEqual(hosts, ["pi4.local"], bad);
    assert.equal(problems.length, 1, bad);
    assert.ok(problems[0].startsWith(`“${bad}” is not`), problems[0]);
  }
  const { hosts, problems } = parseHosts(Array.from({ length: 9 }, (_, i) => `pi${i}.local`).join());
  assert.equal(hosts.length, MOST_ENGINES);
  assert.equal(problems.length, 1);
});

test("of each board all engines are shown, or those that fit", () => {
  assert.deepEqual(onHosts("pi4.local,pi5.local", ["may", "hyper"]), {
    origins: ["http://pi4.local:8081", "http://pi4.local:8082", "http://pi5.local:8081", "http://pi5.local:8082"],
    types: ["may", "hyper", "may", "hyper"], problems: [],
  });
  assert.equal(onHosts("a,b", TYPES).origins.length, MOST_ENGINES);
  const three = onHosts("a,b,c", TYPES);
  assert.deepEqual(three.types, ["worker-pool", "may", "worker-pool", "may", "worker-pool", "may"]);
  assert.match(three.problems[0], /^6 engines fit on a page\. Shown of each board: worker-pool, may$/);
  assert.equal(onHosts("a,b,c,d,e,f", ["hyper"]).origins.length, MOST_ENGINES);
  assert.deepEqual(onHosts(null, TYPES), { origins: [], types: [], problems: [] });
});

test("a list of boards goes into the address; the page's own board alone does not", () => {
  const query = (text, ...list) => withHosts(new URLSearchParams(text), ...list).toString();
  assert.equal(query("window=1m&engines=http://a:1", ["a", "b"], "hyper", "a"), "window=1m&hosts=a%2Cb&only=hyper");
  assert.equal(query("hosts=a,b&only=may", ["b"], "", "a"), "hosts=b");
  assert.equal(query("hosts=a,b&only=may&wall=1", ["a"], "may", "a"), "wall=1");
  assert.equal(query("hosts=a,b", [], "", "a"), "");
});

const engine = (host, state, { last = 9, ...more } = {}) => {
  const store = last === null ? new Store() : fill(new Store(), 0, last + 1);
  const latest = last === null ? null : sample(last, { pi: { model: host } });
  return { name: `hyper ${host}`, host, origin: `http://${host}:8082`, state, latest, lastSampleAt: last === null ? null : at(last), frozen: null, shown: { store, sample: latest }, ...more };
};

test("a board is what an engine that answers reports; without one it is as of then, or was never seen", () => {
  const { sample: { pi }, total, absence } = boardAt([engine("pi1", "down", { last: 12 }), engine("pi1", "live"), engine("pi1", "live")], at(20));
  assert.deepEqual([pi.model, total, absence], ["pi1", "200 successful / s", ""]);
  const gone = boardAt([engine("pi1", "down"), engine("pi1", "stale", { last: 11 })], at(23));
  assert.equal(gone.sample.time_unix_ms, at(11));
  assert.deepEqual([gone.total, gone.absence], ["", `no answer for 12 s, as of ${clock(at(11))}`]);
  const never = (...states) => boardAt(states.map((state) => engine("pi1", state, { last: null })), at(20));
  assert.deepEqual(never("down", "down"), { sample: undefined, total: "", absence: "no answer yet" });
  assert.equal(never("connecting", "down").absence, "");
  assert.equal(never("refused", "down").absence, "not allowed");
});

test("a board whose figures this page may not read says which setting lets it", () => {
  const engines = [engine("pi1.local", "live"), engine("pi2.local", "refused", { last: null }), engine("pi2.local", "refused", { last: null })];
  assert.deepEqual(byHost(engines).map((here) => here.length), [1, 2]);
  const [{ text, level }, ...others] = reachAlerts(engines, at(20), true, "http://pi1.local:8080");
  assert.match(text, /^pi2\.local answers, but .*: add pi1\.local to BOARDS/);
  assert.deepEqual([level, others.length], ["bad", 0]);
});
