//! Deadlines of parked coroutines: a number each, looked at by one thread, instead of a timer for each read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use may::io::WaitIoWaker;
use slab::Slab;

use crate::engine::clock::now_ms;

/// No deadline.
const NEVER: u64 = u64::MAX;

/// The deadlines of one server's coroutines.
#[derive(Default)]
pub(super) struct Watches(Mutex<Slab<(Arc<AtomicU64>, WaitIoWaker)>>);

/// One coroutine's deadline.
pub(super) struct Watch {
    deadline: Arc<AtomicU64>,
    key: usize,
    watches: Arc<Watches>,
}

impl Watches {
    /// Watches a coroutine that parks on the socket of `waker`.
    pub(super) fn add(self: &Arc<Self>, waker: WaitIoWaker) -> Watch {
        let deadline = Arc::new(AtomicU64::new(NEVER));
        let key = self.lock().insert((Arc::clone(&deadline), waker));
        Watch { deadline, key, watches: Arc::clone(self) }
    }

    /// Wakes those whose deadline has passed, again at each look until they set another.
    pub(super) fn wake_expired(&self) {
        let now = now_ms();
        let mut watches = self.lock();
        for (_, (deadline, waker)) in watches.iter() {
            if deadline.load(Relaxed) <= now {
                waker.wakeup();
            }
        }
        if watches.is_empty() {
            watches.shrink_to_fit();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Slab<(Arc<AtomicU64>, WaitIoWaker)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Wakes the coroutine after `deadline`, in milliseconds of the engine's clock.
    pub(super) fn set(&self, deadline: u64) {
        self.deadline.store(deadline, Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watches.lock().remove(self.key);
    }
}
