//! All numbers of one server at one moment, before anyone decides how to write them.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::counters::{Counters, Totals};
use super::latency::{Cumulative, Latencies, LatencySummary};
use crate::config::{Config, EngineKind};
use crate::platform::process::{self, ProcessStats};
use crate::platform::{Board, BoardSample, Roots};

/// The measurements of one server.
pub struct Metrics {
    /// What the engine counts.
    pub counters: Counters,
    /// The server is finishing its last requests.
    pub draining: AtomicBool,
    pub(super) config: Config,
    started: Instant,
    sampled: Mutex<Sampled>,
}

/// What is measured once a second because it needs an interval, or costs more than a counter.
struct Sampled {
    board: Board,
    at: Instant,
    requests: u64,
    cpu_time: Duration,
    since_start: Latencies,
    second: Second,
}

/// The last full second.
#[derive(Clone)]
pub(super) struct Second {
    pub(super) requests_per_sec: f64,
    pub(super) cpu_percent: f64,
    pub(super) latency: LatencySummary,
    pub(super) latency_since_start: LatencySummary,
    pub(super) buckets: Cumulative,
    pub(super) process: ProcessStats,
    pub(super) board: BoardSample,
}

/// Live counters together with the last second's measurements.
pub struct Reading<'a> {
    pub(super) config: &'a Config,
    pub(super) totals: Totals,
    pub(super) counters: &'a Counters,
    pub(super) second: Second,
    pub(super) uptime: Duration,
    pub(super) unix_time: Duration,
    pub(super) draining: bool,
}

impl Metrics {
    /// Starts measuring a server with these settings.
    pub fn new(config: Config) -> Self {
        let process = process::collect();
        let mut board = Board::new(Roots::system());
        let second = Second {
            requests_per_sec: 0.0,
            cpu_percent: 0.0,
            latency: LatencySummary::default(),
            latency_since_start: LatencySummary::default(),
            buckets: Cumulative::default(),
            process,
            board: board.collect(),
        };
        let now = Instant::now();
        let sampled = Sampled {
            board,
            at: now,
            requests: 0,
            cpu_time: process.cpu_time,
            since_start: Latencies::default(),
            second,
        };
        Self {
            counters: Counters::default(),
            draining: AtomicBool::new(false),
            config,
            started: now,
            sampled: Mutex::new(sampled),
        }
    }

    /// Measures the interval since the last call; the sampler calls it once a second.
    pub fn sample(&self) {
        let mut sampled = self.sampled.lock().unwrap_or_else(PoisonError::into_inner);
        let sampled = &mut *sampled;
        let now = Instant::now();
        let seconds = now.duration_since(sampled.at).as_secs_f64().max(1e-3);
        let totals = self.counters.totals();
        let requests = totals.processed();
        let mut interval = Latencies::default();
        self.counters.drain_latencies(&mut interval);
        let process = process::collect();

        let second = &mut sampled.second;
        second.requests_per_sec = (requests - sampled.requests) as f64 / seconds;
        second.cpu_percent = process.cpu_time.saturating_sub(sampled.cpu_time).as_secs_f64() / seconds * 100.0;
        second.latency = interval.summary();
        if second.latency.count > 0 {
            sampled.since_start.add(&interval);
            second.latency_since_start = sampled.since_start.summary();
            second.buckets = sampled.since_start.cumulative();
        }
        // Without a free descriptor `/proc` cannot be read; the last second's figures are better than none.
        if process.resident_bytes > 0 {
            second.process = process;
        }
        second.board = sampled.board.collect();
        sampled.at = now;
        sampled.requests = requests;
        sampled.cpu_time = process.cpu_time;
    }

    /// Requests to `/` between admission and answer.
    pub fn in_flight(&self) -> u64 {
        self.counters.totals().in_flight
    }

    /// Answers of any kind since start.
    pub fn answers(&self) -> u64 {
        self.counters.totals().all()
    }

    /// Everything, now.
    pub fn read(&self) -> Reading<'_> {
        let second = self.sampled.lock().unwrap_or_else(PoisonError::into_inner).second.clone();
        Reading {
            config: &self.config,
            totals: self.counters.totals(),
            counters: &self.counters,
            second,
            uptime: self.started.elapsed(),
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            draining: self.draining.load(Relaxed),
        }
    }
}

impl Reading<'_> {
    pub(super) fn engine(&self) -> &'static str {
        self.config.engine.name()
    }

    pub(super) fn error_rate_percent(&self) -> f64 {
        if self.totals.started == 0 { 0.0 } else { self.totals.errors() as f64 / self.totals.started as f64 * 100.0 }
    }

    pub(super) fn requests_per_sec_avg(&self) -> f64 {
        self.totals.processed() as f64 / self.uptime.as_secs_f64().max(1e-3)
    }

    /// `None` where the engine has no pool whose workers could be busy.
    pub(super) fn busy_workers(&self) -> Option<u64> {
        (self.config.engine == EngineKind::WorkerPool).then(|| self.counters.busy_workers.load(Relaxed))
    }

    /// One line for the log: what a person watching `journalctl` wants each minute.
    pub fn log_line(&self) -> String {
        let latency = &self.second.latency;
        format!(
            "METRICS {:.0} req/s, {} in flight, {} connections ({} idle), p50 {:.1} ms, p99 {:.1} ms, {} errors, cpu {:.0} %, \
             memory {:.1} MB, {} requests",
            self.second.requests_per_sec,
            self.totals.in_flight,
            self.counters.active.load(Relaxed),
            self.counters.idle.load(Relaxed),
            latency.p50,
            latency.p99,
            self.totals.errors(),
            self.second.cpu_percent,
            mb(self.second.process.resident_bytes),
            self.totals.started,
        )
    }

    /// One line for a status display: connections and rate.
    pub fn status_line(&self) -> String {
        let state = if self.draining { "draining" } else { "serving" };
        format!(
            "{state}: {} connections, {:.0} req/s, {} in flight",
            self.counters.active.load(Relaxed),
            self.second.requests_per_sec,
            self.totals.in_flight
        )
    }
}

/// Mebibytes.
pub(super) fn mb(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}
