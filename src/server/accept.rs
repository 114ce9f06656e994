//! Accepting connections in batches, with a permit for each.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::Context as _;
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use super::accept_backoff::AcceptBackoff;
use super::permit::Permit;
use super::reactor::Reactor;
use super::{Server, socket};
use crate::clock::Moment;

/// Connections taken before those that are open have their turn.
const BATCH: u32 = 16;

/// Connections taken while the server stops; the kernel's queue holds no more than this (`net.core.somaxconn`, usually).
const LAST_BATCHES: u32 = 256;

/// One serving thread's listening socket.
pub(super) struct Acceptor {
    server: &'static Server,
    /// `None` once the server accepts no more.
    listener: Option<TcpListener>,
    backoff: AcceptBackoff,
    /// Accepting failed; it is tried again from then on.
    paused_until: Option<Moment>,
    left: u32,
    last_batches: u32,
}

/// The outcome of accepting.
pub(super) enum Accepted {
    /// A connection, with what it may do.
    Connection(TcpStream, Permit),
    /// Nothing is there, or nothing can be accepted for now.
    Nothing,
    /// The others have their turn; more may be there.
    BatchEnd,
}

impl Acceptor {
    pub(super) fn new(server: &'static Server, reactor: &Reactor, listener: TcpListener) -> anyhow::Result<Self> {
        reactor.watch_listener(&listener).context("cannot watch the listening socket")?;
        Ok(Self {
            server,
            listener: Some(listener),
            backoff: AcceptBackoff::new(),
            paused_until: None,
            left: BATCH,
            last_batches: LAST_BATCHES,
        })
    }

    /// Whether to accept although the listening socket has signalled nothing: after a batch or a pause, and before the end.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.listener.is_some()
            && (self.left == 0
                || self.paused_until.is_some_and(|until| now >= until)
                || self.server.stop_accepting.load(Relaxed))
    }

    /// Allows another batch.
    pub(super) fn start_batch(&mut self) {
        self.left = BATCH;
    }

    /// Accepts one connection.
    pub(super) fn accept(&mut self, now: Moment) -> Accepted {
        loop {
            let Some(listener) = &self.listener else { return Accepted::Nothing };
            if self.paused_until.is_some_and(|until| now < until) {
                return Accepted::Nothing;
            }
            self.paused_until = None;
            let stops = self.server.stop_accepting.load(Relaxed);
            if stops && self.last_batches == 0 {
                return self.end();
            }
            if self.left == 0 {
                self.last_batches -= u32::from(stops);
                return Accepted::BatchEnd;
            }
            self.left -= 1;
            match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(stream) => {
                    self.backoff.reset();
                    let stream = TcpStream::from(stream);
                    match self.server.permit(&stream) {
                        Some(permit) => return Accepted::Connection(stream, permit),
                        None => turn_away(self.server, &stream),
                    }
                }
                Err(Errno::AGAIN) if stops => return self.end(),
                Err(Errno::AGAIN) => return Accepted::Nothing,
                Err(error) => {
                    let mut refused = None;
                    let pause = self.backoff.pause_after(error, listener.as_fd(), |stream| refused = Some(stream));
                    if !pause.is_zero() {
                        self.paused_until = Some(now + pause);
                    }
                    if let Some(stream) = refused {
                        let counters = &self.server.app.metrics.counters;
                        counters.accepted.fetch_add(1, Relaxed);
                        counters.rejected.fetch_add(1, Relaxed);
                        match self.server.refusal_permit() {
                            Some(permit) => return Accepted::Connection(stream, permit),
                            None => turn_away(self.server, &stream),
                        }
                    }
                }
            }
        }
    }

    /// The kernel's queue is empty and the server stops.
    fn end(&mut self) -> Accepted {
        if self.listener.take().is_some() {
            self.server.acceptors.fetch_sub(1, Relaxed);
        }
        Accepted::Nothing
    }
}

/// Refuses a connection that cannot be held even for a moment.
fn turn_away(server: &Server, stream: &TcpStream) {
    socket::transmit(stream, &server.limit_reached());
    // Closing with bytes unread would reset the connection before its client has read the response.
    socket::finish_sending(stream);
    socket::discard(stream);
}
