//! Where one connection stands: told by the gate and the service as hyper drives them, read by the connection's task.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::app::{Request, Subscription};
use crate::engine::clock::now_ms;
use crate::http::Response;

/// How far the current request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// No byte of a next request yet.
    Idle,
    /// Its first byte has come, its last has not.
    Reading,
    /// It is whole and has no answer yet.
    Working,
}

/// Why hyper's part is over.
pub(super) enum End {
    /// The client closed its side, or the connection broke.
    Closed,
    /// An answer to send before closing; hyper never saw the request.
    Refuse(Response),
    /// A stream to begin.
    Subscribe(Subscription),
}

/// Shared by the three parts of one connection. All of them run in one task, so nothing here is contended.
pub(super) struct Exchange {
    phase: AtomicU8,
    since: AtomicU64,
    first_byte: AtomicU64,
    /// Since when bytes wait to be flushed; 0 when none do.
    unflushed_since: AtomicU64,
    answered: AtomicBool,
    keep_alive: AtomicBool,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    request: Option<Request>,
    end: Option<End>,
}

impl Exchange {
    /// A request's first bytes have just come.
    pub(super) fn new() -> Self {
        let now = now_ms();
        Self {
            phase: AtomicU8::new(Phase::Reading as u8),
            since: AtomicU64::new(now),
            first_byte: AtomicU64::new(now),
            unflushed_since: AtomicU64::new(0),
            answered: AtomicBool::new(false),
            keep_alive: AtomicBool::new(true),
            slot: Mutex::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Idle,
            1 => Phase::Reading,
            _ => Phase::Working,
        }
    }

    /// Since when the phase lasts, in milliseconds of the engine's clock.
    pub(super) fn since(&self) -> u64 {
        self.since.load(Relaxed)
    }

    /// When the current request's first byte came.
    pub(super) fn first_byte(&self) -> u64 {
        self.first_byte.load(Relaxed)
    }

    /// Since when bytes wait to be flushed.
    pub(super) fn unflushed_since(&self) -> Option<u64> {
        Some(self.unflushed_since.load(Relaxed)).filter(|&since| since != 0)
    }

    /// Bytes of a next request are here.
    pub(super) fn reading(&self) {
        if self.phase() == Phase::Idle {
            let now = now_ms();
            self.first_byte.store(now, Relaxed);
            self.enter(Phase::Reading, now);
        }
    }

    /// The request is whole.
    pub(super) fn received(&self) {
        self.answered.store(false, Relaxed);
        self.enter(Phase::Working, now_ms());
    }

    /// The service has the answer.
    pub(super) fn answered(&self) {
        self.answered.store(true, Relaxed);
    }

    /// Whether the current request has its answer; from then on the next one may come.
    pub(super) fn next_may_come(&self) -> bool {
        match self.phase() {
            Phase::Working if self.answered.load(Relaxed) => {
                self.unflushed();
                self.enter(Phase::Idle, now_ms());
                true
            }
            Phase::Working => false,
            Phase::Idle | Phase::Reading => true,
        }
    }

    /// Bytes are on their way out.
    pub(super) fn unflushed(&self) {
        if self.unflushed_since.load(Relaxed) == 0 {
            self.unflushed_since.store(now_ms(), Relaxed);
        }
    }

    /// All bytes went out.
    pub(super) fn flushed(&self) {
        self.next_may_come();
        self.unflushed_since.store(0, Relaxed);
    }

    /// Whether the current request lets the connection be kept.
    pub(super) fn keep_alive(&self) -> bool {
        self.keep_alive.load(Relaxed)
    }

    /// Hands an admitted request to the service.
    pub(super) fn put_request(&self, request: Request, keep_alive: bool) {
        self.keep_alive.store(keep_alive, Relaxed);
        self.slot().request = Some(request);
    }

    /// The request that hyper calls the service for.
    pub(super) fn take_request(&self) -> Option<Request> {
        self.slot().request.take()
    }

    /// Ends hyper's part once what it has to send is sent.
    pub(super) fn end(&self, end: End) {
        self.slot().end.get_or_insert(end);
    }

    pub(super) fn take_end(&self) -> Option<End> {
        self.slot().end.take()
    }

    fn enter(&self, phase: Phase, now: u64) {
        self.phase.store(phase as u8, Relaxed);
        self.since.store(now, Relaxed);
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
