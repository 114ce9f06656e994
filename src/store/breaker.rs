//! A circuit breaker: after a failure nothing is tried until one probe has succeeded. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// The first probe comes this soon after a failure.
const FIRST: Duration = Duration::from_millis(250);

/// Probes never come further apart. A probe costs one small write, so the store is back soon after its medium is.
const LONGEST: Duration = Duration::from_millis(1000);

/// Whether commands go to the store, and when it is probed while they do not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Breaker(Option<Open>);

#[derive(Debug, Clone, Copy)]
struct Open {
    probe_at: Instant,
    pause: Duration,
    probing: bool,
}

/// The state by the names that the field uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// Commands go to the store.
    #[default]
    Closed,
    /// Commands are refused.
    Open,
    /// Commands are refused, and one probe is under way.
    HalfOpen,
}

impl State {
    /// The name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

impl Breaker {
    /// The state.
    pub fn state(&self) -> State {
        match self.0 {
            None => State::Closed,
            Some(open) if open.probing => State::HalfOpen,
            Some(_) => State::Open,
        }
    }

    /// How long until the next probe; `None` when commands go to the store.
    pub fn retry_after(&self, now: Instant) -> Option<Duration> {
        self.0.map(|open| open.probe_at.saturating_duration_since(now))
    }

    /// Whether to probe now; if so, the probe counts as under way until its outcome is reported.
    pub fn start_probe(&mut self, now: Instant) -> bool {
        match &mut self.0 {
            Some(open) if !open.probing && open.probe_at <= now => {
                open.probing = true;
                true
            }
            _ => false,
        }
    }

    /// A command or the probe was carried out.
    pub fn succeeded(&mut self) {
        self.0 = None;
    }

    /// A command or the probe failed.
    pub fn failed(&mut self, now: Instant) {
        let pause = self.0.map_or(FIRST, |open| (open.pause * 2).min(LONGEST));
        self.0 = Some(Open { probe_at: now + pause, pause, probing: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_probe_at_growing_intervals_until_it_succeeds() {
        let start = Instant::now();
        let mut breaker = Breaker::default();
        assert_eq!((breaker.state(), breaker.retry_after(start)), (State::Closed, None));
        assert!(!breaker.start_probe(start), "nothing to probe while closed");

        let mut now = start;
        breaker.failed(now);
        for pause in [250, 500, 1000, 1000, 1000] {
            let pause = Duration::from_millis(pause);
            assert_eq!((breaker.state(), breaker.retry_after(now)), (State::Open, Some(pause)));
            assert!(!breaker.start_probe(now + pause.mul_f64(0.99)));
            now += pause;
            assert!(breaker.start_probe(now));
            assert_eq!(breaker.state(), State::HalfOpen);
            assert!(!breaker.start_probe(now), "one at a time");
            breaker.failed(now);
        }
        now += LONGEST;
        assert!(breaker.start_probe(now));
        breaker.succeeded();
        assert_eq!((breaker.state(), breaker.retry_after(now)), (State::Closed, None));
        breaker.failed(now);
        assert_eq!(breaker.retry_after(now), Some(FIRST), "the pauses start again");
    }
}
