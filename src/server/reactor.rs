//! The sockets of one serving thread: registered in one epoll from accept to close, each an entry in one table.
//!
//! The thread's event loop serves them. A response that is made elsewhere is handed back here by the thread that made it, on any
//! thread; the table's lock is held for no longer than it takes to change an entry, never for a system call that could wait.

use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::fcntl_dupfd_cloexec;

use super::Server;
use super::budget::Charge;
use super::permit::Permit;
use super::socket::{self, Sent};
use super::table::{Held, Key, State, Table};
use crate::app::{App, Request};
use crate::clock::Moment;
use crate::http::Session;

/// A closed connection's client may take this long to read the last response and close its side.
const LINGER: Duration = Duration::from_secs(2);

/// How much later than the server the kernel gives up a client that was seen not to read: it would do so without a word, the
/// server resets the connection.
const RESET_TIME: Duration = Duration::from_secs(1);

/// What a connection is watched for: input, in edges, as every reader reads until there is none.
const WATCHED: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ET);

/// The event data of the listening socket.
pub(super) const LISTENER: u64 = u64::MAX;

/// The event data of the descriptor that ends a wait.
pub(super) const NUDGE: u64 = u64::MAX - 1;

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

/// The connections of one serving thread.
pub(super) struct Reactor {
    epoll: OwnedFd,
    nudge: OwnedFd,
    table: Mutex<Table>,
}

impl Reactor {
    /// A reactor for one of `threads` serving threads.
    pub(super) fn new(app: &Arc<App>, index: usize, threads: usize, tick: Duration) -> anyhow::Result<Self> {
        let created = epoll::create(CreateFlags::CLOEXEC).context("cannot create an epoll")?;
        // Some runtimes choose the thread that watches a descriptor by its number: a number for each thread.
        let mut candidates = Vec::new();
        let epoll = loop {
            let candidate = fcntl_dupfd_cloexec(&created, 3).context("cannot create an epoll")?;
            if std::os::fd::AsRawFd::as_raw_fd(&candidate) as usize % threads == index {
                break candidate;
            }
            candidates.push(candidate);
        };
        let nudge = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &nudge, EventData::new_u64(NUDGE), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, nudge, table: Mutex::new(Table::new(Arc::clone(app), tick)) })
    }

    /// Readable when the event loop has something to do.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// Ends a wait of the event loop.
    pub(super) fn nudge(&self) {
        // Fails only when so many nudges were not seen yet that another makes no difference.
        let _ = rustix::io::write(&self.nudge, &1_u64.to_ne_bytes());
    }

    /// Puts what has happened into `space` without waiting.
    pub(super) fn poll<'a>(
        &self,
        space: &'a mut [MaybeUninit<epoll::Event>],
    ) -> rustix::io::Result<&'a mut [epoll::Event]> {
        epoll::wait(&self.epoll, space, Some(&Timespec::default())).map(|(events, _)| events)
    }

    /// Watches a listening socket.
    pub(super) fn watch_listener(&self, listener: impl AsFd) -> rustix::io::Result<()> {
        epoll::add(&self.epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN | EventFlags::ET)
    }

    /// Adds a connection that is being served; it is watched from its first wait on.
    pub(super) fn admit(&self, permit: Permit) -> Key {
        self.table().insert(permit)
    }

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a connection; `false` when it cannot be.
    pub(super) fn watch(&self, key: Key, stream: &TcpStream) -> bool {
        epoll::add(&self.epoll, stream, EventData::new_u64(key.into()), WATCHED).is_ok()
    }

    /// Disposes of a connection that was served: the one place where it is decided what it does next. `session` is its
    /// protocol state where it has one of its own or needs one.
    pub(super) fn dispose(
        &self,
        server: &'static Server,
        key: Key,
        stream: TcpStream,
        held: Option<Box<Held>>,
        outcome: Outcome,
        now: Moment,
    ) {
        match (outcome, held) {
            (Outcome::Idle, held) => {
                let since = held.map_or(now, |held| held.session.idle_since());
                self.table().set(key, State::Idle(stream), server.idle_deadline(since), now);
            }
            (Outcome::Wait | Outcome::Resume, Some(mut held)) => {
                if !held.charge.resize(held.session.buffered()) {
                    self.refuse(server, key, stream, held, now);
                } else if matches!(outcome, Outcome::Resume) {
                    self.table().resume(key, State::Waiting(stream, held), now);
                } else {
                    self.wait(server, key, stream, held, now);
                }
            }
            (Outcome::Linger, _) => {
                if socket::finish_sending(&stream) && !socket::discard(&stream) {
                    self.table().set(key, State::Lingering(stream), now + LINGER, now);
                } else {
                    self.remove(key);
                }
            }
            (Outcome::Reset, _) => {
                socket::reset_on_close(&stream);
                self.remove(key);
            }
            (Outcome::Close | Outcome::Wait | Outcome::Resume, _) => self.remove(key),
        }
    }

    /// Has a connection wait for its client.
    fn wait(&self, server: &'static Server, key: Key, stream: TcpStream, held: Box<Held>, now: Moment) {
        // Once: a new look would find the input that is left unread until then, again and again.
        if !held.session.output().is_empty() && !self.table().watch_room(key) {
            let flags = WATCHED | EventFlags::OUT;
            if epoll::modify(&self.epoll, &stream, EventData::new_u64(key.into()), flags).is_err() {
                return self.remove(key);
            }
            // An error means that the connection is gone already.
            let _ = socket::set_unread_time(&stream, server.timeouts().write + RESET_TIME);
        }
        let deadline = held.session.deadline(&server.timeouts());
        self.table().set(key, State::Waiting(stream, held), deadline, now);
    }

    /// Ends a connection whose unfinished request there is no memory for.
    fn refuse(&self, server: &'static Server, key: Key, stream: TcpStream, mut held: Box<Held>, now: Moment) {
        // In the middle of a response no other can begin.
        let outcome = if held.session.output().is_empty() {
            held.session.refuse(&server.refusal("too many unfinished requests"));
            flush(server, &stream, &mut held.session, now);
            Outcome::Linger
        } else {
            Outcome::Reset
        };
        self.dispose(server, key, stream, None, outcome, now);
    }

    /// Goes on throwing away the input of a closed connection, until the time it was given is over.
    pub(super) fn linger(&self, key: Key, stream: TcpStream) {
        if socket::discard(&stream) {
            self.remove(key);
        } else {
            self.table().put_back(key, State::Lingering(stream));
        }
    }

    /// Forgets a connection. Its socket closes when the caller drops it.
    pub(super) fn remove(&self, key: Key) {
        drop(self.table().remove(key));
    }

    /// Stops watching a connection whose socket goes elsewhere; gives its permit.
    pub(super) fn release(&self, key: Key, stream: &TcpStream) -> Option<Permit> {
        // Fails when the connection was never watched, which is as good.
        let _ = epoll::delete(&self.epoll, stream);
        self.table().remove(key)
    }

    /// Notes that a response to `key` is being made elsewhere; `readable` if there may be more to read on its socket.
    pub(super) fn detach(&self, key: Key, readable: bool) {
        let pending = State::Pending { readable, is_reset: false, waker: None };
        self.table().set(key, pending, Moment::NEVER, Moment::now());
    }

    /// Ready when the client of a pending response is gone.
    pub(super) fn poll_reset(&self, key: Key, context: &mut Context<'_>) -> Poll<()> {
        match self.table().state(key) {
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
    pub(super) fn hand_back(
        &self,
        server: &'static Server,
        key: Key,
        stream: TcpStream,
        mut session: Session<Request>,
        charge: Charge,
    ) {
        let now = Moment::now();
        if let Flushed::Broken = flush(server, &stream, &mut session, now) {
            return self.remove(key);
        }
        if let Some(linger) = session.closing().filter(|_| session.output().is_empty()) {
            let outcome = if linger || socket::has_input(&stream) { Outcome::Linger } else { Outcome::Close };
            return self.dispose(server, key, stream, None, outcome, now);
        }
        let readable = match self.table().state(key) {
            Some(State::Pending { readable, .. }) => *readable,
            _ => true,
        };
        if session.is_idle() && !readable {
            // What arrives from here on, before the state is set, is noted by the event loop.
            let mut table = self.table();
            if let Some(State::Pending { readable: false, .. }) = table.state(key) {
                return table.set(key, State::Idle(stream), server.idle_deadline(session.idle_since()), now);
            }
        }
        // The event loop goes on with it: a pipelined request, a full socket, a close.
        let held = Box::new(Held { session, charge });
        self.dispose(server, key, stream, Some(held), Outcome::Resume, now);
        self.nudge();
    }
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

/// Sends as much of the session's output as the socket takes.
pub(super) fn flush(server: &Server, stream: &TcpStream, session: &mut Session<Request>, now: Moment) -> Flushed {
    while !session.output().is_empty() {
        match socket::transmit(stream, session.output()) {
            Sent::Bytes(count) => {
                server.app.metrics.counters.bytes_written(count);
                session.sent(count);
            }
            Sent::Full => {
                session.blocked(now);
                return Flushed::Blocked;
            }
            Sent::TimedOut => {
                server.timed_out();
                return Flushed::Broken;
            }
            Sent::Broken => return Flushed::Broken,
        }
    }
    Flushed::All
}
