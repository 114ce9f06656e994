//! What every engine holds of its connections: the server they belong to, permits, and deadlines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::clock::now_ms;
use super::heartbeat::Heartbeats;
use super::lobby::{Broadcaster, Lobby};
use crate::app::App;
use crate::http::{Reject, Response};

/// A connection that has had nothing to do for this long gives up its buffers and goes to the lobby.
const GRACE: Duration = Duration::from_millis(500);

/// Everything that the connections of one server share.
pub(crate) struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) lobby: Lobby,
    pub(crate) broadcaster: Broadcaster,
    pub(crate) heartbeats: Heartbeats,
    pub(crate) deadlines: Deadlines,
    /// Acceptors empty the kernel's queue once more and then end.
    pub(crate) stop_accepting: AtomicBool,
    /// Acceptors that have not ended yet.
    pub(crate) acceptors: AtomicU64,
}

/// The timeouts in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadlines {
    pub(crate) grace: u64,
    pub(crate) read: u64,
    pub(crate) write: u64,
    pub(crate) idle: u64,
    /// How often deadlines are looked at; none is missed by more.
    pub(crate) tick: Duration,
}

/// The right to one connection. The count of active connections falls when it is dropped.
pub(crate) struct Permit(Arc<App>);

impl Server {
    pub(crate) fn new(app: Arc<App>) -> anyhow::Result<Arc<Self>> {
        let deadlines = Deadlines::new(&app);
        Ok(Arc::new(Self {
            lobby: Lobby::new(Arc::clone(&app), deadlines)?,
            broadcaster: Broadcaster::new(Arc::clone(&app)),
            heartbeats: Heartbeats::default(),
            deadlines,
            stop_accepting: AtomicBool::new(false),
            acceptors: AtomicU64::new(0),
            app,
        }))
    }

    /// A place for a connection just accepted, or `None` when the table is full.
    pub(crate) fn permit(&self) -> Option<Permit> {
        let counters = &self.app.metrics.counters;
        counters.accepted.fetch_add(1, Relaxed);
        if counters.active.fetch_add(1, Relaxed) < self.app.config.max_connections as u64 {
            return Some(Permit(Arc::clone(&self.app)));
        }
        counters.active.fetch_sub(1, Relaxed);
        counters.rejected.fetch_add(1, Relaxed);
        None
    }
}

impl Deadlines {
    fn new(app: &App) -> Self {
        let config = &app.config;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let shortest = config.read_timeout.min(config.write_timeout).min(config.idle_timeout);
        Self {
            grace: millis(GRACE.min(config.idle_timeout / 2)),
            read: millis(config.read_timeout),
            write: millis(config.write_timeout),
            idle: millis(config.idle_timeout),
            tick: (shortest / 4).clamp(Duration::from_millis(10), Duration::from_millis(250)),
        }
    }

    /// When a connection idle since `since` is closed, in the clock of [`now_ms`].
    pub(crate) fn idle_end(&self, since: u64) -> u64 {
        since + self.idle
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.metrics.counters.active.fetch_sub(1, Relaxed);
    }
}

/// The answer to a request whose work was not done in time.
pub(crate) fn work_too_late() -> Response {
    Reject::new(408, "the work took longer than the write timeout").response()
}

/// Whether `deadline`, in the clock of [`now_ms`], has passed.
pub(crate) fn is_past(deadline: u64) -> bool {
    now_ms() >= deadline
}
