//! Graceful shutdown: `/health` turns 503, the accept queue is served, requests in flight get `SHUTDOWN_TIMEOUT`.

use std::sync::atomic::Ordering::Relaxed;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Server;

/// How long a thread that waits for others sleeps between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Idle connections may still send a request for this long, and new ones are still accepted.
const GRACE: Duration = Duration::from_millis(250);

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
    let deadline = start + config.live.shutdown_timeout();
    let counters = &server.app.metrics.counters;
    server.app.start_draining();
    server.streams.end();

    let grace_end = start + GRACE.min(config.live.shutdown_timeout() / 2);
    wait_until(grace_end, || counters.active.load(Relaxed) == 0);
    server.stop_accepting.store(true, Relaxed);
    server.nudge();
    wait_until(deadline, || server.acceptors.load(Relaxed) == 0);
    server.close_idle.store(true, Relaxed);
    server.nudge();
    wait_until(deadline, || counters.active.load(Relaxed) == 0);

    // A lingering connection has its response.
    let lingering: u64 = server.reactors.iter().map(|reactor| reactor.table().lingering()).sum();
    Drained {
        took: start.elapsed(),
        cut_requests: server.app.metrics.in_flight(),
        cut_connections: counters.active.load(Relaxed).saturating_sub(lingering),
    }
}

fn wait_until(deadline: Instant, done: impl Fn() -> bool) {
    while !done() && Instant::now() < deadline {
        sleep(POLL_INTERVAL);
    }
}
