//! A limit on how often a warning may be logged: at most once a second, with how many were suppressed.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Milliseconds between two records that one limit lets through.
const INTERVAL_MS: u64 = 1000;

/// Where the clock of every limit starts.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Lets one caller a second pass; meant to be a `static` beside the warning it limits.
#[derive(Debug, Default)]
pub struct LogLimit {
    /// Milliseconds since [`EPOCH`] from which the next caller passes.
    next_ms: AtomicU64,
    suppressed: AtomicU64,
}

impl LogLimit {
    /// One that lets its first caller through.
    pub const fn new() -> Self {
        Self { next_ms: AtomicU64::new(0), suppressed: AtomicU64::new(0) }
    }

    /// Whether to log now: `Some` with the number of records held back since the last one that passed, or `None`.
    pub fn allow(&self) -> Option<u64> {
        self.allow_at(EPOCH.elapsed().as_millis() as u64)
    }

    fn allow_at(&self, now_ms: u64) -> Option<u64> {
        let next = self.next_ms.load(Relaxed);
        // The exchange lets exactly one of several threads pass when the interval has just ended.
        if now_ms < next || self.next_ms.compare_exchange(next, now_ms + INTERVAL_MS, Relaxed, Relaxed).is_err() {
            self.suppressed.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.suppressed.swap(0, Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_passes_and_says_how_many_did_not() {
        let limit = LogLimit::new();
        assert_eq!(limit.allow_at(5), Some(0));
        assert_eq!(limit.allow_at(5), None);
        assert_eq!(limit.allow_at(1004), None);
        assert_eq!(limit.allow_at(1005), Some(2));
        assert_eq!(limit.allow_at(1006), None);
        assert_eq!(limit.allow_at(9000), Some(1));
        assert_eq!(limit.allow_at(10_000), Some(0));
    }

    #[test]
    fn of_many_threads_at_once_one_passes() {
        let limit = LogLimit::new();
        let passed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..100).filter_map(|_| limit.allow_at(7)).count())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(passed, 1);
        assert_eq!(limit.allow_at(2000), Some(799));
    }
}
