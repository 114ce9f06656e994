//! From counters to rates: what changed since the reading before.

use std::time::{Duration, Instant};

/// Readings closer together than one tick of the kernel's 100 Hz counters say nothing about a rate.
const SHORTEST: Duration = Duration::from_millis(10);

/// The last reading of a set of counters.
#[derive(Debug)]
pub(super) struct Last<T>(Option<(Instant, T)>);

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Last<T> {
    /// Puts `value` in the place of the last reading and gives that one with the seconds since then.
    ///
    /// `None` for the first reading, and for one that follows too closely: then the older one stays.
    pub(super) fn replace(&mut self, now: Instant, value: T) -> Option<(T, f64)> {
        match &self.0 {
            Some((at, _)) if now.saturating_duration_since(*at) < SHORTEST => None,
            _ => self.0.replace((now, value)).map(|(at, last)| (last, (now - at).as_secs_f64())),
        }
    }
}

/// The growth of a counter per second; `None` when it was reset in between.
pub(super) fn per_second(before: u64, after: u64, seconds: f64) -> Option<f64> {
    Some(after.checked_sub(before)? as f64 / seconds)
}

/// Rounded to a tenth, which is exact enough for these values and short in JSON.
pub(super) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Bytes as MiB, to a tenth.
pub(super) fn mib(bytes: u64) -> f64 {
    tenth(bytes as f64 / (1024.0 * 1024.0))
}

/// `part` of `whole` in percent, to a tenth; 0 when there is no whole.
pub(super) fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { tenth(part / whole * 100.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_reading_before_and_the_seconds_between() {
        let start = Instant::now();
        let mut last = Last::default();
        assert_eq!(last.replace(start, 10), None);
        // Too close: dropped, 10 stays.
        assert_eq!(last.replace(start + Duration::from_millis(9), 11), None);
        let later = start + Duration::from_millis(500);
        assert_eq!(last.replace(later, 20), Some((10, 0.5)));
        assert_eq!(last.replace(later + Duration::from_secs(2), 30), Some((20, 2.0)));
    }

    #[test]
    fn a_counter_that_fell_has_no_rate() {
        assert_eq!(per_second(100, 300, 2.0), Some(100.0));
        assert_eq!(per_second(300, 100, 2.0), None);
    }

    #[test]
    fn rounds_to_tenths() {
        assert_eq!(Some(mib(1_572_864)), Some(1.5));
        assert_eq!(Some(percent(1.0, 3.0)), Some(33.3));
        assert_eq!(Some(percent(1.0, 0.0)), Some(0.0));
    }
}
