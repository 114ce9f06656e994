//! Incidents: when one begins, when it is over, and who reports it. Pure: the time is an argument.

use std::fmt;
use std::time::{Duration, Instant};

/// For so long the cause must be gone before an incident is over.
const CALM: Duration = Duration::from_secs(10);

/// An incident that comes again is not reported again for so long after it was.
const REPEAT: Duration = Duration::from_secs(300);

/// An incident of the board is reported by one of its engines; the others count it as reported after so long.
const BY_ANOTHER: Duration = Duration::from_secs(10);

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The supply voltage is too low.
    UnderVoltage,
    /// The firmware slows the board down.
    Throttled,
    /// Hardly any space is left where registrations are kept.
    DiskFull,
    /// Another engine of this board does not answer.
    Down(String),
    /// Nearly as many connections as this engine holds.
    Connections,
    /// Registrations are refused, as the database fails.
    Breaker,
}

impl Kind {
    /// Whether every engine of the board sees it.
    pub(super) fn is_of_board(&self) -> bool {
        !matches!(self, Self::Connections | Self::Breaker)
    }

    /// For how long it must last to be an incident. An engine that systemd starts again answers after some seconds.
    fn patience(&self) -> Duration {
        Duration::from_secs(match self {
            Self::Down(_) => 15,
            Self::Throttled | Self::Connections | Self::Breaker => 5,
            Self::UnderVoltage | Self::DiskFull => 2,
        })
    }

    /// What is wrong, and what to do about it.
    pub(super) fn advice(&self) -> &'static str {
        match self {
            Self::UnderVoltage => {
                "The supply voltage is below 4.63 V. Use the board's own power supply and a short cable."
            }
            Self::Throttled => "The firmware slows the board down because of its heat or its power supply. Cool it.",
            Self::DiskFull => "Less than 5 % of the disk with the registrations is free. Delete what is not needed.",
            Self::Down(_) => "It does not answer. Look at its log: journalctl -u 'fastgo@*' -n 50",
            Self::Connections => "95 % of its connections are in use. Further ones will be refused.",
            Self::Breaker => "The registration database fails, and registrations are refused. Look at the log.",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnderVoltage => formatter.write_str("under-voltage"),
            Self::Throttled => formatter.write_str("throttled"),
            Self::DiskFull => formatter.write_str("disk nearly full"),
            Self::Down(engine) => write!(formatter, "{engine} is down"),
            Self::Connections => formatter.write_str("near the connection limit"),
            Self::Breaker => formatter.write_str("registrations refused"),
        }
    }
}

/// What is to be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The incident has begun.
    Begun,
    /// It is over, after this time.
    Over(Duration),
}

/// One kind of incident over time.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) kind: Kind,
    /// Since when the cause has been there without a pause of [`CALM`], and when it was seen last.
    cause: Option<(Instant, Instant)>,
    /// It was reported, by this process or another.
    is_reported: bool,
    reported_at: Option<Instant>,
}

impl Incident {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, cause: None, is_reported: false, reported_at: None }
    }

    /// The cause is there or not at `now`. Gives what is to be reported, if this process is the one that `reports`.
    pub(super) fn observe(&mut self, is_there: bool, now: Instant, reports: bool) -> Option<Event> {
        let Some((since, last)) = &mut self.cause else {
            self.cause = is_there.then_some((now, now));
            return self.begin(now, reports);
        };
        if is_there {
            *last = now;
            return self.begin(now, reports);
        }
        let (since, last) = (*since, *last);
        // What did not last long enough is no incident, and a pause in it starts it over.
        if self.is_reported && now.duration_since(last) < CALM {
            return None;
        }
        self.cause = None;
        let was_reported = std::mem::take(&mut self.is_reported);
        (was_reported && reports).then(|| Event::Over(last.duration_since(since)))
    }

    fn begin(&mut self, now: Instant, reports: bool) -> Option<Event> {
        let lasts = now.duration_since(self.cause?.0);
        let is_repeated = self.reported_at.is_some_and(|at| now.duration_since(at) < REPEAT);
        let due = self.kind.patience() + if reports { Duration::ZERO } else { BY_ANOTHER };
        if self.is_reported || is_repeated || lasts < due {
            return None;
        }
        self.is_reported = true;
        self.reported_at = Some(now);
        reports.then_some(Event::Begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is reported at which second, when the cause is there in these seconds.
    fn reports(
        kind: Kind,
        seconds: u64,
        is_there: impl Fn(u64) -> bool,
        reports: impl Fn(u64) -> bool,
    ) -> Vec<(u64, Event)> {
        let (mut incident, start) = (Incident::new(kind), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let observe = |second| Some((second, incident.observe(is_there(second), at(second), reports(second))?));
        (0..seconds).filter_map(observe).collect()
    }

    const fn over(seconds: u64) -> Event {
        Event::Over(Duration::from_secs(seconds))
    }

    #[test]
    fn one_that_lasts_is_reported_once_with_its_end() {
        let seen = reports(Kind::Down("may".into()), 200, |second| (20..80).contains(&second), |_| true);
        assert_eq!(seen, [(35, Event::Begun), (89, over(59))]);
    }

    #[test]
    fn one_that_is_over_soon_is_none() {
        assert_eq!(reports(Kind::Down("may".into()), 100, |second| (20..34).contains(&second), |_| true), []);
    }

    #[test]
    fn one_that_comes_and_goes_is_one_and_is_not_reported_again_soon() {
        let flapping = |second| second < 300 && second % 4 < 3;
        assert_eq!(reports(Kind::UnderVoltage, 400, flapping, |_| true), [(2, Event::Begun), (308, over(298))]);
        let often = |second| second < 1000 && second % 40 < 20;
        let seen = reports(Kind::UnderVoltage, 1100, often, |_| true);
        let begun: Vec<_> = seen.iter().filter(|(_, event)| *event == Event::Begun).map(|(at, _)| *at).collect();
        assert_eq!(begun, [2, 322, 642, 962]);
        assert_eq!(seen.len(), 2 * begun.len(), "each has its end: {seen:?}");
    }

    #[test]
    fn one_of_several_processes_reports_it_and_another_may_report_its_end() {
        let there = |second| (0..60).contains(&second);
        assert_eq!(reports(Kind::Throttled, 100, there, |_| false), []);
        // The one that reports dies before it could.
        assert_eq!(reports(Kind::Throttled, 100, there, |second| second > 10)[0], (11, Event::Begun));
        // It dies after it has.
        assert_eq!(reports(Kind::Throttled, 100, there, |second| second > 30), [(69, over(59))]);
    }
}
