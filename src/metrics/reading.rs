//! All numbers of one server at one moment, independent of an output format.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;

use super::counters::{Counters, Totals};
use super::latency::{Cumulative, Latencies, LatencySummary};
use crate::alerts::Conditions;
use crate::config::{Config, Peer};
use crate::platform::process::{self, ProcessStats};
use crate::platform::runs::Runs;
use crate::platform::siblings::Siblings;
use crate::platform::{Board, BoardSample, Collector, Roots};
use crate::store::breaker::State;
use crate::store::{Figures, Store};
use crate::trace::Tracer;

/// The measurements of one server.
pub struct Metrics {
    /// What the engine counts.
    pub counters: Counters,
    /// The server is finishing its last requests.
    pub draining: AtomicBool,
    pub(super) config: Config,
    /// How the service's runs before this one ended; `None` where no service manager keeps that.
    runs: Option<Runs>,
    store: Option<Arc<Store>>,
    tracer: Option<&'static Tracer>,
    started: Instant,
    /// Cores that this process may use.
    cores: u64,
    /// Held for as long as a measurement takes, by the sampler alone.
    sampler: Mutex<Sampler>,
    /// Held for a moment by every reader.
    last_second: Mutex<LastSecond>,
}

/// What is measured once a second because it needs an interval, or costs more than a counter.
struct Sampler {
    board: Board,
    at: Instant,
    requests: u64,
    cpu_time: Duration,
    /// The last full second's.
    interval: Latencies,
    since_start: Latencies,
    siblings: Siblings,
}

/// The last full second.
#[derive(Clone)]
pub(super) struct LastSecond {
    pub(super) requests_per_sec: f64,
    pub(super) cpu_percent: f64,
    pub(super) latency: LatencySummary,
    pub(super) latency_since_start: LatencySummary,
    pub(super) buckets: Cumulative,
    /// What was counted when the latencies were taken.
    pub(super) totals: Arc<Totals>,
    pub(super) process: ProcessStats,
    pub(super) board: BoardSample,
    pub(super) collectors: Vec<Collector>,
    /// The engines of this machine, at the ports that they use now.
    pub(super) peers: Vec<Peer>,
}

/// Live counters together with the last second's measurements.
pub struct Reading<'a> {
    pub(super) config: &'a Config,
    pub(super) totals: Totals,
    pub(super) counters: &'a Counters,
    pub(super) runs: Option<&'a Runs>,
    pub(super) second: LastSecond,
    pub(super) cores: u64,
    pub(super) uptime: Duration,
    pub(super) unix_time: Duration,
    pub(super) draining: bool,
    /// Where there are registrations.
    pub(super) store: Option<StoreReading>,
    /// Where requests are traced.
    pub(super) tracer: Option<&'static Tracer>,
}

/// The store, now.
pub(super) struct StoreReading {
    pub(super) figures: Figures,
    /// Seats that are taken.
    pub(super) enrolled: u64,
    /// Places on waiting lists.
    pub(super) waiting: u64,
}

impl Metrics {
    /// Starts measuring a server with these settings, its store and its traces if it has them.
    pub fn new(config: Config, store: Option<Arc<Store>>, tracer: Option<&'static Tracer>) -> Self {
        let process = process::collect();
        let mut board = Board::new(Roots::system());
        let second = LastSecond {
            requests_per_sec: 0.0,
            cpu_percent: 0.0,
            latency: LatencySummary::default(),
            latency_since_start: LatencySummary::default(),
            buckets: Cumulative::default(),
            totals: Arc::default(),
            process,
            board: board.collect(),
            collectors: board.collectors().to_vec(),
            peers: config.peers.clone(),
        };
        let now = Instant::now();
        let sampler = Sampler {
            board,
            at: now,
            requests: 0,
            cpu_time: process.cpu_time,
            interval: Latencies::default(),
            since_start: Latencies::default(),
            siblings: Siblings::from_env(),
        };
        Self {
            counters: Counters::default(),
            draining: AtomicBool::new(false),
            runs: Runs::path(config.engine.name()).map(|path| Runs::load(&path)),
            config,
            store,
            tracer,
            started: now,
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
            sampler: Mutex::new(sampler),
            last_second: Mutex::new(second),
        }
    }

    /// Measures the interval since the last call; the sampler calls it once a second. A board that is slow to read delays
    /// no other thread.
    pub fn sample(&self) {
        let sampler = &mut *self.sampler.lock().unwrap_or_else(PoisonError::into_inner);
        let mut second = self.last_second().clone();
        let now = Instant::now();
        let seconds = now.duration_since(sampler.at).as_secs_f64().max(1e-3);
        let totals = self.counters.totals();
        let requests = totals.processed();
        sampler.interval.clear();
        self.counters.drain_latencies(&mut sampler.interval);
        let process = process::collect();

        second.requests_per_sec = (requests - sampler.requests) as f64 / seconds;
        second.cpu_percent = process.cpu_time.saturating_sub(sampler.cpu_time).as_secs_f64() / seconds * 100.0;
        second.latency = sampler.interval.summary();
        if second.latency.count > 0 {
            sampler.since_start.add(&sampler.interval);
            second.latency_since_start = sampler.since_start.summary();
            second.buckets = sampler.since_start.cumulative();
        }
        second.totals = Arc::new(totals);
        // Without a free descriptor `/proc` cannot be read; the last second's figures are better than none.
        if process.resident_bytes > 0 {
            second.process = process;
        }
        second.board = sampler.board.collect();
        second.collectors.clear();
        second.collectors.extend_from_slice(sampler.board.collectors());
        for (peer, configured) in second.peers.iter_mut().zip(&self.config.peers) {
            // Unreadable, perhaps because descriptors ran out: the last value is better than a guess.
            if let Ok(address) = sampler.siblings.address(&peer.name) {
                peer.port = address.map_or(configured.port, |address| address.port());
            }
        }
        sampler.at = now;
        sampler.requests = requests;
        sampler.cpu_time = process.cpu_time;
        *self.last_second() = second;
    }

    fn last_second(&self) -> MutexGuard<'_, LastSecond> {
        self.last_second.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engines on this host with their ports of the last second.
    pub fn peers(&self) -> Vec<Peer> {
        self.last_second().peers.clone()
    }

    /// Why this engine was started again, if the run before this one failed and the one before that did not.
    pub fn restart_reason(&self) -> Option<String> {
        let runs = self.runs.as_ref().filter(|runs| runs.failures() == 1)?;
        Some(runs.last.as_ref()?.reason.clone())
    }

    /// Requests to `/` between admission and answer.
    pub fn in_flight(&self) -> u64 {
        self.counters.totals().in_flight
    }

    /// Answers of any kind since start, those to connections beyond the limit included.
    pub fn answers(&self) -> u64 {
        self.counters.totals().all() + self.counters.rejected.load(Relaxed)
    }

    /// Shows the latencies of the last full second, in microseconds, to `look`.
    pub fn with_latencies<T>(&self, look: impl FnOnce(&Histogram<u64>) -> T) -> T {
        look(self.sampler.lock().unwrap_or_else(PoisonError::into_inner).interval.histogram())
    }

    /// Everything, now.
    pub fn read(&self) -> Reading<'_> {
        let second = self.last_second().clone();
        Reading {
            config: &self.config,
            totals: self.counters.totals(),
            counters: &self.counters,
            runs: self.runs.as_ref(),
            second,
            cores: self.cores,
            uptime: self.started.elapsed(),
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            draining: self.draining.load(Relaxed),
            tracer: self.tracer,
            store: self.store.as_deref().map(|store| {
                let courses = store.courses();
                StoreReading { figures: store.figures(), enrolled: courses.enrolled(), waiting: courses.waiting() }
            }),
        }
    }
}

impl Reading<'_> {
    /// What alerts are about.
    pub fn conditions(&self) -> Conditions {
        let conditions = Conditions {
            connections: (self.counters.active.load(Relaxed), self.config.live.max_connections() as u64),
            breaker_is_open: self.of_store(|store| store.figures.breaker != State::Closed).unwrap_or(false),
            peers: self.second.peers.clone(),
            ..Conditions::default()
        };
        conditions.on(&self.second.board)
    }

    /// A value of the store, where there is one.
    pub(super) fn of_store<T>(&self, read: impl Fn(&StoreReading) -> T) -> Option<T> {
        self.store.as_ref().map(read)
    }

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
        self.config.engine.has_pool().then(|| self.counters.busy_workers.get())
    }

    /// One line for the log, once a minute, for a person who reads `journalctl`.
    pub fn log_line(&self) -> String {
        let latency = &self.second.latency;
        let percentiles = if latency.count > 0 {
            format!("p50 {:.1} ms, p99 {:.1} ms, ", latency.p50, latency.p99)
        } else {
            String::new()
        };
        format!(
            "METRICS {:.0} req/s, {} in flight, {} connections ({} idle), {percentiles}{} errors, cpu {:.0} %, \
             memory {:.1} MiB, {} requests",
            self.second.requests_per_sec,
            self.totals.in_flight,
            self.counters.active.load(Relaxed),
            self.totals.idle,
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
