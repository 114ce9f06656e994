//! Where connections wait: one thread with one epoll for all that is open but has nothing to do.
//!
//! A connection here is a descriptor and a small entry: no buffer, no task, no coroutine. When its next byte arrives it
//! is handed back to its engine. Connections that are being closed wait here too, until the client has read the last
//! answer, and so do those that were turned away. All three engines share this room, so what they are compared by is
//! how they treat connections that work.

mod broadcaster;

use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{Resource, getrlimit};
use slab::Slab;

use super::WakeUp;
use super::clock::now_ms;
use super::connections::{Deadlines, Permit, is_past};
use super::memory::tidy;
use crate::app::App;
use crate::http::{Envelope, Response};
pub(crate) use broadcaster::Broadcaster;

/// A closed connection's client may take this long to read the last answer and close its side.
const LINGER_MS: u64 = 2_000;

/// At most this many connections that were turned away linger; the others are closed as soon as they were told.
const MAX_TURNED_AWAY: u64 = 512;

/// Descriptors beside connections that a server has open at most: listeners, epolls, files of `/proc`.
const OWN_DESCRIPTORS: u64 = 44;

/// Bytes that one look at a lingering connection throws away at the most.
const DISCARD: usize = 64 * 1024;

/// The room.
pub(crate) struct Lobby {
    app: Arc<App>,
    deadlines: Deadlines,
    epoll: OwnedFd,
    waiting: Mutex<Slab<Waiting>>,
    turned_away: AtomicU64,
    max_turned_away: u64,
    emptying: AtomicBool,
}

struct Waiting {
    stream: TcpStream,
    /// When its patience ends, in the clock of [`now_ms`].
    deadline: u64,
    why: Why,
}

enum Why {
    /// Between two requests; the next byte wakes it.
    Idle(Permit),
    /// Its last answer was sent; what the client still sends is thrown away until it closes.
    Closing { _permit: Option<Permit> },
}

/// What became of a connection when its descriptor told something.
enum Fate {
    Stays,
    Wakes,
    Ends,
}

impl Lobby {
    pub(super) fn new(app: Arc<App>, deadlines: Deadlines) -> anyhow::Result<Self> {
        let max_fds = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let spare = max_fds.saturating_sub(app.config.max_connections as u64 + OWN_DESCRIPTORS);
        let max_turned_away = (spare / 2).min(MAX_TURNED_AWAY);
        Ok(Self {
            app,
            deadlines,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            waiting: Mutex::default(),
            turned_away: AtomicU64::new(0),
            max_turned_away,
            emptying: AtomicBool::new(false),
        })
    }

    /// Keeps a connection until its next byte, or until it was idle for too long.
    pub(crate) fn wait(&self, stream: TcpStream, permit: Permit, idle_since: u64) {
        self.app.metrics.counters.idle.fetch_add(1, Relaxed);
        let deadline = self.deadlines.idle_end(idle_since);
        if !self.admit(Waiting { stream, deadline, why: Why::Idle(permit) }) {
            self.app.metrics.counters.idle.fetch_sub(1, Relaxed);
        }
    }

    /// Ends a connection gently after its last answer: no more is sent, what still arrives is thrown away, so that the
    /// client can read that answer before it learns of the end (RFC 9112 §9.6).
    pub(crate) fn close(&self, stream: TcpStream, permit: Permit) {
        self.linger(stream, Some(permit));
    }

    /// Tells a client that the table is full.
    pub(crate) fn turn_away(&self, stream: TcpStream) {
        let _ = stream.set_nonblocking(true);
        let mut full = Vec::new();
        let response = Response::error(503, "all connections are taken").with("retry-after", "1");
        response.write_to(&mut full, Envelope::CLOSING);
        let _ = send(&stream, &full, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        if self.turned_away.load(Relaxed) < self.max_turned_away {
            self.turned_away.fetch_add(1, Relaxed);
            self.linger(stream, None);
        } else {
            // Closing with bytes unread would reset the connection before its client has read the answer.
            let _ = stream.shutdown(Shutdown::Write);
            discard(&stream);
        }
    }

    /// Closes the connections that are idle, now and from now on; those with a byte waiting are still served.
    pub(crate) fn start_emptying(&self) {
        self.emptying.store(true, Relaxed);
    }

    fn linger(&self, stream: TcpStream, permit: Option<Permit>) {
        let turned_away = permit.is_none();
        let open = stream.shutdown(Shutdown::Write).is_ok();
        let why = Why::Closing { _permit: permit };
        let stays = open && self.admit(Waiting { stream, deadline: now_ms() + LINGER_MS, why });
        if turned_away && !stays {
            self.turned_away.fetch_sub(1, Relaxed);
        }
    }

    /// Whether the connection is now waiting; it is closed if it cannot.
    fn admit(&self, waiting: Waiting) -> bool {
        let mut room = self.room();
        let entry = room.vacant_entry();
        let data = epoll::EventData::new_u64(entry.key() as u64);
        let watched = epoll::add(&self.epoll, &waiting.stream, data, epoll::EventFlags::IN | epoll::EventFlags::RDHUP);
        if watched.is_ok() {
            entry.insert(waiting);
        }
        watched.is_ok()
    }

    /// The room's thread: wakes connections through `wake` and sweeps away those whose patience ended. Never returns.
    pub(crate) fn run(&self, beat: &super::heartbeat::Beat, engine: &mut dyn WakeUp) {
        let mut events = Vec::with_capacity(1024);
        let tick = Timespec::try_from(self.deadlines.tick).expect("a tick is short");
        let mut next_sweep = now_ms();
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&tick)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => tracing::error!(event = "lobby", %error, "cannot wait for idle connections"),
            }
            for event in &events {
                if let Some((stream, permit)) = self.look_at(event.data.u64() as usize) {
                    engine.wake(stream, permit);
                }
            }
            if is_past(next_sweep) {
                next_sweep = now_ms() + self.deadlines.tick.as_millis() as u64;
                self.sweep(engine);
                engine.tick();
                tidy();
                beat.beat();
            }
        }
    }

    /// Deals with a connection that has something to tell; gives it back if it woke.
    fn look_at(&self, key: usize) -> Option<(TcpStream, Permit)> {
        let mut room = self.room();
        let fate = match room.get(key)? {
            Waiting { stream, why: Why::Idle(_), .. } => peek(stream),
            Waiting { stream, why: Why::Closing { .. }, .. } => discard(stream),
        };
        match fate {
            Fate::Stays => None,
            Fate::Wakes | Fate::Ends => {
                let waiting = room.remove(key);
                drop(room);
                let wakes = matches!(fate, Fate::Wakes);
                self.leave(waiting).filter(|_| wakes)
            }
        }
    }

    /// Takes a connection out of the epoll and the counts.
    fn leave(&self, waiting: Waiting) -> Option<(TcpStream, Permit)> {
        let _ = epoll::delete(&self.epoll, &waiting.stream);
        match waiting.why {
            Why::Idle(permit) => {
                self.app.metrics.counters.idle.fetch_sub(1, Relaxed);
                Some((waiting.stream, permit))
            }
            Why::Closing { _permit: None } => {
                self.turned_away.fetch_sub(1, Relaxed);
                None
            }
            Why::Closing { _permit: Some(_) } => None,
        }
    }

    fn sweep(&self, engine: &mut dyn WakeUp) {
        let now = now_ms();
        let emptying = self.emptying.load(Relaxed);
        let mut room = self.room();
        let expired: Vec<usize> = room
            .iter()
            .filter(|(_, waiting)| waiting.deadline <= now || (emptying && matches!(waiting.why, Why::Idle(_))))
            .map(|(key, _)| key)
            .collect();
        let expired: Vec<Waiting> = expired.into_iter().map(|key| room.remove(key)).collect();
        if room.is_empty() {
            room.shrink_to_fit();
        }
        drop(room);
        for waiting in expired {
            let timed_out = waiting.deadline <= now;
            if let Some((stream, permit)) = self.leave(waiting) {
                // A request that arrived at the last moment is answered.
                if matches!(peek(&stream), Fate::Wakes) {
                    engine.wake(stream, permit);
                } else if timed_out {
                    self.app.metrics.counters.timed_out.fetch_add(1, Relaxed);
                }
            }
        }
    }

    fn room(&self) -> MutexGuard<'_, Slab<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether there is anything to read yet, be it the end.
pub(crate) fn has_spoken(stream: &TcpStream) -> bool {
    !matches!(peek(stream), Fate::Stays)
}

/// Whether a byte has come, or the end.
fn peek(stream: &TcpStream) -> Fate {
    match recv(stream, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
        Ok((0, _)) => Fate::Ends,
        Ok(_) => Fate::Wakes,
        Err(Errno::AGAIN | Errno::INTR) => Fate::Stays,
        Err(_) => Fate::Ends,
    }
}

/// Throws away what a closing connection's client still sends.
fn discard(stream: &TcpStream) -> Fate {
    let mut buffer = [0; 4096];
    let mut discarded = 0;
    while discarded < DISCARD {
        match recv(stream, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Fate::Ends,
            Ok((count, _)) => discarded += count,
            Err(Errno::AGAIN | Errno::INTR) => return Fate::Stays,
            Err(_) => return Fate::Ends,
        }
    }
    Fate::Stays
}

/// How long a thread that waits for others sleeps between two looks.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(5);
