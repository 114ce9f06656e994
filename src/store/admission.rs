//! Admission by predicted wait: a request that would wait too long is refused at once, and an admitted one is answered.
//!
//! The store commits in batches, so its rate is not a constant: one registration at a time takes a sync each, and a
//! thousand at a time share a few. What is nearly constant is the cost of a batch and the cost of a command in it.
//! Both are measured, and the wait of a newcomer follows from how many are before it. Pure: the time is an argument.

use std::time::Duration;

/// Most commands that one batch takes: bounds how long the other processes wait for their turn.
pub const MAX_BATCH: usize = 256;

/// Most commands that wait at once, whatever the prediction: bounds memory.
pub const MAX_WAITING: usize = 65_536;

/// Longest wait of a look-up; a registration may wait for as long as the setting says. Health, metrics and pages never wait.
pub const BROWSING_WAIT: Duration = Duration::from_millis(500);

/// Predicts how long a newcomer waits for its answer.
#[derive(Debug, Clone, Copy)]
pub struct Predictor {
    /// Seconds that a batch takes beside its commands: the turn, the sync and the answers.
    batch: f64,
    /// Seconds that one command adds.
    command: f64,
    /// Batches measured so far.
    batches: u32,
}

/// How much a new measurement counts, once there were a few.
const WEIGHT: f64 = 0.2;

impl Default for Predictor {
    /// A slow SD card, until there are measurements.
    fn default() -> Self {
        Self { batch: 0.05, command: 0.000_1, batches: 0 }
    }
}

impl Predictor {
    /// Records a batch of `commands` that took `work` for the commands and `overhead` for everything else.
    pub fn measured(&mut self, commands: usize, work: Duration, overhead: Duration) {
        if commands > 0 {
            // A lone command pays for much that a batch shares, so it says less about the next one.
            let weight = WEIGHT * (commands as f64 / 8.0).min(1.0);
            self.command += (work.as_secs_f64() / commands as f64 - self.command) * weight;
        }
        // The first ones are averaged, so that what was assumed before does not count.
        self.batches = self.batches.saturating_add(1);
        self.batch += (overhead.as_secs_f64() - self.batch) * WEIGHT.max(1.0 / f64::from(self.batches));
    }

    /// The wait of a command that finds `waiting` before it and, if a batch is under way, its size and how long it has
    /// been.
    pub fn wait(&self, waiting: usize, under_way: Option<(usize, Duration)>) -> Duration {
        let rest = under_way.map_or(0.0, |(commands, elapsed)| {
            let expected = self.batch + self.command * commands as f64;
            // A batch that takes longer than any before may well take as long again.
            let elapsed = elapsed.as_secs_f64();
            if elapsed < expected { expected - elapsed } else { elapsed }
        });
        let batches = (waiting + 1).div_ceil(MAX_BATCH);
        Duration::from_secs_f64(rest + batches as f64 * self.batch + (waiting + 1) as f64 * self.command)
    }
}

/// When a refused client should try again: once the excess over the longest wait has been processed, and
/// somewhat later for some than for others, so that they do not all come at once. `random` is any number.
pub fn retry_after(predicted: Duration, longest: Duration, random: u32) -> Duration {
    let excess = predicted.saturating_sub(longest).max(Duration::from_secs(1));
    jittered(excess, random)
}

/// A time to come again at, later by up to a half and at least by up to a second for some than for others.
pub fn jittered(time: Duration, random: u32) -> Duration {
    let spread = time.mul_f64(0.5).max(Duration::from_secs(1));
    time + spread.mul_f64(f64::from(random) / f64::from(u32::MAX))
}

/// The whole seconds of a `Retry-After` header, never earlier than `time` and at least 1.
pub fn retry_after_seconds(time: Duration) -> u64 {
    (time.as_secs() + u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_millis(20);

    /// The model after batches of `size`, at 20 ms a sync and 50 µs a command.
    fn after_batches(size: usize) -> Predictor {
        let mut predictor = Predictor::default();
        for _ in 0..100 {
            predictor.measured(size, Duration::from_micros(50) * size as u32, SYNC);
        }
        predictor
    }

    #[test]
    fn quiet_times_do_not_make_a_rush_look_hopeless() {
        // One registration at a time is 50 a second: by that rate 2,000 would wait 40 s. In batches it is 0.3 s.
        let wait = after_batches(1).wait(2000, None);
        assert!((200..500).contains(&wait.as_millis()), "{wait:?}");
        let wait = after_batches(MAX_BATCH).wait(2000, None);
        assert!((200..350).contains(&wait.as_millis()), "{wait:?}");
    }

    #[test]
    fn the_prediction_matches_what_the_batches_then_take() {
        let predictor = after_batches(100);
        for waiting in [0, 1, 255, 256, 1000, 50_000] {
            let batches = (waiting + 1_usize).div_ceil(MAX_BATCH) as u32;
            let real = SYNC * batches + Duration::from_micros(50) * (waiting + 1) as u32;
            let error = predictor.wait(waiting, None).as_secs_f64() / real.as_secs_f64();
            assert!((0.95..1.05).contains(&error), "{waiting}: {error}");
        }
    }

    #[test]
    fn a_batch_that_hangs_is_counted_with_what_it_has_taken_so_far() {
        let predictor = after_batches(100);
        let soon = predictor.wait(0, Some((100, Duration::from_millis(24))));
        assert!(soon < Duration::from_millis(25), "{soon:?}");
        let hung = predictor.wait(0, Some((100, Duration::from_secs(12))));
        assert!(hung > Duration::from_secs(12), "{hung:?}");
    }

    #[test]
    fn a_medium_is_known_from_its_first_batch() {
        let mut predictor = Predictor::default();
        predictor.measured(1, Duration::from_micros(50), Duration::from_secs(1));
        let wait = predictor.wait(2 * MAX_BATCH, None);
        assert!((3.0..3.2).contains(&wait.as_secs_f64()), "{wait:?}");
    }

    #[test]
    fn a_slow_medium_is_noticed_within_seconds() {
        let mut predictor = after_batches(100);
        for _ in 0..10 {
            predictor.measured(256, Duration::from_millis(13), Duration::from_secs(1));
        }
        assert!(predictor.wait(0, None) > Duration::from_millis(850));
    }

    #[test]
    fn refusals_are_spread_and_never_invite_too_early() {
        let (predicted, longest) = (Duration::from_secs(14), Duration::from_secs(10));
        assert_eq!(retry_after(predicted, longest, 0), Duration::from_secs(4));
        assert_eq!(retry_after(predicted, longest, u32::MAX), Duration::from_secs(6));
        assert_eq!(retry_after(longest, longest, 0), Duration::from_secs(1));
        assert_eq!(retry_after_seconds(Duration::ZERO), 1);
        assert_eq!(retry_after_seconds(Duration::from_millis(4001)), 5);
    }
}
