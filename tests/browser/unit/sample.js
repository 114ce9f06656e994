// Samples as the engines send them, for the tests: a quiet hyper, changed where a test asks for it.

import { Store } from "../../../static/js/store.js";

const START = 1_763_875_200_000;

/** The sample of second `n`; `changes` replace its fields. */
export function sample(n = 0, changes = {}) {
  const latency = { count: 100, p50: 10.1, p90: 11, p95: 12, p99: 15, p999: 18, max: 20 };
  return {
    server_type: "hyper", version: "0.1.0", work: "sleep:10ms", draining: false,
    time_unix_ms: START + n * 1000, uptime_seconds: n + 1, num_cpu: 4,
    active_connections: 201, idle_connections: 190, in_flight_requests: 10, num_tasks: 12, sse_subscribers: 1,
    total_requests: n * 100, completed_requests: n * 100, error_count: 0, error_rate_percent: 0, internal_requests: 0,
    requests_per_sec: 100, requests_per_sec_avg: 100, cpu_usage_percent: 5, memory_alloc_mb: 10, memory_sys_mb: 200,
    latency_ms: { ...latency, since_start: latency },
    queue: { depth: 0, capacity: 0, rejected: 0 }, workers: { total: 4, busy: null },
    responses: { "2xx": n * 100, "3xx": 0, "4xx": 0, "5xx": 0, "408": 0 }, bytes: { read: n * 9000, written: n * 20_000 },
    connections: { accepted: 200, rejected: 0, timed_out: 0 }, open_fds: 220, max_fds: 20_000,
    limits: { max_connections: 1000, read_timeout_ms: 15_000 }, pi: null,
    ...changes,
  };
}

/** What an engine under a load reports in second `n`: `offered` requests a second, of which `late` end as 408, `invalid` as 400. */
export function loaded(n, { offered = 100, late = 0, invalid = 0, ...changes } = {}) {
  const good = offered - late - invalid;
  return sample(n, {
    total_requests: n * offered, completed_requests: n * good, error_count: n * (late + invalid), requests_per_sec: offered,
    responses: { "2xx": n * good, "3xx": 0, "4xx": n * (late + invalid), "5xx": 0, "408": n * late },
    ...(offered ? {} : { latency_ms: { count: 0 } }),
    ...changes,
  });
}

/** Puts samples `from` up to and without `to` into a store, `make(n)` each. */
export function put(store, from, to, make) {
  for (let n = from; n < to; n++) {
    const one = make(n);
    store.push(one, one.time_unix_ms);
  }
  return store;
}

/** The same with `changes(n)` to the usual sample. */
export const fill = (store, from, to, changes = () => ({})) => put(store, from, to, (n) => sample(n, changes(n)));

/** A store of `seconds` under a load. */
export const under = (load, seconds = 60) => put(new Store(), 0, seconds, (n) => loaded(n, typeof load === "function" ? load(n) : load));

/** Time of second `n`. */
export const at = (n) => START + n * 1000;
