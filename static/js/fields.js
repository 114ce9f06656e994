// The columns that a store keeps of each sample. A reader returns null or NaN where the sample has no such value;
// "total" fields are ever-growing counters kept as growth since the sample before.

// Without a request in the second there is no latency: the zeros in the sample mean "none".
const latency = (name) => (s) => (s.latency_ms?.count > 0 ? s.latency_ms[name] : null);

export const GAUGES = {
  requests_per_sec: (s) => s.requests_per_sec,
  in_flight: (s) => s.in_flight_requests,
  active: (s) => s.active_connections,
  idle: (s) => s.idle_connections,
  tasks: (s) => s.num_tasks,
  p50: latency("p50"),
  p95: latency("p95"),
  p99: latency("p99"),
  max: latency("max"),
  cpu: (s) => s.cpu_usage_percent,
  memory_mb: (s) => s.memory_alloc_mb,
  queue_depth: (s) => (s.queue?.capacity > 0 ? s.queue.depth : null),
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
  errors: (s) => s.error_count,
  refused_by_queue: (s) => s.queue?.rejected,
  refused_connections: (s) => s.connections?.rejected,
  bytes_read: (s) => s.bytes?.read,
  bytes_written: (s) => s.bytes?.written,
  listen_overflows: (s) => s.pi?.listen_overflows,
};

/** Memory that came with the connections, for each; the store works it out, as it takes a quiet moment to compare with. */
export const PER_CONNECTION = "bytes_per_connection";

export const COLUMNS = [...Object.keys(GAUGES), PER_CONNECTION, ...Object.keys(TOTALS)];

function sum(values) {
  if (!values?.length) return null;
  let total = 0;
  for (const value of values) total += value;
  return total;
}
