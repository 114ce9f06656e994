//! A coarse monotonic clock: what deadlines need, for a few nanoseconds a reading. Jumps of the wall clock do not move it.

use std::ops::Add;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A point in time with a resolution of one kernel tick (at most 10 ms behind).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(u64);

impl Moment {
    /// A time that does not come.
    pub const NEVER: Self = Self(u64::MAX);

    /// So many milliseconds after the clock's fixed point.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// The current time.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::MonotonicCoarse);
        Self((now.tv_sec as u64).wrapping_mul(1000).wrapping_add(now.tv_nsec as u64 / 1_000_000))
    }

    /// Milliseconds since an arbitrary fixed point.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to this moment; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Time from now until this moment; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.since(Self::now())
    }

    /// Whether this moment has come.
    pub fn has_passed(self) -> bool {
        Self::now() >= self
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Linux keeps this clock from every jump of the wall clock (`clock_gettime(2)`), so deadlines made of it are kept too.
    #[test]
    fn moments_are_those_of_the_monotonic_clock() {
        let reference = || u64::try_from(clock_gettime(ClockId::Monotonic).tv_sec).unwrap() * 1000;
        let (before, now, after) = (reference(), Moment::now().millis(), reference());
        assert!((before.saturating_sub(20)..after + 1020).contains(&now), "{before} {now} {after}");
        assert_eq!(
            (Moment::from_millis(5).since(Moment::from_millis(9)), Moment::NEVER + Duration::MAX),
            (Duration::ZERO, Moment::NEVER)
        );
    }

    /// What serves connections reads no other clock: neither deadlines nor work can be moved by one.
    #[test]
    fn serving_reads_no_wall_clock() {
        fn read(folder: &Path, found: &mut Vec<String>) {
            for entry in folder.read_dir().unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    read(&path, found);
                } else {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let wall = ["SystemTime", "ClockId::Realtime", "UNIX_EPOCH"];
                    found.extend(wall.iter().filter(|name| text.contains(**name)).map(|_| path.display().to_string()));
                }
            }
        }
        let mut found = Vec::new();
        for folder in ["server", "engine", "http"] {
            read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder), &mut found);
        }
        // The Date field.
        assert!(found.iter().all(|path| path.ends_with("http/date.rs")), "{found:?}");
    }
}
