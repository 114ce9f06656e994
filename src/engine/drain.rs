//! Stopping without losing a request: say so, take in what already knocked, let everyone finish, count who could not.

use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::connections::Server;
use super::lobby::POLL_INTERVAL;

/// Idle connections may still send a request for this long, and new ones are still accepted.
const GRACE: Duration = Duration::from_millis(500);

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// How long it took.
    pub took: Duration,
    /// Requests to `/` that were cut off.
    pub cut_requests: u64,
    /// Connections that were still open at the end.
    pub cut_connections: u64,
}

impl Drained {
    /// Whether nothing was cut off.
    pub fn is_clean(&self) -> bool {
        self.cut_requests == 0 && self.cut_connections == 0
    }
}

pub(super) fn drain(server: &Server) -> Drained {
    let start = Instant::now();
    let config = &server.app.config;
    let deadline = start + config.shutdown_timeout;
    let counters = &server.app.metrics.counters;
    server.app.start_draining();
    server.broadcaster.end();

    let grace_end = start + GRACE.min(config.shutdown_timeout / 2);
    wait_until(grace_end, || counters.active.load(Relaxed) == 0);
    server.stop_accepting.store(true, Relaxed);
    wait_until(deadline, || server.acceptors.load(Relaxed) == 0);
    server.lobby.start_emptying();
    wait_until(deadline, || counters.active.load(Relaxed) == 0);

    Drained {
        took: start.elapsed(),
        cut_requests: server.app.metrics.in_flight(),
        cut_connections: counters.active.load(Relaxed),
    }
}

fn wait_until(deadline: Instant, done: impl Fn() -> bool) {
    while !done() && Instant::now() < deadline {
        sleep(POLL_INTERVAL);
    }
}
