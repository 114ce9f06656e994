//! What every engine shares: connections and who may hold them, the event loop of a serving thread, streams, shutdown.
//!
//! A serving thread runs a [`EventLoop`]: it accepts, reads, and answers what needs no work. Its connections live in a
//! [`Reactor`], registered in one epoll from accept to close. Where a request takes work, an engine detaches it as a
//! [`Pending`] response and hands the connection back with it.

mod accept;
mod accept_backoff;
mod budget;
pub mod capacity;
mod connection;
mod deadlines;
mod drain;
mod event_loop;
mod exchange;
mod heartbeat;
mod metrics_log;
mod per_address;
mod permit;
mod reactor;
mod sampler;
mod socket;
mod streams;
mod table;
mod thread;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::app::{App, overloaded};
use crate::clock::Moment;
use crate::http::{Envelope, Response, Timeouts};
use crate::metrics::Endpoint;
use budget::Budget;
pub use drain::Drained;
pub use event_loop::{Engine, EventLoop};
pub use exchange::{Exchange, Pending, work_timed_out};
use heartbeat::Heartbeats;
pub(crate) use metrics_log::MetricsLog;
use per_address::PerAddress;
use reactor::Reactor;
pub(crate) use socket::set_unread_time;
use streams::Streams;
pub use thread::spawn_critical;

/// Shortest and longest time between two looks at deadlines.
const TICKS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(250));

/// One server. It lives as long as the process.
pub struct Server {
    /// What it serves.
    pub app: Arc<App>,
    /// How often deadlines are looked at; none is missed by more.
    tick: Duration,
    /// One for each serving thread.
    reactors: Box<[Reactor]>,
    streams: Streams,
    heartbeats: Heartbeats,
    /// Memory for what connections have received or not been sent yet.
    buffers: Budget,
    /// Connections beyond the limit that may ask how the server is doing.
    reserve: AtomicU64,
    /// Connections that were refused and are being closed.
    refused: AtomicU64,
    max_refused: u64,
    per_address: PerAddress,
    /// Acceptors empty the kernel's queue once more and then end.
    stop_accepting: AtomicBool,
    /// Acceptors that have not ended yet.
    acceptors: AtomicU64,
    /// Idle connections are closed.
    close_idle: AtomicBool,
}

impl Server {
    /// A server with a reactor for each of `threads` serving threads.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(crate) fn new(app: Arc<App>, threads: usize) -> anyhow::Result<&'static Self> {
        let buffers = capacity::buffer_bytes(&app.config);
        Self::with_buffers(app, threads, buffers)
    }

    /// A server whose unfinished requests may take `buffers` bytes.
    fn with_buffers(app: Arc<App>, threads: usize, buffers: usize) -> anyhow::Result<&'static Self> {
        let config = &app.config;
        let timeouts = config.live.timeouts();
        let shortest = timeouts.read.min(timeouts.write).min(timeouts.idle);
        let tick = (shortest / 4).clamp(TICKS.0, TICKS.1);
        let reactors =
            (0..threads).map(|index| Reactor::new(&app, index, threads, tick)).collect::<anyhow::Result<_>>()?;
        Ok(Box::leak(Box::new(Self {
            tick,
            reactors,
            streams: Streams::new()?,
            heartbeats: Heartbeats::default(),
            buffers: Budget::new(buffers),
            reserve: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            max_refused: permit::max_refused(config.live.max_connections()),
            per_address: PerAddress::new(config.max_connections_per_address),
            stop_accepting: AtomicBool::new(false),
            acceptors: AtomicU64::new(threads as u64),
            close_idle: AtomicBool::new(false),
            app,
        })))
    }

    /// Starts the threads that every server has beside its serving threads.
    pub(crate) fn start_threads(&'static self) -> anyhow::Result<()> {
        let clock = self.heartbeats.register("the clock thread");
        spawn_critical("clock", move || {
            loop {
                std::thread::sleep(self.tick);
                self.nudge();
                clock.beat();
            }
        })?;
        let streams = self.heartbeats.register("the stream thread");
        spawn_critical("streams", move || self.streams.run(self, &streams))?;
        let sampler = self.heartbeats.register("the sampler");
        spawn_critical("sampler", move || sampler::run(self, &sampler))
    }

    fn timeouts(&self) -> Timeouts {
        self.app.config.live.timeouts()
    }

    /// Names the threads that have shown no life for longer than `max_age`, if there are any.
    ///
    /// # Errors
    /// Those names.
    pub fn check_heartbeats(&self, max_age: Duration) -> Result<(), String> {
        self.heartbeats.check(max_age)
    }

    /// Finishes what is in flight and stops; returns when that is done or `SHUTDOWN_TIMEOUT` is over.
    pub fn drain(&self) -> Drained {
        drain::drain(self)
    }

    /// Has every event loop look at the clock and at what it is asked to do.
    fn nudge(&self) {
        self.reactors.iter().for_each(Reactor::nudge);
    }

    /// The 503 to a client for which there is no room, readable by pages of the other engines; counted.
    fn refusal(&self, reason: &str) -> Response {
        self.app.metrics.counters.answered(Endpoint::Rejected, None, 503);
        overloaded(reason).with("access-control-allow-origin", "*")
    }

    /// The same as bytes, for a client whose request was not read.
    fn limit_reached(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.refusal("the connection limit is reached").write_to(&mut bytes, Envelope::CLOSING);
        bytes
    }

    fn timed_out(&self) {
        self.app.metrics.counters.timed_out.fetch_add(1, Relaxed);
    }

    /// When a connection that has been idle since `since` is closed.
    fn idle_deadline(&self, since: Moment) -> Moment {
        since + self.timeouts().idle
    }
}

#[cfg(test)]
mod tests;
