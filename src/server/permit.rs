//! Which connections are admitted: all up to the limit, then a reserve for watching the server, then none.

use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;

use rustix::process::{Resource, getrlimit};

use super::Server;
use super::per_address::Entry;
use crate::store::limits::client_of;

/// Connections beyond the limit for health checks, metrics and pages, so that a full server can be watched.
pub(super) const RESERVE: u64 = 32;

/// How much of the reserve is left for what is soon over: streams stay.
const KEPT_FROM_STREAMS: u64 = 8;

/// At most so many refused connections wait for their client to read the refusal; others are closed at once.
const MAX_REFUSED: u64 = 512;

/// Descriptors beside connections that a server has open at most: listeners, epolls, files of `/proc`.
pub(super) const OWN_DESCRIPTORS: u64 = 44;

/// The right to a connection. What it counts falls when it is dropped.
pub(super) struct Permit {
    server: &'static Server,
    /// Where it is counted, if connections of one address are limited.
    address: Option<Entry>,
    pub(super) kind: PermitKind,
}

/// What a connection is allowed to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PermitKind {
    /// Everything.
    Normal,
    /// One request that is not work, and that soon.
    Reserve,
    /// Nothing; it is being closed.
    Refused,
}

impl Server {
    /// A permit for a connection just accepted; `None` when the connection is to be closed at once.
    pub(super) fn permit(&'static self, stream: &TcpStream) -> Option<Permit> {
        let counters = &self.app.metrics.counters;
        counters.accepted.fetch_add(1, Relaxed);
        let client = || {
            let address = client_of(stream.peer_addr().ok()?.ip());
            // A proxy has the connections of many clients.
            (!self.app.config.trusted_proxies.contains(address)).then_some(address)
        };
        let Ok(address) = self.per_address.enter(client) else { return self.refusal_permit() };
        let permit = |kind| Permit { server: self, address, kind };
        if counters.active.fetch_add(1, Relaxed) < self.app.config.live.max_connections() as u64 {
            return Some(permit(PermitKind::Normal));
        }
        let permit = permit(PermitKind::Reserve);
        if self.reserve.fetch_add(1, Relaxed) < RESERVE {
            return Some(permit);
        }
        drop(permit);
        self.refusal_permit()
    }

    /// Whether a connection with such a permit may become a stream.
    pub(super) fn may_stream(&self, kind: PermitKind) -> bool {
        kind == PermitKind::Normal || self.reserve.load(Relaxed) <= RESERVE - KEPT_FROM_STREAMS
    }

    /// A permit for a connection that was accepted only to be refused; `None` when it is to be closed at once.
    pub(super) fn refuse_unseen(&'static self) -> Option<Permit> {
        self.app.metrics.counters.accepted.fetch_add(1, Relaxed);
        self.refusal_permit()
    }

    /// Counts a rejected connection. A permit for it, which only gets it a refusal.
    fn refusal_permit(&'static self) -> Option<Permit> {
        self.app.metrics.counters.rejected.fetch_add(1, Relaxed);
        let permit = Permit { server: self, address: None, kind: PermitKind::Refused };
        (self.refused.fetch_add(1, Relaxed) < self.max_refused).then_some(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(entry) = self.address {
            self.server.per_address.leave(entry);
        }
        match self.kind {
            PermitKind::Normal => {}
            PermitKind::Reserve => {
                self.server.reserve.fetch_sub(1, Relaxed);
            }
            PermitKind::Refused => {
                self.server.refused.fetch_sub(1, Relaxed);
                return;
            }
        }
        self.server.app.metrics.counters.active.fetch_sub(1, Relaxed);
    }
}

/// How many refused connections may linger with the descriptors that `max_connections` leaves.
pub(super) fn max_refused(max_connections: usize) -> u64 {
    let max_fds = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let spare = max_fds.saturating_sub(max_connections as u64 + RESERVE + OWN_DESCRIPTORS);
    (spare / 2).min(MAX_REFUSED)
}
