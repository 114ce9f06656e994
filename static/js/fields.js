// The columns that a store keeps of each sample. A reader returns null or NaN where the sample has no such value;
// totals are ever-growing counters kept as growth since the sample before.

// Without a request in the second there is no latency: the zeros in the sample mean "none".
const latency = (name) => (s) => (s.latency_ms?.count > 0 ? s.latency_ms[name] : null);

/** Connections of clients: those of dashboards that watch are not part of what is measured. */
export const clients = (s) => Math.max(0, s.active_connections - (s.sse_subscribers ?? 0));

export const GAUGES = {
  requests_per_sec: (s) => s.requests_per_sec,
  in_flight: (s) => s.in_flight_requests,
  active: (s) => s.active_connections,
  clients,
  idle: (s) => s.idle_connections,
  tasks: (s) => s.num_tasks,
  p50: latency("p50"),
  p95: latency("p95"),
  p99: latency("p99"),
  max: latency("max"),
  cpu: (s) => s.cpu_usage_percent,
  memory_mb: (s) => s.memory_alloc_mb,
  queue_depth: (s) => (s.queue?.capacity === 0 ? null : s.queue?.depth),
  busy_workers: (s) => s.workers?.busy,
  temperature_c: (s) => s.pi?.temperature_c,
  frequency_mhz: (s) => s.pi?.cpu_freq_mhz,
  // The whole board in the unit of the process: 100 for each busy core.
  board_cpu: (s) => sum(s.pi?.cores_percent),
  board_memory: (s) => s.pi?.memory?.used_percent,
  // CPU percent of one core is 10 ms of CPU per second for each point.
  cpu_micros_per_request: (s) =>
    s.requests_per_sec > 0 ? (s.cpu_usage_percent * 10_000) / s.requests_per_sec : null,
};

export const TOTALS = {
  requests: (s) => s.total_requests,
  successes: (s) => s.completed_requests,
  errors: (s) => s.error_count,
  late: (s) => s.responses?.["408"] ?? 0,
  client_errors: (s) => s.responses?.["4xx"] - (s.responses?.["408"] ?? 0),
  server_errors: (s) => s.responses?.["5xx"],
  refused_by_queue: (s) => s.queue?.rejected,
  refused_connections: (s) => s.connections?.rejected,
  commits: (s) => s.store?.commits,
  registrations_refused: (s) => s.admission?.refused,
  rate_limited: (s) => s.rate_limited,
  bytes_read: (s) => s.bytes?.read,
  bytes_written: (s) => s.bytes?.written,
  listen_overflows: (s) => s.pi?.listen_overflows,
};

/** Worked out from two samples: `grown(total)` is the growth since the sample before, over `seconds`. */
export const RATES = {
  // The server's own rate, split by what came out: both are of the same second.
  successes_per_sec: (s, grown) => {
    const [good, bad] = [grown("successes"), grown("client_errors") + grown("late") + grown("server_errors")];
    if (s.requests_per_sec === 0) return 0;
    return good + bad > 0 ? (s.requests_per_sec * good) / (good + bad) : NaN;
  },
  errors_per_sec: (_, grown, seconds) => grown("errors") / seconds,
  offered_per_sec: (_, grown, seconds) => grown("requests") / seconds,
};

/** Memory that came with the connections, for each; the store works it out, as it takes an idle moment to compare with. */
export const PER_CONNECTION = "bytes_per_connection";

export const COLUMNS = [...Object.keys(GAUGES), ...Object.keys(RATES), PER_CONNECTION, ...Object.keys(TOTALS)];

/** A history row has the sum already. */
function sum(values) {
  if (typeof values === "number") return values;
  if (!values?.length) return null;
  let total = 0;
  for (const value of values) total += value;
  return total;
}
