//! One connection, and the place where it is decided what it does next.

use std::net::TcpStream;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Server;
use super::budget::Charge;
use super::permit::PermitKind;
use super::reactor::Reactor;
use super::socket::{self, Sent};
use super::table::{Held, Key, State};
use crate::app::Request;
use crate::clock::Moment;
use crate::http::Session;

/// A closed connection's client may take this long to read the last response and close its side.
const LINGER: Duration = Duration::from_secs(2);

/// How much later than the server the kernel gives up a client that was seen not to read: it would do so without a word, the
/// server resets the connection.
const RESET_TIME: Duration = Duration::from_secs(3);

/// Names a connection of a server.
#[derive(Clone, Copy)]
pub(super) struct Connection {
    pub(super) server: &'static Server,
    pub(super) reactor: &'static Reactor,
    pub(super) key: Key,
}

/// A connection in the hands of its event loop.
pub(super) struct Visit {
    pub(super) connection: Connection,
    /// `None` once it was handed over.
    pub(super) stream: Option<TcpStream>,
    pub(super) permit: PermitKind,
    /// The reactor watches it.
    pub(super) is_watched: bool,
    /// The client has closed its sending side, so reads go on until they say so.
    pub(super) hung_up: bool,
    /// All that has arrived was read, so that more comes with an event of its own.
    pub(super) is_drained: bool,
}

/// What a connection does after it was served.
#[derive(Clone, Copy)]
pub(super) enum Outcome {
    /// It waits for the next request.
    Idle,
    /// It waits for the rest of a request, or for its client to read.
    Wait,
    /// There is more to do, after others had their turn.
    Resume,
    /// The last response was sent; the client may still be sending.
    Linger,
    /// The last response was sent, or the client is gone.
    Close,
    /// The client did not read in time.
    Reset,
}

/// The outcome of writing a session's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// All of it was sent.
    All,
    /// The client must read first.
    Blocked,
    /// The client is gone.
    Broken,
}

impl Visit {
    /// Disposes of the connection, which is watched from now on if it stays.
    pub(super) fn leave(&mut self, held: Option<Box<Held>>, outcome: Outcome, now: Moment) {
        let Some(stream) = self.stream.take() else { return };
        let ends = matches!(outcome, Outcome::Close | Outcome::Reset);
        if ends || self.is_watched || self.connection.reactor.watch(self.connection.key, &stream) {
            self.connection.dispose(stream, held, outcome, now);
        } else {
            self.connection.remove();
        }
    }
}

impl Connection {
    /// Disposes of the connection. `held` is its protocol state where it has one of its own or needs one.
    pub(super) fn dispose(self, stream: TcpStream, held: Option<Box<Held>>, outcome: Outcome, now: Moment) {
        match (outcome, held) {
            (Outcome::Idle, held) => {
                let since = held.map_or(now, |held| held.session.since());
                let deadline = self.server.idle_deadline(since);
                self.reactor.table().set(self.key, State::Idle(stream), deadline);
            }
            (Outcome::Wait | Outcome::Resume, Some(mut held)) => {
                if !held.charge.resize(held.session.buffered()) {
                    self.refuse(stream, held, now);
                } else if matches!(outcome, Outcome::Resume) {
                    self.reactor.table().resume(self.key, stream, held);
                } else {
                    self.wait(stream, held);
                }
            }
            (Outcome::Linger, _) => {
                if socket::finish_sending(&stream) && !socket::discard(&stream) {
                    self.reactor.table().set(self.key, State::Lingering(stream), now + LINGER);
                } else {
                    self.remove();
                }
            }
            (Outcome::Reset, _) => {
                socket::reset_on_close(&stream);
                self.remove();
            }
            (Outcome::Close | Outcome::Wait | Outcome::Resume, _) => self.remove(),
        }
    }

    /// Has the connection wait for its client.
    fn wait(self, stream: TcpStream, held: Box<Held>) {
        // Once: a new look would find the input that is left unread until then, again and again.
        if !held.session.output().is_empty() && !self.reactor.table().watch_room(self.key) {
            if !self.reactor.watch_room(self.key, &stream) {
                return self.remove();
            }
            // An error means that the connection is gone already.
            let _ = socket::set_unread_time(&stream, self.server.timeouts().write + RESET_TIME);
        }
        let deadline = held.session.deadline(&self.server.timeouts());
        self.reactor.table().set(self.key, State::Waiting(stream, held), deadline);
    }

    /// Ends a connection whose unfinished request there is no memory for.
    fn refuse(self, stream: TcpStream, mut held: Box<Held>, now: Moment) {
        // In the middle of a response no other can begin.
        let outcome = if held.session.output().is_empty() {
            held.session.refuse(&self.server.refusal("too many unfinished requests"));
            self.flush(&stream, &mut held.session, now);
            Outcome::Linger
        } else {
            Outcome::Reset
        };
        self.dispose(stream, None, outcome, now);
    }

    /// Goes on throwing away the input of a closed connection, until the time it was given is over.
    pub(super) fn linger(self, stream: TcpStream) {
        if socket::discard(&stream) {
            self.remove();
        } else if let Some(state) = self.reactor.table().state(self.key) {
            *state = State::Lingering(stream);
        }
    }

    /// Forgets the connection. Its socket closes when the caller drops it.
    pub(super) fn remove(self) {
        drop(self.reactor.table().remove(self.key));
    }

    /// Sends as much of the session's output as the socket takes.
    pub(super) fn flush(self, stream: &TcpStream, session: &mut Session<Request>, now: Moment) -> Flushed {
        while !session.output().is_empty() {
            match socket::transmit(stream, session.output()) {
                Sent::Bytes(count) => {
                    self.server.app.metrics.counters.bytes_written(count);
                    session.sent(count);
                }
                Sent::Full => {
                    session.blocked(now);
                    return Flushed::Blocked;
                }
                Sent::TimedOut => {
                    self.server.timed_out();
                    return Flushed::Broken;
                }
                Sent::Broken => return Flushed::Broken,
            }
        }
        Flushed::All
    }

    /// Ready when the client of a pending response is gone.
    pub(super) fn poll_reset(self, context: &mut Context<'_>) -> Poll<()> {
        match self.reactor.table().state(self.key) {
            Some(State::Pending { is_reset: false, waker, .. }) => {
                if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    *waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }

    /// Takes back a connection whose pending response is in `session`, from any thread.
    pub(super) fn hand_back(self, stream: TcpStream, mut session: Session<Request>, charge: Charge) {
        let now = Moment::now();
        let flushed = self.flush(&stream, &mut session, now);
        let outcome = match (flushed, session.closing()) {
            (Flushed::All, Some(linger)) if linger || socket::has_input(&stream) => Outcome::Linger,
            (Flushed::All, Some(_)) | (Flushed::Broken, _) => Outcome::Close,
            _ => Outcome::Resume,
        };
        if flushed == Flushed::All && session.is_idle() {
            // What arrives from here on, before the state is set, is noted by the event loop.
            let mut table = self.reactor.table();
            if let Some(State::Pending { readable: false, .. }) = table.state(self.key) {
                return table.set(self.key, State::Idle(stream), self.server.idle_deadline(session.since()));
            }
        }
        // The event loop goes on with it: a pipelined request, a full socket, a close.
        let held = matches!(outcome, Outcome::Resume).then(|| Box::new(Held { session, charge }));
        let resumes = held.is_some();
        self.dispose(stream, held, outcome, now);
        if resumes {
            self.reactor.nudge();
        }
    }
}
