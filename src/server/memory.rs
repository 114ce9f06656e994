//! Returns memory after many connections have closed: the allocator keeps what a thread has freed until that thread releases it.

use std::time::Duration;

use crate::allocator;
use crate::clock::Moment;

/// Between two releases of one thread.
const INTERVAL: Duration = Duration::from_secs(1);

/// When a thread last released its free memory.
#[derive(Default)]
pub(super) struct FreeMemory {
    next: Moment,
}

impl FreeMemory {
    /// Returns the calling thread's free memory to the system, at most once a second.
    pub(super) fn release(&mut self, now: Moment) {
        if now >= self.next {
            self.next = now + INTERVAL;
            allocator::release_free_memory(false);
        }
    }
}
