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
    /// Connections that this batch may still take.
    left: u32,
    last_batches: u32,
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

    /// Whether to accept although the listening socket has signalled nothing: after a pause, and before the end.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        let is_paused = self.paused_until.is_some_and(|until| now < until);
        !is_paused && (self.paused_until.is_some() || self.has_more() || self.server.stop_accepting.load(Relaxed))
    }

    /// Allows another batch.
    pub(super) fn start_batch(&mut self, now: Moment) {
        self.left = BATCH;
        self.paused_until.take_if(|until| now >= *until);
        if self.server.stop_accepting.load(Relaxed) {
            match self.last_batches.checked_sub(1) {
                Some(left) => self.last_batches = left,
                None => self.end(),
            }
        }
    }

    /// Whether the batch is used up, so that more may be there.
    pub(super) fn has_more(&self) -> bool {
        self.left == 0
    }

    /// Accepts one connection of the batch, with what it may do. `None` if there is none, or none can be accepted for now.
    pub(super) fn accept(&mut self, now: Moment) -> Option<(TcpStream, Permit)> {
        while self.left > 0 && self.paused_until.is_none() {
            let listener = self.listener.as_ref()?;
            self.left -= 1;
            let (stream, permit) = match accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(stream) => {
                    self.backoff.reset();
                    let stream = TcpStream::from(stream);
                    let permit = self.server.permit(&stream);
                    (stream, permit)
                }
                Err(Errno::AGAIN) => {
                    if self.server.stop_accepting.load(Relaxed) {
                        self.end();
                    }
                    return None;
                }
                Err(error) => {
                    let (pause, refused) = self.backoff.pause_after(error, listener.as_fd());
                    self.paused_until = pause.map(|pause| now + pause);
                    let Some(stream) = refused else { continue };
                    (stream, self.server.refuse_unseen())
                }
            };
            match permit {
                Some(permit) => return Some((stream, permit)),
                None => turn_away(self.server, &stream),
            }
        }
        None
    }

    /// The kernel's queue is empty and the server stops.
    fn end(&mut self) {
        if self.listener.take().is_some() {
            self.server.acceptors.fetch_sub(1, Relaxed);
        }
    }
}

/// Refuses a connection that cannot be held even for a moment.
fn turn_away(server: &Server, stream: &TcpStream) {
    socket::transmit(stream, &server.limit_reached());
    // Closing with bytes unread would reset the connection before its client has read the response.
    socket::finish_sending(stream);
    socket::discard(stream);
}
