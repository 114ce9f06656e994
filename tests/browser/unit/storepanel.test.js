// The panel of the registrations: when it is shown, and what its rows say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isUsed, rowsOf, storeAlerts } from "../../../static/js/storepanel.js";

const quiet = () => ({
  store: { backend: "sqlite", breaker: "closed", pending: 0, batch_p50: 0, batch_max: 0, commits: 0, commit_ms: { p50: 0, p99: 0, max: 0 }, enrolled: 0, waiting: 0 },
  admission: { admitted: 0, refused: 0, predicted_wait_ms: 50 }, rate_limited: 0,
});

test("it is shown where a student has registered or could not", () => {
  assert.equal(isUsed(undefined), false);
  assert.equal(isUsed({ store: { backend: null, breaker: null, enrolled: null } }), false);
  assert.equal(isUsed(quiet()), false);
  for (const change of [(s) => (s.store.enrolled = 1), (s) => (s.admission.refused = 1), (s) => (s.rate_limited = 1), (s) => (s.store.breaker = "open")]) {
    const sample = quiet();
    change(sample);
    assert.equal(isUsed(sample), true);
  }
});

test("rows say what is written, and mark what is wrong now", () => {
  const sample = { ...quiet(), rate_limited: 7 };
  Object.assign(sample.store, { commits: 40, batch_p50: 12, batch_max: 200, commit_ms: { p50: 18, p99: 31.25, max: 80 }, breaker: "open" });
  const grown = (key) => ({ commits: 44, registrations_refused: 3, rate_limited: 0 })[key];
  const rows = Object.fromEntries(rowsOf(sample, grown).map(([label, ...rest]) => [label, rest]));
  assert.equal(rows["Commits a second"][0], "44");
  assert.equal(rows["Batch, median · largest"][0], "12 · 200");
  assert.equal(rows["Sync p99"][0], "31.3 ms");
  assert.deepEqual([rows["Refused"][1], rows["Rate limited"][1], rows["Circuit breaker"][1]], ["bad", null, "bad"]);
  assert.equal(storeAlerts(sample).length, 1);
  assert.deepEqual([storeAlerts(quiet()), storeAlerts(undefined)], [[], []]);
});
