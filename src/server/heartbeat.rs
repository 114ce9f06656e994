//! Signs of life of an engine's threads and workers, for the watchdog.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Moment;

/// How often each one beats.
pub(crate) const INTERVAL: Duration = Duration::from_millis(400);

/// The beats of one server's threads and workers.
#[derive(Default)]
pub(crate) struct Heartbeats(Mutex<Vec<(String, Beat)>>);

/// The beat of one of them.
#[derive(Clone)]
pub(crate) struct Beat(Arc<AtomicU64>);

impl Heartbeats {
    /// Adds one that has just beaten.
    pub(crate) fn register(&self, name: impl Into<String>) -> Beat {
        let beat = Beat(Arc::new(AtomicU64::new(Moment::now().millis())));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name.into(), beat.clone()));
        beat
    }

    /// Names those that have not beaten for longer than `max_age`.
    pub(crate) fn check(&self, max_age: Duration) -> Result<(), String> {
        let now = Moment::now().millis();
        let beats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let late: Vec<String> = beats
            .iter()
            .map(|(name, beat)| (name, now.saturating_sub(beat.0.load(Relaxed))))
            .filter(|(_, age)| u128::from(*age) > max_age.as_millis())
            .map(|(name, age)| format!("{name} silent for {age} ms"))
            .collect();
        if late.is_empty() { Ok(()) } else { Err(late.join(", ")) }
    }
}

impl Beat {
    /// Still alive.
    pub(crate) fn beat(&self) {
        self.0.store(Moment::now().millis(), Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_those_that_are_silent() {
        let heartbeats = Heartbeats::default();
        let (quick, slow) = (heartbeats.register("quick"), heartbeats.register("slow"));
        assert_eq!(heartbeats.check(INTERVAL), Ok(()));
        slow.0.store(Moment::now().millis().saturating_sub(5000), Relaxed);
        quick.beat();
        let report = heartbeats.check(INTERVAL).unwrap_err();
        assert!(report.starts_with("slow silent for 5") && !report.contains("quick"), "{report}");
    }
}
