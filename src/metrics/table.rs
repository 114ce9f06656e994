//! The one place where a number becomes a metric: its name in JSON, its name in Prometheus, and what it means.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::counters::{Endpoint, STATUSES, Totals};
use super::latency::LatencySummary;
use super::reading::{Reading, mb};
use crate::store::breaker::State;

/// A value as it is shown.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Int(u64),
    Float(f64),
    /// Not available on this engine or board.
    Missing,
}

/// How Prometheus treats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only ever rises; its name ends in `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
}

/// One metric.
pub(super) struct Row {
    /// Where it stands in the JSON, dots between levels; empty: not there.
    pub(super) json: &'static str,
    /// Its Prometheus name; empty: not there.
    pub(super) prometheus: &'static str,
    pub(super) kind: Kind,
    /// What it means.
    pub(super) help: &'static str,
    pub(super) read: fn(&Reading<'_>) -> Value,
}

const fn row(
    json: &'static str,
    prometheus: &'static str,
    kind: Kind,
    help: &'static str,
    read: fn(&Reading<'_>) -> Value,
) -> Row {
    Row { json, prometheus, kind, help, read }
}

fn int(counter: &AtomicU64) -> Value {
    Value::Int(counter.load(Relaxed))
}

/// A percentile, which is missing as long as there is nothing to take it of.
fn milliseconds(latency: &LatencySummary, read: fn(&LatencySummary) -> f64) -> Value {
    if latency.count > 0 { Float(read(latency)) } else { Value::Missing }
}

/// Answers to `/` with status 408. The class alone does not distinguish an overloaded server from a client's mistake.
fn late_answers(totals: &Totals) -> u64 {
    let Some(late) = STATUSES.iter().position(|&status| status == 408) else { return 0 };
    totals.answers[Endpoint::Process as usize].iter().map(|statuses| statuses[late]).sum()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

impl From<Option<u64>> for Value {
    fn from(value: Option<u64>) -> Self {
        value.map_or(Self::Missing, Self::Int)
    }
}

impl From<Option<f64>> for Value {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::Missing, Self::Float)
    }
}

use Kind::{Counter, Gauge};
use Value::{Float, Int};

/// Every single-valued metric, in the order of the JSON.
#[rustfmt::skip]
pub(super) const ROWS: &[Row] = &[
    row("num_cpu", "", Gauge, "Cores that this process may use.", |r| Int(r.cores)),
    row("uptime_seconds", "fastgo_uptime_seconds", Gauge, "Time since this server started.", |r| Float(r.uptime.as_secs_f64())),
    row("active_connections", "fastgo_connections_active", Gauge, "TCP connections open now.", |r| int(&r.counters.active)),
    row("idle_connections", "fastgo_connections_idle", Gauge, "Open connections that wait for a request.", |r| Int(r.totals.idle)),
    row("in_flight_requests", "fastgo_requests_in_flight", Gauge, "Requests to / between admission and answer.", |r| Int(r.totals.in_flight)),
    row("num_tasks", "fastgo_tasks", Gauge, "Live tasks or coroutines.", |r| Int(r.totals.tasks)),
    row("sse_subscribers", "fastgo_sse_subscribers", Gauge, "Open metric streams.", |r| int(&r.counters.subscribers)),
    row("total_requests", "fastgo_requests_started_total", Counter, "Requests to / admitted.", |r| Int(r.totals.started)),
    row("completed_requests", "", Counter, "Requests to / answered 200.", |r| Int(r.totals.completed())),
    row("error_count", "fastgo_request_errors_total", Counter, "Requests to / answered 4xx or 5xx, or abandoned by their client.", |r| Int(r.totals.errors())),
    row("error_rate_percent", "", Gauge, "Errors among all requests to /.", |r| Float(r.error_rate_percent())),
    row("internal_requests", "", Counter, "Answers to everything but /.", |r| Int(r.totals.internal())),
    row("requests_per_sec", "", Gauge, "Answers to / in the last full second.", |r| Float(r.second.requests_per_sec)),
    row("requests_per_sec_avg", "", Gauge, "Answers to / a second since start.", |r| Float(r.requests_per_sec_avg())),
    row("cpu_usage_percent", "", Gauge, "CPU time of this process in the last second; 100 is one core.", |r| Float(r.second.cpu_percent)),
    row("memory_alloc_mb", "", Gauge, "Resident memory in MiB.", |r| Float(mb(r.second.process.resident_bytes))),
    row("memory_sys_mb", "", Gauge, "Virtual memory in MiB.", |r| Float(mb(r.second.process.virtual_bytes))),
    row("latency_ms.count", "", Gauge, "Answers to / in the last second.", |r| Int(r.second.latency.count)),
    row("latency_ms.p50", "", Gauge, "Median latency of / in the last second.", |r| milliseconds(&r.second.latency, |of| of.p50)),
    row("latency_ms.p90", "", Gauge, "90th percentile.", |r| milliseconds(&r.second.latency, |of| of.p90)),
    row("latency_ms.p95", "", Gauge, "95th percentile.", |r| milliseconds(&r.second.latency, |of| of.p95)),
    row("latency_ms.p99", "", Gauge, "99th percentile.", |r| milliseconds(&r.second.latency, |of| of.p99)),
    row("latency_ms.p999", "", Gauge, "99.9th percentile.", |r| milliseconds(&r.second.latency, |of| of.p999)),
    row("latency_ms.max", "", Gauge, "Slowest answer.", |r| milliseconds(&r.second.latency, |of| of.max)),
    row("latency_ms.since_start.count", "", Gauge, "Answers to / since start.", |r| Int(r.second.latency_since_start.count)),
    row("latency_ms.since_start.p50", "", Gauge, "Median latency of / since start.", |r| milliseconds(&r.second.latency_since_start, |of| of.p50)),
    row("latency_ms.since_start.p90", "", Gauge, "90th percentile.", |r| milliseconds(&r.second.latency_since_start, |of| of.p90)),
    row("latency_ms.since_start.p95", "", Gauge, "95th percentile.", |r| milliseconds(&r.second.latency_since_start, |of| of.p95)),
    row("latency_ms.since_start.p99", "", Gauge, "99th percentile.", |r| milliseconds(&r.second.latency_since_start, |of| of.p99)),
    row("latency_ms.since_start.p999", "", Gauge, "99.9th percentile.", |r| milliseconds(&r.second.latency_since_start, |of| of.p999)),
    row("latency_ms.since_start.max", "", Gauge, "Slowest answer.", |r| milliseconds(&r.second.latency_since_start, |of| of.max)),
    row("queue.depth", "fastgo_queue_depth", Gauge, "Jobs waiting for a worker.", |r| Int(r.counters.queue_depth.get())),
    row("queue.capacity", "fastgo_queue_capacity", Gauge, "Jobs that may wait; 0 on engines without a queue.", |r| Int(r.config.queue_size as u64)),
    row("queue.rejected", "fastgo_queue_rejected_total", Counter, "Requests answered 503 because the queue was full.", |r| int(&r.counters.queue_rejected)),
    row("workers.total", "fastgo_workers", Gauge, "Workers of the pool; 0 on engines without one.", |r| Int(r.counters.workers.get())),
    row("workers.busy", "fastgo_workers_busy", Gauge, "Workers of the pool that are running a job.", |r| r.busy_workers().into()),
    row("responses.2xx", "", Counter, "Answers to / with a 2xx status.", |r| Int(r.totals.process_class(2))),
    row("responses.3xx", "", Counter, "Answers to / with a 3xx status.", |r| Int(r.totals.process_class(3))),
    row("responses.4xx", "", Counter, "Answers to / with a 4xx status.", |r| Int(r.totals.process_class(4))),
    row("responses.5xx", "", Counter, "Answers to / with a 5xx status.", |r| Int(r.totals.process_class(5))),
    row("responses.408", "", Counter, "Answers to / with status 408: the work was not done before the deadline.", |r| Int(late_answers(&r.totals))),
    row("bytes.read", "fastgo_read_bytes_total", Counter, "Bytes received from clients.", |r| Int(r.totals.bytes_read)),
    row("bytes.written", "fastgo_written_bytes_total", Counter, "Bytes sent to clients.", |r| Int(r.totals.bytes_written)),
    row("connections.accepted", "fastgo_connections_accepted_total", Counter, "TCP connections accepted.", |r| int(&r.counters.accepted)),
    row("connections.rejected", "fastgo_connections_rejected_total", Counter, "Connections answered 503 because the table was full.", |r| int(&r.counters.rejected)),
    row("connections.timed_out", "fastgo_connections_timed_out_total", Counter, "Connections ended by a read, write or idle deadline.", |r| int(&r.counters.timed_out)),
    row("store.pending", "fastgo_store_pending", Gauge, "Registrations that wait to be written.", |r| r.of_store(|s| s.figures.pending as u64).into()),
    row("store.batch_p50", "", Gauge, "Median size of the last 256 batches.", |r| r.of_store(|s| s.figures.batch_p50() as u64).into()),
    row("store.batch_max", "fastgo_store_batch_max", Gauge, "Largest batch since start.", |r| r.of_store(|s| s.figures.batch_max as u64).into()),
    row("store.commits", "fastgo_store_commits_total", Counter, "Batches written and synced.", |r| r.of_store(|s| s.figures.commits).into()),
    row("store.commit_ms.p50", "", Gauge, "Median time of the last 256 commits, each with its sync.", |r| r.of_store(|s| ms(s.figures.commit_time(0.5))).into()),
    row("", "fastgo_store_commit_p50_seconds", Gauge, "Median time of the last 256 commits, each with its sync.", |r| r.of_store(|s| s.figures.commit_time(0.5).as_secs_f64()).into()),
    row("store.commit_ms.p99", "", Gauge, "99th percentile of the same.", |r| r.of_store(|s| ms(s.figures.commit_time(0.99))).into()),
    row("", "fastgo_store_commit_p99_seconds", Gauge, "99th percentile of the same.", |r| r.of_store(|s| s.figures.commit_time(0.99).as_secs_f64()).into()),
    row("store.commit_ms.max", "", Gauge, "Longest commit since start.", |r| r.of_store(|s| ms(s.figures.commit_max())).into()),
    row("", "fastgo_store_commit_max_seconds", Gauge, "Longest commit since start.", |r| r.of_store(|s| s.figures.commit_max().as_secs_f64()).into()),
    row("store.enrolled", "fastgo_store_enrolled", Gauge, "Seats that are taken.", |r| r.of_store(|s| s.enrolled).into()),
    row("store.waiting", "fastgo_store_waiting", Gauge, "Places on waiting lists.", |r| r.of_store(|s| s.waiting).into()),
    row("store.failures", "fastgo_store_failures_total", Counter, "Batches and probes that failed.", |r| r.of_store(|s| s.figures.failures).into()),
    row("", "fastgo_store_breaker_open", Gauge, "1 while the store is refused because it failed.", |r| r.of_store(|s| u64::from(s.figures.breaker != State::Closed)).into()),
    row("admission.admitted", "fastgo_admission_admitted_total", Counter, "Registrations admitted to the store.", |r| r.of_store(|s| s.figures.admitted).into()),
    row("admission.refused", "fastgo_admission_refused_total", Counter, "Registrations refused for a long wait or a failing store.", |r| r.of_store(|s| s.figures.refused).into()),
    row("admission.predicted_wait_ms", "", Gauge, "How long a newcomer would wait.", |r| r.of_store(|s| ms(s.figures.predicted_wait)).into()),
    row("", "fastgo_admission_predicted_wait_seconds", Gauge, "How long a newcomer would wait.", |r| r.of_store(|s| s.figures.predicted_wait.as_secs_f64()).into()),
    row("rate_limited", "fastgo_rate_limited_total", Counter, "Requests answered 429.", |r| int(&r.counters.rate_limited)),
    row("traces.exported", "fastgo_trace_spans_exported_total", Counter, "Spans that the collector has accepted.", |r| r.tracer.map(|tracer| tracer.buffer().exported()).into()),
    row("traces.dropped", "fastgo_trace_spans_dropped_total", Counter, "Spans dropped because too many waited or no collector took them.", |r| r.tracer.map(|tracer| tracer.buffer().dropped()).into()),
    row("open_fds", "process_open_fds", Gauge, "Open file descriptors.", |r| Int(r.second.process.open_fds)),
    row("max_fds", "process_max_fds", Gauge, "Soft limit on open file descriptors.", |r| Int(r.second.process.max_fds)),
    row("limits.max_connections", "fastgo_connections_max", Gauge, "Connections held at once.", |r| Int(r.config.live.max_connections() as u64)),
    row("limits.queue_size", "", Gauge, "Jobs that may wait.", |r| Int(r.config.queue_size as u64)),
    row("limits.threads", "", Gauge, "Engine threads.", |r| Int(r.config.threads as u64)),
    row("limits.workers", "", Gauge, "The most workers that the pool may have; 0 on engines without one.", |r| Int(r.config.workers as u64)),
    row("limits.read_timeout_ms", "", Gauge, "Time for a whole request.", |r| Int(r.config.live.timeouts().read.as_millis() as u64)),
    row("limits.write_timeout_ms", "", Gauge, "Time for a whole response.", |r| Int(r.config.live.timeouts().write.as_millis() as u64)),
    row("limits.idle_timeout_ms", "", Gauge, "Time between requests.", |r| Int(r.config.live.timeouts().idle.as_millis() as u64)),
    row("limits.shutdown_timeout_ms", "", Gauge, "Time for requests in flight at shutdown.", |r| Int(r.config.live.shutdown_timeout().as_millis() as u64)),
    row("limits.max_header_bytes", "", Gauge, "Largest request head.", |r| Int(r.config.live.limits().max_head_bytes as u64)),
    row("limits.max_body_bytes", "", Gauge, "Largest request body.", |r| Int(r.config.live.limits().max_body_bytes)),

    row("", "fastgo_draining", Gauge, "1 while the server finishes its last requests.", |r| Int(r.draining.into())),
    row("", "fastgo_crashes_total", Counter, "Runs of this engine's service that failed, ever.", |r| r.runs.map(|runs| runs.crashes).into()),
    row("", "fastgo_watchdog_restarts_total", Counter, "Runs of this engine's service that the watchdog ended, ever.", |r| r.runs.map(|runs| runs.watchdog).into()),
    row("", "process_cpu_seconds_total", Counter, "User and system CPU time spent in seconds.", |r| Float(r.second.process.cpu_time.as_secs_f64())),
    row("", "process_resident_memory_bytes", Gauge, "Resident memory size in bytes.", |r| Int(r.second.process.resident_bytes)),
    row("", "process_virtual_memory_bytes", Gauge, "Virtual memory size in bytes.", |r| Int(r.second.process.virtual_bytes)),
    row("", "process_threads", Gauge, "Operating system threads.", |r| Int(r.second.process.threads)),
    row("", "process_start_time_seconds", Gauge, "Start time since the Unix epoch in seconds.", |r| Float((r.unix_time.saturating_sub(r.uptime)).as_secs_f64())),

    row("", "fastgo_pi_temperature_celsius", Gauge, "Temperature of the SoC.", |r| r.second.board.temperature_c.into()),
    row("", "fastgo_pi_temperature_limit_celsius", Gauge, "Temperature at which the firmware begins to throttle.", |r| r.second.board.temperature_limit_c.into()),
    row("", "fastgo_pi_under_voltage", Gauge, "1 when the supply voltage was too low within the last two seconds.", |r| r.second.board.under_voltage.map(u64::from).into()),
    row("", "fastgo_pi_throttled_bits", Gauge, "The firmware's throttle bits.", |r| r.second.board.throttled.as_ref().map(|throttled| u64::from(throttled.bits)).into()),
    row("", "fastgo_pi_firmware_age_seconds", Gauge, "Time since the firmware was asked.", |r| r.second.board.firmware.as_ref().map(|firmware| firmware.age_seconds).into()),
    row("", "fastgo_pi_core_volts", Gauge, "Voltage of the core.", |r| r.second.board.firmware.as_ref().and_then(|firmware| firmware.core_volts).into()),
    row("", "fastgo_pi_supply_volts", Gauge, "Voltage of the supply, which a Raspberry Pi 5 measures.", |r| r.second.board.firmware.as_ref().and_then(|firmware| firmware.supply_volts).into()),
    row("", "fastgo_pi_cpu_frequency_requested_hertz", Gauge, "CPU clock that Linux asked for.", |r| r.second.board.cpu_freq_requested_mhz.map(|mhz| mhz * 1e6).into()),
    row("", "fastgo_pi_cpu_frequency_hertz", Gauge, "CPU clock now, on a Raspberry Pi as the firmware measures it.", |r| r.second.board.cpu_freq_mhz.map(|mhz| mhz * 1e6).into()),
    row("", "fastgo_pi_cpu_frequency_max_hertz", Gauge, "Highest CPU clock that the governor may choose.", |r| r.second.board.cpu_freq_max_mhz.map(|mhz| mhz * 1e6).into()),
    row("", "fastgo_pi_load1", Gauge, "Load average over one minute.", |r| r.second.board.load.as_ref().map(|load| f64::from(load.one)).into()),
    row("", "fastgo_pi_memory_total_bytes", Gauge, "Main memory.", |r| r.second.board.memory.as_ref().map(|memory| memory.total_mb * 1_048_576.0).into()),
    row("", "fastgo_pi_memory_available_bytes", Gauge, "Main memory available to programs.", |r| r.second.board.memory.as_ref().map(|memory| memory.available_mb * 1_048_576.0).into()),
    row("", "fastgo_pi_swap_used_bytes", Gauge, "Swap space in use.", |r| r.second.board.swap.as_ref().map(|swap| swap.used_mb * 1_048_576.0).into()),
    row("", "fastgo_pi_sockets_tcp_in_use", Gauge, "TCP sockets in use on the whole board.", |r| r.second.board.sockets.as_ref().map(|sockets| sockets.tcp_in_use).into()),
    row("", "fastgo_pi_listen_overflows_total", Counter, "Connections lost since boot because a listen queue was full.", |r| r.second.board.listen_overflows.into()),
    row("", "fastgo_pi_listen_drops_total", Counter, "Connections lost on a listening socket since boot.", |r| r.second.board.listen_drops.into()),
    row("", "fastgo_pi_wifi_signal_dbm", Gauge, "Strength of the Wi-Fi signal.", |r| r.second.board.net.as_ref().and_then(|net| net.signal_dbm.map(f64::from)).into()),
    row("", "fastgo_pi_disk_wear_percent", Gauge, "Used part of the disk's rated life, where it reports that.", |r| r.second.board.disk.as_ref().and_then(|disk| disk.wear.map(|wear| u64::from(wear.used_percent))).into()),
    row("", "fastgo_pi_fan_rpm", Gauge, "Speed of the fan.", |r| r.second.board.fan.as_ref().and_then(|fan| fan.rpm.map(u64::from)).into()),
];
