//! One HTTP/1 connection without I/O: bytes in, requests out; responses in, bytes out; and how long the caller may wait.
//!
//! [`Session`] owns framing, limits, `100 Continue`, pipelining, refusals, keep-alive and deadlines. The caller moves the
//! bytes and decides how a request is answered.

use std::time::Duration;

use super::body::{BodyDecoder, Decoded};
use super::head::{Framing, Head, Limits, Parsed, is_head, parse_head, reduce_to_http11};
use super::method::Method;
use super::response::{Envelope, Reject, Response};
use crate::clock::Moment;

/// Responses to pipelined requests are gathered up to this many bytes before they should be written.
pub const GATHER_BYTES: usize = 32 * 1024;

/// A head longer than this is parsed again only when another line has arrived, so that parsing stays linear.
const EAGER_HEAD_BYTES: usize = 16 * 1024;

/// A session that is used for many connections keeps buffers of up to this size.
const KEPT_BYTES: usize = 64 * 1024;

/// A request under construction, made of a head and then of its body.
pub trait Incoming: Sized {
    /// Starts a request from its head, or refuses it.
    ///
    /// # Errors
    /// The refusal to send; the connection closes after it.
    fn begin(head: &Head<'_>) -> Result<Self, Reject>;

    /// Takes the next piece of the body's content.
    fn receive(&mut self, piece: &[u8]);

    /// Bytes of memory that the request holds of its body.
    fn held(&self) -> usize {
        0
    }
}

/// The timeouts that a session's deadlines are made of.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// From a request's first byte to its last.
    pub read: Duration,
    /// From the first unsent byte of a response to its last.
    pub write: Duration,
    /// Between requests.
    pub idle: Duration,
}

/// What the caller is to do next.
#[derive(Debug)]
pub enum Next<R> {
    /// Write the output, then read more.
    Read,
    /// Answer this request with [`Session::respond`].
    Request(R),
    /// A request was refused with this status, and the refusal is in the output. Count it and go on.
    Refused(u16),
    /// Write the output, then close; `linger` if input that was not read could reset the response.
    Close {
        /// Whether to wait for the client to close first (RFC 9112 §9.6).
        linger: bool,
    },
}

/// What a passed deadline means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Nothing was asked: close without a word.
    Idle,
    /// The request did not arrive in time. A 408 is in the output; [`Session::next`] then says to close.
    Request,
    /// The client does not read: reset the connection.
    Response,
}

/// One connection's protocol state.
#[derive(Debug)]
pub struct Session<R> {
    /// Received bytes, of which the first `taken` are done with.
    input: Vec<u8>,
    taken: usize,
    /// Bytes to send, of which the first `sent` were sent.
    output: Vec<u8>,
    sent: usize,
    state: State<R>,
    envelope: Envelope,
    /// The client said that it sends nothing after the current request.
    is_last_request: bool,
    /// When the current request's first byte came, or since when the connection is idle.
    since: Moment,
    /// Since when output waits for the client to read.
    blocked_since: Option<Moment>,
    /// How much of the unread input the last attempt to parse a head has seen.
    parsed: usize,
}

#[derive(Debug)]
enum State<R> {
    /// No byte of the next request has come.
    Idle,
    /// Part of a head has come.
    Head,
    /// The head has come, its body has not ended.
    Body(BodyDecoder, R),
    /// The caller has the request.
    Answering,
    /// The last response is in the output.
    Closing { linger: bool },
}

impl<R: Incoming> Session<R> {
    /// A connection on which nothing has happened, idle since `now`.
    pub fn new(now: Moment) -> Self {
        Self {
            input: Vec::new(),
            taken: 0,
            output: Vec::new(),
            sent: 0,
            state: State::Idle,
            envelope: Envelope::CLOSING,
            is_last_request: false,
            since: now,
            blocked_since: None,
            parsed: 0,
        }
    }

    /// Makes this session that of another connection, keeping the memory of its buffers unless it is much.
    pub fn reset(&mut self, now: Moment) {
        for buffer in [&mut self.input, &mut self.output] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        (self.taken, self.sent, self.since, self.blocked_since) = (0, 0, now, None);
        self.state = State::Idle;
    }

    /// Moves the connection into a session of its own, with buffers as small as their content; this one is then reset.
    #[must_use]
    pub fn split_off(&mut self, now: Moment) -> Self {
        let state = std::mem::replace(&mut self.state, State::Idle);
        let own = Self {
            input: self.input[self.taken..].to_vec(),
            taken: 0,
            output: self.output[self.sent..].to_vec(),
            sent: 0,
            state,
            envelope: self.envelope,
            is_last_request: self.is_last_request,
            since: self.since,
            blocked_since: self.blocked_since,
            parsed: self.parsed,
        };
        self.reset(now);
        own
    }

    /// Adds received bytes.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.input.drain(..self.taken);
            self.taken = 0;
        }
        // A connection that waits for the rest of a request holds little more than what has arrived.
        if self.input.capacity() - self.input.len() < bytes.len() {
            self.input.reserve_exact(bytes.len().max(self.input.len() / 2));
        }
        self.input.extend_from_slice(bytes);
    }

    /// Decodes the input as far as the next thing to do.
    pub fn next(&mut self, limits: &Limits, now: Moment) -> Next<R> {
        loop {
            let step = match std::mem::replace(&mut self.state, State::Answering) {
                State::Idle => {
                    if !self.skip_empty_lines() {
                        self.release_input();
                        self.state = State::Idle;
                        return Next::Read;
                    }
                    (self.since, self.parsed) = (now, 0);
                    self.state = State::Head;
                    continue;
                }
                State::Head => self.next_head(limits),
                State::Body(decoder, request) => self.next_body(decoder, request),
                State::Answering => unreachable!("a request must be answered before the next is decoded"),
                State::Closing { linger } => {
                    self.state = State::Closing { linger };
                    return Next::Close { linger: linger || self.has_input() };
                }
            };
            match step {
                Ok(Some(next)) => return next,
                Ok(None) => {}
                Err(reject) => {
                    self.close_with(&reject.response(), reject.head_only);
                    return Next::Refused(reject.status);
                }
            }
        }
    }

    /// Parses a head; `None` when the body comes next.
    fn next_head(&mut self, limits: &Limits) -> Result<Option<Next<R>>, Reject> {
        self.state = State::Head;
        let unread = &mut self.input[self.taken..];
        let seen = std::mem::replace(&mut self.parsed, unread.len());
        if seen > EAGER_HEAD_BYTES && unread.len() <= limits.max_head_bytes && !unread[seen..].contains(&b'\n') {
            return Ok(Some(Next::Read));
        }
        let parsed = parse_head(unread, limits);
        if let Err(reject @ Reject { status: 505, .. }) = parsed {
            // A later minor version is served as 1.1 (RFC 9110 §2.5).
            self.parsed = 0;
            return if reduce_to_http11(unread) { self.next_head(limits) } else { Err(reject) };
        }
        let Parsed::Complete(head) = parsed? else { return Ok(Some(Next::Read)) };
        let head_only = head.method == Method::Head;
        self.envelope = Envelope { http10: head.http10, keep_alive: head.keep_alive, head_only };
        self.is_last_request = !head.keep_alive;
        let request = R::begin(&head).map_err(|reject| Reject { head_only, ..reject })?;
        let (framing, expects_continue) = (head.framing, head.expect_continue);
        self.taken += head.bytes;
        if framing == Framing::Length(0) {
            self.state = State::Answering;
            return Ok(Some(Next::Request(request)));
        }
        if expects_continue {
            self.output.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        self.state = State::Body(BodyDecoder::new(framing, limits), request);
        Ok(None)
    }

    /// Decodes as much of a body as has come.
    fn next_body(&mut self, mut decoder: BodyDecoder, mut request: R) -> Result<Option<Next<R>>, Reject> {
        let mut rest = &self.input[self.taken..];
        let ended = loop {
            match decoder.next(&mut rest) {
                Ok(Decoded::Content(piece)) => request.receive(piece),
                Ok(Decoded::NeedMore) => break false,
                Ok(Decoded::End) => break true,
                Err(reject) => return Err(Reject { head_only: self.envelope.head_only, ..reject }),
            }
        };
        self.taken = self.input.len() - rest.len();
        if ended {
            self.state = State::Answering;
            return Ok(Some(Next::Request(request)));
        }
        self.release_input();
        self.state = State::Body(decoder, request);
        Ok(Some(Next::Read))
    }

    /// Writes the response to the request that [`Self::next`] gave.
    pub fn respond(&mut self, response: &Response, now: Moment) {
        let keep_alive = self.envelope.keep_alive && !response.is_last;
        response.write_to(&mut self.output, Envelope { keep_alive, ..self.envelope });
        self.responded(keep_alive, now);
    }

    /// Ends the current request, whose response the caller has put into [`Self::output_mut`].
    pub fn responded(&mut self, keep_alive: bool, now: Moment) {
        self.since = now;
        // A client that asked for the close sends nothing more, so nothing can reset what it is to read.
        let linger = !self.is_last_request;
        self.state = if keep_alive { State::Idle } else { State::Closing { linger } };
    }

    /// Ends the connection with `response` instead of the request that is arriving.
    pub fn refuse(&mut self, response: &Response) {
        let head_only = match self.state {
            State::Body(..) => self.envelope.head_only,
            _ => is_head(self.unread()),
        };
        self.close_with(response, head_only);
    }

    fn close_with(&mut self, response: &Response, head_only: bool) {
        response.write_to(&mut self.output, Envelope { head_only, ..Envelope::CLOSING });
        self.state = State::Closing { linger: true };
    }

    /// The connection closes after the response to the current request.
    pub fn close_after_response(&mut self) {
        self.envelope.keep_alive = false;
    }

    /// How the response to the current request is framed.
    pub fn envelope(&self) -> Envelope {
        self.envelope
    }

    /// When the current request's first byte came, or since when the connection is idle.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// The bytes to send.
    pub fn output(&self) -> &[u8] {
        &self.output[self.sent..]
    }

    /// For a response that another encoder writes; end it with [`Self::responded`].
    pub fn output_mut(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// The first `bytes` of the output were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.sent += bytes;
        if self.sent >= self.output.len() {
            self.output.clear();
            (self.sent, self.blocked_since) = (0, None);
        }
    }

    /// The socket takes no more output for now. The time to write runs from the first such moment.
    pub fn blocked(&mut self, now: Moment) {
        self.blocked_since.get_or_insert(now);
    }

    /// Whether received bytes have not been decoded.
    pub fn has_input(&self) -> bool {
        !self.unread().is_empty()
    }

    /// Whether the connection can be held without this session once the output is sent: nothing received, nothing asked.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle) && !self.has_input()
    }

    /// Whether the last response is in the output, and if so whether to linger after it.
    pub fn closing(&self) -> Option<bool> {
        match self.state {
            State::Closing { linger } => Some(linger || self.has_input()),
            _ => None,
        }
    }

    /// Whether a request was given out and its response is due.
    pub fn is_answering(&self) -> bool {
        matches!(self.state, State::Answering)
    }

    /// Bytes received and not decoded, and bytes to send: what a session of the connection's own would hold.
    pub fn unfinished(&self) -> usize {
        self.unread().len() + self.output().len()
    }

    /// Bytes of memory that the buffers hold.
    pub fn buffered(&self) -> usize {
        let body = if let State::Body(_, request) = &self.state { request.held() } else { 0 };
        self.input.capacity() + self.output.capacity() + body
    }

    /// Until when the caller may wait for the client.
    pub fn deadline(&self, timeouts: &Timeouts) -> Moment {
        if !self.output.is_empty() {
            return self.blocked_since.unwrap_or(self.since) + timeouts.write;
        }
        match self.state {
            State::Head | State::Body(..) => self.since + timeouts.read,
            State::Idle | State::Answering | State::Closing { .. } => self.since + timeouts.idle,
        }
    }

    /// The deadline has passed.
    pub fn expire(&mut self) -> Expired {
        if !self.output.is_empty() {
            return Expired::Response;
        }
        match self.state {
            State::Head | State::Body(..) => {
                self.refuse(&Reject::new(408, "the request took too long").response());
                Expired::Request
            }
            State::Idle | State::Answering | State::Closing { .. } => Expired::Idle,
        }
    }

    fn unread(&self) -> &[u8] {
        &self.input[self.taken..]
    }

    /// Empty lines before a request line are ignored (RFC 9112 §2.2); whether the request line has begun.
    fn skip_empty_lines(&mut self) -> bool {
        loop {
            match self.unread() {
                [b'\r', b'\n', ..] => self.taken += 2,
                [b'\n', ..] => self.taken += 1,
                [] | [b'\r'] => return false,
                _ => return true,
            }
        }
    }

    /// Forgets input that is done with.
    fn release_input(&mut self) {
        if self.taken == self.input.len() {
            self.input.clear();
            self.taken = 0;
        }
    }
}

#[cfg(test)]
mod tests;
