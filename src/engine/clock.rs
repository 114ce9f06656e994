//! Milliseconds of a coarse monotonic clock: all that deadlines need, for a few nanoseconds a look.

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since some fixed moment, behind by one kernel tick (4 ms) at most.
pub(crate) fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::MonotonicCoarse);
    (now.tv_sec as u64).wrapping_mul(1000).wrapping_add(now.tv_nsec as u64 / 1_000_000)
}
