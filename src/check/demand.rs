//! What a registration day needs at its peak, from the number of students and the time.

use std::time::Duration;

/// Requests that a student's browser sends: page, form, registration, receipt.
pub(super) const REQUESTS_PER_STUDENT: f64 = 4.0;

/// The share of the students who come in the first share of the time, because registration has just opened.
pub(super) const EARLY_STUDENTS: f64 = 0.5;
pub(super) const EARLY_TIME: f64 = 0.1;

/// A browser keeps its connection open for about this long.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// The load at the peak.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Demand {
    pub(super) students: usize,
    pub(super) window: Duration,
    /// Requests a second.
    pub(super) rate: f64,
    /// Connections open at once.
    pub(super) connections: usize,
}

impl Demand {
    pub(super) fn of(students: usize, window: Duration) -> Self {
        let arrivals = students as f64 * EARLY_STUDENTS / (window.as_secs_f64() * EARLY_TIME);
        let connections = (arrivals * KEEP_ALIVE.as_secs_f64()).ceil() as usize;
        let rate = arrivals * REQUESTS_PER_STUDENT;
        Self { students, window, rate, connections: connections.clamp(1, students) }
    }

    /// The time in which to open the connections: no faster than requests come at `factor` times the peak, within
    /// bounds that keep the check short.
    pub(super) fn ramp(&self, factor: u32) -> Duration {
        let seconds = self.connections as f64 / (self.rate * f64::from(factor));
        Duration::from_secs_f64(seconds.clamp(1.0, 15.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_students_come_in_the_first_tenth_of_the_time() {
        let demand = Demand::of(1_200, Duration::from_secs(300));
        // 600 students in 30 s, four requests each.
        assert_eq!((demand.rate, demand.connections), (80.0, 1_200));
        assert_eq!((demand.ramp(1), demand.ramp(4)), (Duration::from_secs(15), Duration::from_secs_f64(3.75)));
        // 15 students in 360 s: a connection of each is gone long before the last one comes.
        let calm = Demand::of(30, Duration::from_secs(3600));
        assert_eq!(calm.connections, 3);
        assert_eq!(Demand::of(1, Duration::from_secs(86_400)).connections, 1);
    }
}
