//! How many workers the pool has, with `--workers auto`: as many as the work gains from.
//!
//! While requests wait, the pool is doubled for a moment. It stays so if throughput rises by a third or more, as it does
//! for work that waits; otherwise the size goes back, and half of it is tried, which stays if throughput holds. So
//! `sleep` grows to what the load needs and `cpu` stays near the cores. Pure: the time is an argument.

use std::time::Duration;

/// Shortest time over which throughput is measured.
const SHORTEST: Duration = Duration::from_millis(100);

/// Throughput that a doubled pool must reach, in terms of that before.
const GAIN: f64 = 1.33;

/// Throughput that a halved pool must keep.
const KEEP: f64 = 0.9;

/// First and longest pause after a size that was no better.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));

/// After so long without a request that had to wait, the pool is halved.
const QUIET: Duration = Duration::from_secs(60);

/// The size of a pool and what is being tried.
#[derive(Debug)]
pub(super) struct PoolSize {
    smallest: usize,
    largest: usize,
    size: usize,
    trial: Option<Trial>,
    measurement: Option<Measurement>,
    next_trial: Duration,
    pause: Duration,
    quiet_since: Duration,
}

/// A size that is being tried, and what it is compared with.
#[derive(Debug, Clone, Copy)]
struct Trial {
    from: usize,
    /// Completions a second at that size.
    rate: f64,
}

#[derive(Debug, Clone, Copy)]
struct Measurement {
    since: Duration,
    completed: u64,
    /// Whether all that began at another size has ended.
    settled: bool,
}

impl PoolSize {
    /// A pool of the smallest size.
    pub(super) fn new(smallest: usize, largest: usize) -> Self {
        Self {
            smallest,
            largest,
            size: smallest,
            trial: None,
            measurement: None,
            next_trial: Duration::ZERO,
            pause: PAUSES.0,
            quiet_since: Duration::ZERO,
        }
    }

    /// The size from now on. `completed`: jobs since the start; `waiting`: whether some wait for a worker.
    pub(super) fn observe(&mut self, now: Duration, completed: u64, waiting: bool) -> usize {
        if !waiting {
            // The size is enough, the one on trial too.
            (self.trial, self.measurement) = (None, None);
            if now.saturating_sub(self.quiet_since) >= QUIET {
                self.quiet_since = now;
                self.size = (self.size / 2).max(self.smallest);
            }
            return self.size;
        }
        self.quiet_since = now;
        let measurement = self.measurement.get_or_insert(Measurement { since: now, completed, settled: false });
        let (count, time) = (completed - measurement.completed, now.saturating_sub(measurement.since));
        if !measurement.settled {
            if count >= self.size as u64 {
                *measurement = Measurement { since: now, completed, settled: true };
            }
        } else if count >= self.size as u64 && time >= SHORTEST {
            self.measurement = None;
            self.conclude(now, count as f64 / time.as_secs_f64());
        }
        self.size
    }

    fn conclude(&mut self, now: Duration, rate: f64) {
        let Some(Trial { from, rate: before }) = self.trial.take() else {
            if now >= self.next_trial {
                self.grow(rate);
            }
            return;
        };
        if self.size > from && rate >= GAIN * before {
            self.pause = PAUSES.0;
            self.grow(rate);
            return;
        }
        if self.size > from {
            self.size = from;
            let half = (from / 2).max(self.smallest);
            if half < from {
                self.trial = Some(Trial { from, rate: before });
                self.size = half;
                return;
            }
        } else if rate < KEEP * before {
            self.size = from;
        }
        self.next_trial = now + self.pause;
        self.pause = (self.pause * 2).min(PAUSES.1);
    }

    fn grow(&mut self, rate: f64) {
        let double = (self.size * 2).min(self.largest);
        if double > self.size {
            self.trial = Some(Trial { from: self.size, rate });
            self.size = double;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets a pool of `cores` × 2 to 1024 workers do what always waits, of which `size` workers do `rate(size)` a second,
    /// for `seconds`; gives the sizes by tick of 50 ms.
    fn sizes(pool: &mut PoolSize, start: Duration, seconds: u64, rate: impl Fn(usize) -> f64) -> Vec<usize> {
        let (mut done, mut now) = (0.0, start);
        let mut size = pool.size;
        let step = |_| {
            now += Duration::from_millis(50);
            done += rate(size) * 0.05;
            size = pool.observe(now, done as u64, true);
            size
        };
        (0..seconds * 20).map(step).collect()
    }

    #[test]
    fn sleep_grows_to_what_threads_can_serve() {
        let mut pool = PoolSize::new(4, 1024);
        // 10 ms each, and the threads carry 8,000 a second.
        let sizes = sizes(&mut pool, Duration::ZERO, 10, |size| (size as f64 * 100.0).min(8000.0));
        let reached = sizes.iter().position(|&size| size >= 64).unwrap();
        assert!(reached <= 30, "64 workers after {} ms", reached * 50);
        assert!((64..=256).contains(sizes.last().unwrap()), "{sizes:?}");
    }

    #[test]
    fn cpu_stays_near_the_cores() {
        let mut pool = PoolSize::new(4, 1024);
        let sizes = sizes(&mut pool, Duration::ZERO, 300, |size| size.min(2) as f64 * 100.0);
        let mean = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
        assert!(mean < 4.5 && *sizes.iter().max().unwrap() == 8, "{mean}");
    }

    #[test]
    fn a_size_that_an_accident_has_made_too_large_is_taken_back() {
        let mut pool = PoolSize::new(4, 1024);
        pool.size = 64;
        let sizes = sizes(&mut pool, Duration::ZERO, 300, |size| size.min(2) as f64 * 100.0);
        assert!(*sizes.last().unwrap() <= 8, "{:?}", sizes.last());
    }

    #[test]
    fn what_nobody_needs_any_more_is_given_back() {
        let mut pool = PoolSize::new(4, 1024);
        sizes(&mut pool, Duration::ZERO, 5, |size| size as f64 * 100.0);
        let grown = pool.size;
        assert_eq!(grown, 1024, "and never more than the largest");
        assert_eq!(pool.observe(Duration::from_secs(64), 0, false), grown);
        assert_eq!(pool.observe(Duration::from_secs(66), 0, false), grown / 2);
        assert_eq!(pool.observe(Duration::from_secs(127), 0, false), grown / 4);
        for minute in 3..20 {
            pool.observe(Duration::from_secs(minute * 61 + 10), 0, false);
        }
        assert_eq!(pool.size, 4);
    }
}
