//! CPU work in slices, so that an engine can serve its connections between them.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sha2::{Digest, Sha256};

/// CPU time of one slice.
const SLICE: Duration = Duration::from_millis(1);

/// Real hashing for a given CPU time. Each call of `next` burns up to a millisecond; `None` when the time is used up.
#[derive(Debug)]
pub struct CpuSlices {
    left: Duration,
    digest: [u8; 32],
}

impl CpuSlices {
    /// Hashing for `time` of CPU time, whichever threads it runs on.
    pub fn new(time: Duration) -> Self {
        Self { left: time, digest: [0; 32] }
    }
}

impl Iterator for CpuSlices {
    type Item = ();

    fn next(&mut self) -> Option<()> {
        if self.left.is_zero() {
            return None;
        }
        let budget = self.left.min(SLICE);
        let start = thread_cpu_time();
        let mut used = Duration::ZERO;
        while used < budget {
            for _ in 0..16 {
                self.digest = std::hint::black_box(Sha256::digest(self.digest)).into();
            }
            used = thread_cpu_time().saturating_sub(start);
        }
        self.left = self.left.saturating_sub(used);
        Some(())
    }
}

fn thread_cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_the_cpu_time_it_was_given() {
        let start = thread_cpu_time();
        let slices = CpuSlices::new(Duration::from_millis(20)).count();
        let used = thread_cpu_time().saturating_sub(start);
        assert!((10..=20).contains(&slices), "{slices} slices");
        assert!(used >= Duration::from_millis(20) && used < Duration::from_millis(60), "{used:?}");
    }
}
