//! The sockets of one serving thread: registered in one epoll from accept to close, each an entry in one table.
//!
//! The thread's event loop serves them. A response that is made elsewhere is handed back here by the thread that made it, on any
//! thread; the table's lock is held for no longer than it takes to change an entry, never for a system call that could wait.

use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use rustix::io::fcntl_dupfd_cloexec;

use super::table::{Key, Table};
use crate::app::App;

/// What a connection is watched for: input, in edges, as every reader reads until there is none.
const WATCHED: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ET);

/// The event data of the listening socket.
pub(super) const LISTENER: u64 = u64::MAX;

/// The event data of the descriptor that ends a wait.
pub(super) const NUDGE: u64 = u64::MAX - 1;

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

    pub(super) fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches a connection; `false` when it cannot be.
    pub(super) fn watch(&self, key: Key, stream: &TcpStream) -> bool {
        epoll::add(&self.epoll, stream, EventData::new_u64(key.into()), WATCHED).is_ok()
    }

    /// Watches a connection for room to write as well; `false` when it cannot be.
    pub(super) fn watch_room(&self, key: Key, stream: &TcpStream) -> bool {
        epoll::modify(&self.epoll, stream, EventData::new_u64(key.into()), WATCHED | EventFlags::OUT).is_ok()
    }

    /// Stops watching a connection.
    pub(super) fn unwatch(&self, stream: &TcpStream) {
        // Fails when the connection was never watched, which is as good.
        let _ = epoll::delete(&self.epoll, stream);
    }
}
