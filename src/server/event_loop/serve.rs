//! Serving one connection as far as it goes without waiting.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

use super::{Engine, EventLoop, READ_BYTES};
use crate::app::Request;
use crate::http::{GATHER_BYTES, Next, Response};
use crate::metrics::Endpoint;
use crate::server::connection::{Flushed, Outcome, Visit};
use crate::server::exchange::Exchange;
use crate::server::permit::PermitKind;
use crate::server::socket::{self, Received};
use crate::server::table::Held;

/// Requests and reads of one connection before the others have their turn.
const TURN: u32 = 32;

/// Responses of connections that are idle once these are sent. Reading from many sockets and then writing to them costs less
/// than doing both to one after the other.
#[derive(Default)]
pub(super) struct Outbox {
    visits: Vec<(Visit, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Outbox {
    fn has_room(&self, response: &[u8]) -> bool {
        !response.is_empty() && self.bytes.len() + response.len() <= GATHER_BYTES
    }

    fn add(&mut self, visit: Visit, response: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(response);
        self.visits.push((visit, start..self.bytes.len()));
    }
}

impl<E: Engine> EventLoop<E> {
    /// Answers that the connection limit is reached.
    pub(super) fn refuse(&mut self, visit: &mut Visit) {
        self.server.app.metrics.counters.rejected.fetch_add(u64::from(visit.permit == PermitKind::Reserve), Relaxed);
        if let Some(stream) = &visit.stream {
            socket::transmit(stream, &self.server.limit_reached());
        }
        visit.leave(None, Outcome::Linger, self.now);
    }

    /// Serves a connection as far as it goes without waiting.
    pub(super) fn serve(&mut self, visit: Visit, held: Option<Box<Held>>) {
        if held.is_none() {
            self.session.reset(self.now);
        }
        self.serve_session(visit, held);
    }

    pub(super) fn serve_session(&mut self, mut visit: Visit, mut held: Option<Box<Held>>) {
        let limits = &self.server.app.config.live.limits();
        let mut left = TURN;
        // What a client has not read is sent before more is decoded: the time to write is for what it was sent until then.
        let mut is_behind = !held.as_ref().map_or(&self.session, |held| &held.session).output().is_empty();
        let outcome = loop {
            let Some(stream) = &visit.stream else { return };
            let gathers = self.gathers && visit.is_drained && held.is_none();
            let session = held.as_mut().map_or(&mut self.session, |held| &mut held.session);
            if is_behind || left == 0 || session.output().len() >= GATHER_BYTES {
                is_behind = false;
                match visit.connection.flush(stream, session, self.now) {
                    Flushed::All if left == 0 => break Outcome::Resume,
                    Flushed::All => {}
                    Flushed::Blocked => break Outcome::Wait,
                    Flushed::Broken => break Outcome::Close,
                }
            }
            match session.next(limits, self.now) {
                Next::Request(request) => {
                    left -= 1;
                    if self.may_ask(visit.permit, &request, &mut held) {
                        self.respond(&mut visit, &mut held, request);
                    }
                }
                Next::Refused(status) => {
                    self.server.app.metrics.counters.answered(Endpoint::Rejected, None, status);
                }
                Next::Close { linger } => match visit.connection.flush(stream, session, self.now) {
                    Flushed::All if linger || socket::has_input(stream) => break Outcome::Linger,
                    Flushed::All | Flushed::Broken => break Outcome::Close,
                    Flushed::Blocked => break Outcome::Wait,
                },
                Next::Read if gathers && session.is_idle() && self.outbox.has_room(session.output()) => {
                    return self.outbox.add(visit, session.output());
                }
                Next::Read => {
                    match visit.connection.flush(stream, session, self.now) {
                        Flushed::All => {}
                        Flushed::Blocked => break Outcome::Wait,
                        Flushed::Broken => break Outcome::Close,
                    }
                    if visit.is_drained {
                        break if session.is_idle() { Outcome::Idle } else { Outcome::Wait };
                    }
                    left -= 1;
                    match socket::receive(stream, &mut self.buffer) {
                        Received::Bytes(count) => {
                            // A short read has emptied the socket; more comes with an event of its own (epoll(7)).
                            visit.is_drained = count < READ_BYTES && !visit.hung_up;
                            self.server.app.metrics.counters.bytes_read(count);
                            session.receive(&self.buffer[..count]);
                        }
                        Received::Nothing => visit.is_drained = true,
                        Received::End => break Outcome::Close,
                    }
                }
            }
        };
        let held = match (&outcome, held) {
            (Outcome::Wait | Outcome::Resume, None) => {
                let session = self.session.split_off(self.now);
                Some(Box::new(Held { session, charge: self.server.buffers.charge() }))
            }
            (_, held) => held,
        };
        visit.leave(held, outcome, self.now);
    }

    /// Sends the gathered responses.
    pub(super) fn send_gathered(&mut self) {
        let mut outbox = std::mem::take(&mut self.outbox);
        for (visit, response) in outbox.visits.drain(..) {
            self.session.reset(self.now);
            self.session.output_mut().extend_from_slice(&outbox.bytes[response]);
            self.serve_session(visit, None);
        }
        outbox.bytes.clear();
        self.outbox = outbox;
    }

    /// Whether a connection may make a request; one of the reserve may not make every one, and is then answered.
    fn may_ask(&mut self, permit: PermitKind, request: &Request, held: &mut Option<Box<Held>>) -> bool {
        if permit == PermitKind::Normal {
            return true;
        }
        let session = held.as_mut().map_or(&mut self.session, |held| &mut held.session);
        session.close_after_response();
        let is_internal = request.is_internal();
        if !is_internal {
            self.server.app.metrics.counters.rejected.fetch_add(1, Relaxed);
            session.respond(&self.server.refusal("the connection limit is reached"), self.now);
        }
        is_internal
    }

    /// Has a request answered, or a stream opened.
    fn respond(&mut self, visit: &mut Visit, held: &mut Option<Box<Held>>, mut request: Request) {
        if request.needs_client() {
            let address = visit.stream.as_ref().and_then(|stream| stream.peer_addr().ok());
            request.peer = address.map(|address| address.ip());
        }
        let session = held.as_mut().map_or(&mut self.session, |held| &mut held.session);
        if !request.is_stream() {
            let pending_bytes = self.engine.pending_bytes();
            let exchange = Exchange { visit, session, pending_bytes, now: self.now };
            // A bug that one request meets costs that request, not the connections of the whole thread.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.engine.respond(exchange, request)));
            if visit.stream.is_some() && session.is_answering() {
                tracing::error!(event = "panic", panicked = outcome.is_err(), "a request was not answered");
                let failure = Response { is_last: true, ..Response::error(500, "internal error") };
                session.respond(&failure, self.now);
            }
            return;
        }
        let room = self.server.may_stream(visit.permit).then(|| self.server.streams.place()).flatten();
        match self.server.app.open_stream(&request, room.is_some()) {
            Err(response) => session.respond(&response, self.now),
            Ok((opening, subscription)) => {
                session.respond(&opening, self.now);
                if let (Some(subscription), Some(room)) = (subscription, room)
                    && let Some(stream) = visit.stream.take()
                    && let Some(permit) = self.reactor.table().remove(visit.connection.key)
                {
                    self.reactor.unwatch(&stream);
                    self.server.streams.subscribe(stream, permit, room, session.output(), subscription);
                }
            }
        }
    }
}
