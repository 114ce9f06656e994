//! What the hot path touches: relaxed counters, one cache-line-aligned shard for each thread.
//!
//! Everything else (totals, classes, rates, percentiles) is derived when a sample is taken.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::latency::Latencies;
use crate::http::Method;

/// Shards; a power of two. Threads beyond it share, which costs a contended cache line and nothing else.
const SHARDS: usize = 16;

/// What a request asked for, as the metrics label it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/`: the requests that the counters count.
    Process,
    /// `/health`
    Health,
    /// `/metrics`
    Metrics,
    /// `/sse/metrics`
    Events,
    /// `/courses` and `/sse/courses`
    Courses,
    /// `/registrations`
    Registrations,
    /// The three pages and their assets.
    Page,
    /// A path that no route has.
    NotFound,
    /// Refused before it reached the application.
    Rejected,
}

/// Every endpoint with the value of its `route` label.
pub(super) const ENDPOINTS: [(Endpoint, &str); 9] = [
    (Endpoint::Process, "/"),
    (Endpoint::Health, "/health"),
    (Endpoint::Metrics, "/metrics"),
    (Endpoint::Events, "/sse/metrics"),
    (Endpoint::Courses, "/courses"),
    (Endpoint::Registrations, "/registrations"),
    (Endpoint::Page, "page"),
    (Endpoint::NotFound, "not_found"),
    (Endpoint::Rejected, "rejected"),
];

/// The values of the `method` label.
pub(super) const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "other"];

/// Every status this server sends.
pub(super) const STATUSES: [u16; 25] = [
    200, 201, 204, 302, 304, 400, 403, 404, 405, 408, 409, 410, 413, 414, 415, 417, 421, 422, 429, 431, 500, 501, 503,
    505, 599,
];

#[repr(align(128))]
struct Shard {
    answers: [[[AtomicU64; STATUSES.len()]; METHODS.len()]; ENDPOINTS.len()],
    started: AtomicU64,
    abandoned: AtomicU64,
    in_flight: AtomicI64,
    tasks: AtomicI64,
    idle: AtomicI64,
    bytes_read: AtomicU64,
    bytes_written: AtomicU64,
    /// `None` until the shard's first request: a histogram takes 168 KiB.
    latencies: Mutex<Option<Latencies>>,
}

/// The counters of one server.
pub struct Counters {
    shards: Box<[Shard]>,
    /// TCP connections open now.
    pub active: AtomicU64,
    /// TCP connections accepted since start.
    pub accepted: AtomicU64,
    /// Connections refused with a 503 because the connection limit was reached.
    pub rejected: AtomicU64,
    /// Connections ended by a read, write or idle deadline.
    pub timed_out: AtomicU64,
    /// Open streams of `/sse/metrics`.
    pub subscribers: AtomicU64,
    /// Requests refused because the queue was full.
    pub queue_rejected: AtomicU64,
    /// Requests refused because their student or address sent too many.
    pub rate_limited: AtomicU64,
    /// Workers of the pool.
    pub workers: Gauge,
    /// Workers running a job.
    pub busy_workers: Gauge,
    /// Jobs waiting in the queue.
    pub queue_depth: Gauge,
}

/// A count of things that exist now; it falls when their guards are dropped.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

/// One of the things that a [`Gauge`] counts.
#[derive(Debug)]
pub struct Counted<'a>(&'a AtomicU64);

/// A live task or coroutine.
pub struct Task<'a>(&'a Counters);

impl Gauge {
    /// Counts one more until the guard is dropped.
    pub fn enter(&self) -> Counted<'_> {
        self.0.fetch_add(1, Relaxed);
        Counted(&self.0)
    }

    /// The same, unless there are `most` already.
    pub fn enter_below(&self, most: u64) -> Option<Counted<'_>> {
        let counted = Counted(&self.0);
        (self.0.fetch_add(1, Relaxed) < most).then_some(counted)
    }

    /// How many there are now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.0.shard().tasks.fetch_sub(1, Relaxed);
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::new()).collect(),
            active: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            timed_out: AtomicU64::new(0),
            subscribers: AtomicU64::new(0),
            queue_rejected: AtomicU64::new(0),
            rate_limited: AtomicU64::new(0),
            workers: Gauge::default(),
            busy_workers: Gauge::default(),
            queue_depth: Gauge::default(),
        }
    }
}

impl Shard {
    fn new() -> Self {
        Self {
            answers: std::array::from_fn(|_| std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0)))),
            started: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            in_flight: AtomicI64::new(0),
            tasks: AtomicI64::new(0),
            idle: AtomicI64::new(0),
            bytes_read: AtomicU64::new(0),
            bytes_written: AtomicU64::new(0),
            latencies: Mutex::default(),
        }
    }
}

impl Counters {
    /// The calling thread's shard. Never inlined: a coroutine may continue on another thread, and a compiler that inlined
    /// this into it could reuse the address of the first thread's variable.
    #[inline(never)]
    fn shard(&self) -> &Shard {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        thread_local!(static INDEX: usize = NEXT.fetch_add(1, Relaxed) % SHARDS);
        &self.shards[INDEX.with(|index| *index)]
    }

    /// A request to `/` was admitted.
    pub fn request_started(&self) {
        let shard = self.shard();
        shard.started.fetch_add(1, Relaxed);
        shard.in_flight.fetch_add(1, Relaxed);
    }

    /// A request to `/` has its answer, `latency` after its last byte arrived.
    pub fn request_finished(&self, method: Method, status: u16, latency: Duration) {
        self.answered(Endpoint::Process, Some(method), status);
        let shard = self.shard();
        shard.in_flight.fetch_sub(1, Relaxed);
        if let Ok(mut latencies) = shard.latencies.lock() {
            latencies.get_or_insert_default().record(latency);
        }
    }

    /// A request to `/` ended without an answer: its client or its connection was gone.
    pub fn request_abandoned(&self) {
        let shard = self.shard();
        shard.abandoned.fetch_add(1, Relaxed);
        shard.in_flight.fetch_sub(1, Relaxed);
    }

    /// An answer was decided; `None` when the method was never understood.
    pub fn answered(&self, endpoint: Endpoint, method: Option<Method>, status: u16) {
        let method = match method {
            Some(Method::Get) => 0,
            Some(Method::Head) => 1,
            Some(Method::Post) => 2,
            _ => 3,
        };
        let status = STATUSES.iter().position(|&known| known == status).unwrap_or(STATUSES.len() - 1);
        self.shard().answers[endpoint as usize][method][status].fetch_add(1, Relaxed);
    }

    /// Bytes came from clients.
    pub fn bytes_read(&self, bytes: usize) {
        self.shard().bytes_read.fetch_add(bytes as u64, Relaxed);
    }

    /// Bytes went to clients.
    pub fn bytes_written(&self, bytes: usize) {
        self.shard().bytes_written.fetch_add(bytes as u64, Relaxed);
    }

    /// Counts a task or coroutine until the guard is dropped, perhaps on another thread.
    pub fn task(&self) -> Task<'_> {
        self.shard().tasks.fetch_add(1, Relaxed);
        Task(self)
    }

    /// So many more connections are idle.
    pub fn idle_changed(&self, by: i64) {
        self.shard().idle.fetch_add(by, Relaxed);
    }

    /// Moves every shard's latencies since the last call into `into`.
    pub(super) fn drain_latencies(&self, into: &mut Latencies) {
        for shard in &self.shards {
            if let Ok(mut latencies) = shard.latencies.lock()
                && let Some(latencies) = &mut *latencies
            {
                latencies.drain_into(into);
            }
        }
    }

    /// The sums over all shards.
    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let (mut in_flight, mut tasks, mut idle) = (0, 0, 0);
        for shard in &self.shards {
            totals.started += shard.started.load(Relaxed);
            totals.abandoned += shard.abandoned.load(Relaxed);
            totals.bytes_read += shard.bytes_read.load(Relaxed);
            totals.bytes_written += shard.bytes_written.load(Relaxed);
            in_flight += shard.in_flight.load(Relaxed);
            tasks += shard.tasks.load(Relaxed);
            idle += shard.idle.load(Relaxed);
            for (endpoint, methods) in shard.answers.iter().enumerate() {
                for (method, statuses) in methods.iter().enumerate() {
                    for (status, count) in statuses.iter().enumerate() {
                        totals.answers[endpoint][method][status] += count.load(Relaxed);
                    }
                }
            }
        }
        // The shards are read one after another, so a passing difference below zero is possible.
        totals.in_flight = u64::try_from(in_flight).unwrap_or(0);
        totals.tasks = u64::try_from(tasks).unwrap_or(0);
        totals.idle = u64::try_from(idle).unwrap_or(0);
        totals
    }
}

/// Everything the shards hold, added up at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    /// Answers by endpoint, method and status, in the order of the three label tables.
    pub answers: [[[u64; STATUSES.len()]; METHODS.len()]; ENDPOINTS.len()],
    /// Requests to `/` admitted.
    pub started: u64,
    /// Requests to `/` whose client was gone before the answer.
    pub abandoned: u64,
    /// Requests to `/` between admission and answer.
    pub in_flight: u64,
    /// Live tasks or coroutines.
    pub tasks: u64,
    /// Connections that are idle.
    pub idle: u64,
    /// Bytes received.
    pub bytes_read: u64,
    /// Bytes sent.
    pub bytes_written: u64,
}

impl Totals {
    /// Answers to `/` whose status begins with `class`.
    pub(super) fn process_class(&self, class: u16) -> u64 {
        self.sum(|endpoint, status| endpoint == Endpoint::Process && status / 100 == class)
    }

    /// Answers to everything but `/`.
    pub(super) fn internal(&self) -> u64 {
        self.sum(|endpoint, _| endpoint != Endpoint::Process)
    }

    /// Answers to `/`, of any status.
    pub(super) fn processed(&self) -> u64 {
        self.sum(|endpoint, _| endpoint == Endpoint::Process)
    }

    /// Answers to everything.
    pub(super) fn all(&self) -> u64 {
        self.sum(|_, _| true)
    }

    /// Requests to `/` answered 200.
    pub(super) fn completed(&self) -> u64 {
        self.process_class(2)
    }

    /// Requests to `/` that were answered with an error or not at all.
    pub(super) fn errors(&self) -> u64 {
        self.process_class(4) + self.process_class(5) + self.abandoned
    }

    fn sum(&self, counts: impl Fn(Endpoint, u16) -> bool) -> u64 {
        let mut sum = 0;
        for ((endpoint, _), methods) in ENDPOINTS.iter().zip(&self.answers) {
            for statuses in methods {
                for (&status, count) in STATUSES.iter().zip(statuses) {
                    if counts(*endpoint, status) {
                        sum += count;
                    }
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_over_threads() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        counters.request_started();
                        counters.request_finished(Method::Get, 200, Duration::from_millis(2));
                        counters.answered(Endpoint::Health, Some(Method::Head), 200);
                    }
                    counters.request_started();
                    counters.request_abandoned();
                    counters.request_started();
                    counters.request_finished(Method::Post, 503, Duration::ZERO);
                });
            }
        });
        let totals = counters.totals();
        assert_eq!((totals.started, totals.completed(), totals.errors()), (2040, 2000, 40));
        assert_eq!((totals.internal(), totals.in_flight, totals.process_class(5)), (2000, 0, 20));
        let mut latencies = Latencies::default();
        counters.drain_latencies(&mut latencies);
        assert_eq!(latencies.summary().count, 2020);
    }
}
