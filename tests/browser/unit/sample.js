// A sample as the engines send it, for the tests: a quiet hyper, changed where a test asks for it.

const START = 1_763_875_200_000;

/** The sample of second `n`; `changes` replace its fields. */
export function sample(n = 0, changes = {}) {
  const latency = { count: 100, p50: 10.1, p90: 11, p95: 12, p99: 15, p999: 18, max: 20 };
  return {
    server_type: "hyper", version: "0.1.0", work: "sleep:10ms", draining: false,
    time_unix_ms: START + n * 1000, uptime_seconds: n + 1, num_cpu: 4,
    active_connections: 200, idle_connections: 190, in_flight_requests: 10, num_tasks: 12, sse_subscribers: 1,
    total_requests: n * 100, completed_requests: n * 100, error_count: 0, error_rate_percent: 0, internal_requests: 0,
    requests_per_sec: 100, requests_per_sec_avg: 100, cpu_usage_percent: 5, memory_alloc_mb: 10, memory_sys_mb: 200,
    latency_ms: { ...latency, since_start: latency },
    queue: { depth: 0, capacity: 0, rejected: 0 }, workers: { total: 4, busy: null },
    responses: { "2xx": n * 100, "3xx": 0, "4xx": 0, "5xx": 0 }, bytes: { read: n * 9000, written: n * 20_000 },
    connections: { accepted: 200, rejected: 0, timed_out: 0 }, open_fds: 220, max_fds: 20_000,
    limits: {}, pi: null,
    ...changes,
  };
}

/** Puts samples `from` up to and without `to` into a store, `changes(n)` to each. */
export function fill(store, from, to, changes = () => ({})) {
  for (let n = from; n < to; n++) {
    const one = sample(n, changes(n));
    store.push(one, one.time_unix_ms);
  }
  return store;
}

/** Time of second `n`. */
export const at = (n) => START + n * 1000;
