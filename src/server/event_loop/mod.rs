//! One serving thread's loop: accepts, reads, answers what needs no work, and watches deadlines.
//!
//! A connection is read into the loop's own buffer and decoded in the loop's own session; only one that has to wait in the
//! middle of something gets a session of its own. An idle connection that asks for something cheap is answered and idle
//! again after one `recv` and one `send`.

mod serve;

use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use super::Server;
use super::accept::Acceptor;
use super::connection::{Connection, Outcome, Visit};
use super::exchange::Exchange;
use super::heartbeat::Beat;
use super::permit::PermitKind;
use super::reactor::{LISTENER, NUDGE, Reactor};
use super::socket::{self, Received};
use super::table::{Key, Taken};
use crate::allocator;
use crate::app::Request;
use crate::clock::Moment;
use crate::http::{Expired, Session};
use crate::metrics::Endpoint;
use serve::Outbox;

/// Read from a socket at once.
const READ_BYTES: usize = 16 * 1024;

/// Events looked at before other work of the thread has its turn.
const EVENTS: usize = 256;

/// How often a turn looks for events while there are some: that costs less than to wait for those that came meanwhile.
const LOOKS: u32 = 16;

/// Connections whose deadline has passed that are ended before those that are served have their turn.
const EXPIRIES: usize = 32;

/// How often a thread gives the memory that closed connections took back to the system.
const RELEASE_INTERVAL: Duration = Duration::from_secs(1);

/// How an engine answers a whole request.
pub trait Engine {
    /// Bytes of memory that a detached request takes beside its buffers. Connections are refused work before the sum of
    /// it passes the memory that unfinished requests may take.
    fn pending_bytes(&self) -> usize;

    /// Answers `request` at once through `exchange`, or detaches it and answers later.
    fn respond(&mut self, exchange: Exchange<'_>, request: Request);
}

/// The loop of one serving thread.
pub struct EventLoop<E> {
    server: &'static Server,
    reactor: &'static Reactor,
    engine: E,
    acceptor: Acceptor,
    buffer: Box<[u8]>,
    session: Session<Request>,
    outbox: Outbox,
    /// Responses may go into the outbox, as it is sent soon.
    gathers: bool,
    now: Moment,
    next_look: Moment,
    beat: Beat,
    next_release: Moment,
}

impl<E: Engine> EventLoop<E> {
    /// The loop of serving thread `index`, which accepts from `listener`.
    ///
    /// # Errors
    /// The listening socket cannot be watched.
    pub fn new(server: &'static Server, index: usize, listener: TcpListener, engine: E) -> anyhow::Result<Self> {
        let reactor = &server.reactors[index];
        let now = Moment::now();
        Ok(Self {
            server,
            reactor,
            engine,
            acceptor: Acceptor::new(server, reactor, listener)?,
            buffer: vec![0; READ_BYTES].into(),
            session: Session::new(now),
            outbox: Outbox::default(),
            gathers: false,
            now,
            next_look: now,
            beat: server.heartbeats.register(format!("serving thread {index}")),
            next_release: now,
        })
    }

    /// Becomes readable, in edges, when [`Self::turn`] has something to do. It is never closed.
    pub fn as_fd(&self) -> BorrowedFd<'static> {
        self.reactor.as_fd()
    }

    /// Does what there is to do, for a bounded time; never waits. If something is left, the reactor is readable again, and
    /// the caller should let others of its thread run first.
    ///
    /// # Panics
    /// The events cannot be seen; the process then ends.
    #[inline(never)] // A caller that goes on in another thread must not keep addresses of this one's thread-local variables.
    pub fn turn(&mut self) -> bool {
        let mut left = EVENTS;
        for _ in 0..LOOKS {
            let (seen, more) = self.look(left);
            if more {
                self.reactor.nudge();
                return true;
            }
            if seen == 0 {
                break;
            }
            left -= seen;
        }
        false
    }

    /// Deals with the events that there are, up to `most`: how many there were, and whether something is left to do.
    fn look(&mut self, most: usize) -> (usize, bool) {
        self.now = Moment::now();
        let mut space = [const { MaybeUninit::uninit() }; EVENTS];
        let events = match self.reactor.poll(&mut space[..most]) {
            Ok(events) => &*events,
            Err(Errno::INTR) => &[],
            // Only a bug could cause it, and without its events the loop cannot serve any connection.
            Err(error) => panic!("epoll_wait: {error}"),
        };
        let seen = events.len();
        let mut more = seen == most;
        let (mut accept, mut nudged) = (false, false);
        self.gathers = true;
        for event in events {
            match event.data.u64() {
                LISTENER => accept = true,
                NUDGE => nudged = true,
                key => self.on_event(key.into(), event.flags),
            }
        }
        self.gathers = false;
        self.send_gathered();
        if nudged {
            self.beat.beat();
        }
        if accept || (nudged && self.acceptor.is_due(self.now)) {
            more |= self.accept();
        }
        let resumed = self.reactor.table().take_resumed();
        for (key, taken) in resumed {
            // Whether the client has closed its side meanwhile is not known: reads find out.
            self.go_on(key, taken, true);
        }
        more |= self.reactor.table().has_resumed();
        if nudged && self.now >= self.next_look {
            more |= self.look_at_clock();
        }
        (seen, more)
    }

    /// Deals with a connection on whose socket something happened.
    fn on_event(&mut self, key: Key, flags: EventFlags) {
        let is_reset = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        let hung_up = is_reset || flags.contains(EventFlags::RDHUP);
        let taken = self.reactor.table().take(key, is_reset);
        if let Taken::Serve(stream, ..) = &taken
            && is_reset
            && socket::has_timed_out(stream)
        {
            self.server.timed_out();
        }
        self.go_on(key, taken, hung_up);
    }

    fn go_on(&mut self, key: Key, taken: Taken, hung_up: bool) {
        match taken {
            Taken::Serve(stream, held, permit) => self.serve(self.visit(key, stream, permit, hung_up), held),
            Taken::Lingering(stream) => self.connection(key).linger(stream),
            Taken::Nothing => {}
        }
    }

    fn connection(&self, key: Key) -> Connection {
        Connection { server: self.server, reactor: self.reactor, key }
    }

    /// A connection that the reactor watches.
    fn visit(&self, key: Key, stream: TcpStream, permit: PermitKind, hung_up: bool) -> Visit {
        let connection = self.connection(key);
        Visit { connection, stream: Some(stream), permit, is_watched: true, hung_up, is_drained: false }
    }

    /// Accepts a bounded number of connections and serves them; whether more may wait.
    fn accept(&mut self) -> bool {
        self.acceptor.start_batch(self.now);
        while let Some((stream, permit)) = self.acceptor.accept(self.now) {
            let kind = permit.kind;
            // It is watched from its first wait on.
            let key = self.reactor.table().insert(permit);
            let mut visit = Visit { is_watched: false, ..self.visit(key, stream, kind, false) };
            if kind == PermitKind::Refused {
                self.refuse(&mut visit);
            } else {
                self.serve(visit, None);
            }
        }
        self.acceptor.has_more()
    }

    /// Ends what has waited too long, and what is idle once the server stops; whether more is left to look at.
    fn look_at_clock(&mut self) -> bool {
        let (expired, is_all) = self.reactor.table().expire(self.now, EXPIRIES);
        for key in expired {
            self.expire(key, true);
        }
        if !is_all {
            return true;
        }
        self.next_look = self.now + self.server.tick;
        if self.server.close_idle.load(Relaxed) {
            let idle = self.reactor.table().idle();
            for key in idle {
                self.expire(key, false);
            }
        }
        if self.now >= self.next_release {
            self.next_release = self.now + RELEASE_INTERVAL;
            // What this thread has freed is kept by the allocator until this thread gives it back.
            allocator::release_free_memory(false);
        }
        false
    }

    /// Ends a connection that has waited long enough; `is_late` when that was until its own deadline.
    fn expire(&mut self, key: Key, is_late: bool) {
        let taken = self.reactor.table().take(key, false);
        let (stream, held, permit) = match taken {
            Taken::Serve(stream, held, permit) => (stream, held, permit),
            Taken::Lingering(_closes) => return self.connection(key).remove(),
            Taken::Nothing => return,
        };
        let counters = &self.server.app.metrics.counters;
        let mut visit = self.visit(key, stream, permit, true);
        let Some(mut held) = held else {
            // A request that arrived at the last moment is answered.
            return match visit.stream.as_ref().map(|stream| socket::receive(stream, &mut self.buffer)) {
                Some(Received::Bytes(count)) => {
                    counters.bytes_read(count);
                    self.session.reset(self.now);
                    self.session.receive(&self.buffer[..count]);
                    self.serve_session(visit, None);
                }
                Some(Received::Nothing) if permit == PermitKind::Reserve => self.refuse(&mut visit),
                _ => {
                    counters.timed_out.fetch_add(u64::from(is_late), Relaxed);
                    visit.leave(None, Outcome::Close, self.now);
                }
            };
        };
        counters.timed_out.fetch_add(1, Relaxed);
        match held.session.expire() {
            Expired::Idle => visit.leave(None, Outcome::Close, self.now),
            Expired::Response => visit.leave(None, Outcome::Reset, self.now),
            Expired::Request => {
                counters.answered(Endpoint::Rejected, None, 408);
                self.serve_session(visit, Some(held));
            }
        }
    }
}

impl<E> Drop for EventLoop<E> {
    /// A loop ends by a panic alone, and its connections would wait for ever.
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(event = "panic", "a serving thread has panicked");
            std::process::abort();
        }
    }
}
