//! One connection's coroutine: read a request, answer it, write; until the client rests, leaves or breaks a rule.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::socket::Socket;
use super::watch::{Watch, Watches};
use super::work;
use crate::app::{Plan, Request, Subscription};
use crate::engine::clock::now_ms;
use crate::engine::connections::{Permit, Server, is_past};
use crate::http::{BodyDecoder, Decoded, Envelope, Framing, Method, Parsed, Reject, Response, parse_head};
use crate::metrics::Endpoint;

/// Read from the socket at once.
const READ_SIZE: usize = 4096;

/// Answers to pipelined requests are gathered up to this size before they are written.
const GATHERED: usize = 32 * 1024;

/// `EPOLLRDHUP`: the client has closed its sending side.
const HANG_UP: usize = 0x2000;

/// A connection that is being served.
pub(super) struct Connection<'a> {
    server: &'a Arc<Server>,
    socket: Socket,
    watch: Watch,
    /// Received and not yet understood.
    input: Vec<u8>,
    /// Answered and not yet written.
    output: Vec<u8>,
    /// The last read took all there was, so the next one waits for an event first.
    drained: bool,
    /// The client has closed its sending side, so reads must go on until they say so.
    hung_up: bool,
}

/// Why serving stopped.
enum Stop {
    /// Nothing came for a while since this moment.
    Rest(u64),
    /// The last answer was written.
    Close,
    /// The connection broke, or its client was too slow to read.
    Gone,
    /// A last answer is to be written.
    Refuse(Response),
    /// The client is to be sent events.
    Stream(Subscription),
}

/// A whole request.
struct Received {
    request: Request,
    envelope: Envelope,
    body: Vec<u8>,
}

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waiting {
    ForRequest,
    ForRest,
    ToWrite,
}

impl From<Reject> for Stop {
    fn from(reject: Reject) -> Self {
        Self::Refuse(reject.response())
    }
}

impl<'a> Connection<'a> {
    /// Takes `stream` over; `None` when it cannot be watched.
    pub(super) fn new(server: &'a Arc<Server>, watches: &Arc<Watches>, stream: TcpStream) -> Option<Self> {
        let mut socket = Socket::new(stream).ok()?;
        let watch = watches.add(socket.waker());
        Some(Self {
            server,
            socket,
            watch,
            input: Vec::with_capacity(READ_SIZE),
            output: Vec::new(),
            drained: false,
            hung_up: false,
        })
    }

    /// Serves until something stops it, then does what is left to do.
    pub(super) fn serve(mut self, permit: Permit) {
        let Err(stop) = self.serve_requests();
        let counters = &self.server.app.metrics.counters;
        match stop {
            Stop::Rest(since) => {
                let server = self.server;
                server.lobby.wait(self.into_stream(), permit, since);
            }
            Stop::Close => self.close(permit),
            Stop::Gone => drop(self),
            Stop::Refuse(response) => {
                counters.answered(Endpoint::Rejected, None, response.status);
                response.write_to(&mut self.output, Envelope::CLOSING);
                if self.write().is_ok() {
                    self.close(permit);
                }
            }
            Stop::Stream(subscription) => {
                if self.write().is_ok() {
                    let server = self.server;
                    server.broadcaster.subscribe(self.into_stream(), permit, subscription);
                }
            }
        }
    }

    fn serve_requests(&mut self) -> Result<std::convert::Infallible, Stop> {
        loop {
            let received = self.read_request()?;
            let envelope = received.envelope;
            let response = self.answer(received);
            let keep_alive = envelope.keep_alive && !response.is_last;
            response.write_to(&mut self.output, Envelope { keep_alive, ..envelope });
            if !keep_alive {
                self.write()?;
                return Err(Stop::Close);
            }
            if self.output.len() > GATHERED {
                self.write()?;
            }
        }
    }

    /// Reads one whole request; before it waits for the client, it writes what the client waits for.
    fn read_request(&mut self) -> Result<Received, Stop> {
        let mut first_byte = if self.input.is_empty() { 0 } else { now_ms() };
        let (request, envelope, framing, expects) = loop {
            if !self.input.is_empty() {
                let limits = &self.server.app.config.limits;
                if let Parsed::Complete(head) = parse_head(&self.input, limits)? {
                    let envelope = Envelope {
                        http10: head.http10,
                        keep_alive: head.keep_alive,
                        head_only: head.method == Method::Head,
                    };
                    let (request, framing, expects) = (Request::new(&head), head.framing, head.expect_continue);
                    let bytes = head.bytes;
                    self.input.drain(..bytes);
                    break (request, envelope, framing, expects);
                }
            }
            self.write()?;
            if self.input.is_empty() {
                self.fill(now_ms() + self.server.deadlines.grace, Waiting::ForRest)?;
                first_byte = now_ms();
            } else {
                self.fill(first_byte + self.server.deadlines.read, Waiting::ForRequest)?;
            }
        };
        if request.is_stream() {
            return Err(Stop::Stream(self.server.app.subscribe(&request, framing)?));
        }
        if expects {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let body = self.read_body(framing, request.wants_body(), first_byte)?;
        Ok(Received { request, envelope, body })
    }

    /// Waits for the whole body and returns what is wanted of it.
    fn read_body(&mut self, framing: Framing, wanted: bool, first_byte: u64) -> Result<Vec<u8>, Stop> {
        let mut decoder = BodyDecoder::new(framing, &self.server.app.config.limits);
        let mut content = Vec::new();
        loop {
            let mut rest = self.input.as_slice();
            let ended = loop {
                match decoder.next(&mut rest)? {
                    Decoded::Content(piece) if wanted => content.extend_from_slice(piece),
                    Decoded::Content(_) => {}
                    Decoded::NeedMore => break false,
                    Decoded::End => break true,
                }
            };
            let taken = self.input.len() - rest.len();
            self.input.drain(..taken);
            if ended {
                return Ok(content);
            }
            self.write()?;
            self.fill(first_byte + self.server.deadlines.read, Waiting::ForRequest)?;
        }
    }

    fn answer(&mut self, received: Received) -> Response {
        match self.server.app.plan(received.request, &received.body) {
            Plan::Answer(response) => response,
            Plan::Work(job) => {
                // Answers to earlier requests do not wait for this one's work.
                if !self.output.is_empty() && self.write().is_err() {
                    return job.finish(Err(Response::error(500, "the connection broke")));
                }
                let end_by = now_ms() + self.server.deadlines.write;
                job.finish(work::do_work(self.server.app.config.work, end_by))
            }
        }
    }

    /// Reads once, waiting until `deadline` if nothing is there.
    fn fill(&mut self, deadline: u64, waiting: Waiting) -> Result<(), Stop> {
        self.watch.set(deadline);
        if self.drained && !self.hung_up {
            self.wait(deadline, waiting)?;
        }
        loop {
            let start = self.input.len();
            self.input.resize(start + READ_SIZE, 0);
            let read = self.socket.stream().read(&mut self.input[start..]);
            let count = *read.as_ref().unwrap_or(&0);
            self.input.truncate(start + count);
            match read {
                Ok(0) => return Err(Stop::Gone),
                Ok(count) => {
                    // A short read has emptied the socket: more will come with an event of its own (epoll(7)).
                    self.drained = count < READ_SIZE;
                    self.server.app.metrics.counters.bytes_read(count);
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(deadline, waiting)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Stop::Gone),
            }
        }
    }

    /// Writes all of the output.
    fn write(&mut self) -> Result<(), Stop> {
        if self.output.is_empty() {
            return Ok(());
        }
        let deadline = now_ms() + self.server.deadlines.write;
        let mut written = 0;
        while written < self.output.len() {
            match self.socket.stream().write(&self.output[written..]) {
                Ok(0) => return Err(Stop::Gone),
                Ok(count) => {
                    self.server.app.metrics.counters.bytes_written(count);
                    written += count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.watch.set(deadline);
                    self.wait(deadline, Waiting::ToWrite)?;
                    // That event may have been for reading.
                    self.drained = false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(Stop::Gone),
            }
        }
        self.output.clear();
        Ok(())
    }

    /// Parks until the socket has something to tell, or the deadline has passed.
    fn wait(&mut self, deadline: u64, waiting: Waiting) -> Result<(), Stop> {
        self.hung_up |= self.socket.wait() & HANG_UP != 0;
        if !is_past(deadline) {
            return Ok(());
        }
        if waiting == Waiting::ForRest {
            return Err(Stop::Rest(deadline - self.server.deadlines.grace));
        }
        self.server.app.metrics.counters.timed_out.fetch_add(1, Relaxed);
        match waiting {
            Waiting::ForRequest => Err(Reject::new(408, "the request took too long").into()),
            Waiting::ForRest | Waiting::ToWrite => Err(Stop::Gone),
        }
    }

    fn close(self, permit: Permit) {
        let server = self.server;
        server.lobby.close(self.into_stream(), permit);
    }

    fn into_stream(self) -> TcpStream {
        self.socket.into_stream()
    }
}
