//! Giving memory back after a storm: the allocator keeps what a thread has freed until that thread asks it not to.

use std::cell::Cell;

use super::clock::now_ms;

/// Between two tidyings of one thread, in milliseconds.
const INTERVAL_MS: u64 = 1_000;

/// Returns the calling thread's free memory to the system, at most once a second. For a thread that is about to rest;
/// it must not be called where a coroutine could move to another thread meanwhile.
pub(crate) fn tidy() {
    thread_local!(static TIDIED: Cell<u64> = const { Cell::new(0) });
    let now = now_ms();
    TIDIED.with(|tidied| {
        if now >= tidied.get() + INTERVAL_MS {
            tidied.set(now);
            collect();
        }
    });
}

#[expect(unsafe_code, reason = "a foreign function; it takes no pointer and may be called from any thread at any time")]
fn collect() {
    unsafe { libmimalloc_sys::mi_collect(true) }
}
