//! Latencies of `/` in a high-dynamic-range histogram: percentiles exact to three significant digits.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Anything slower is counted as this, 10 minutes in microseconds.
const HIGHEST: u64 = 600_000_000;

/// Upper bounds, in microseconds, of the buckets that Prometheus sees.
pub(super) const BUCKETS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 15_000_000,
];

/// A histogram of durations with microsecond resolution.
pub(super) struct Latencies {
    histogram: Histogram<u64>,
    sum: Duration,
}

/// The percentiles that `/metrics` shows, in milliseconds; they mean nothing when nothing was recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct LatencySummary {
    pub count: u64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, HIGHEST, 3).expect("constant bounds are valid");
        Self { histogram, sum: Duration::ZERO }
    }
}

impl Latencies {
    /// Counts one request.
    pub(super) fn record(&mut self, latency: Duration) {
        self.histogram.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(HIGHEST));
        self.sum += latency;
    }

    /// Moves everything into `other`.
    pub(super) fn drain_into(&mut self, other: &mut Self) {
        if !self.histogram.is_empty() {
            other.add(self);
            self.clear();
        }
    }

    /// Adds a copy of `other`.
    pub(super) fn add(&mut self, other: &Self) {
        self.histogram.add(&other.histogram).expect("all histograms have the same bounds");
        self.sum += other.sum;
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.histogram.reset();
        self.sum = Duration::ZERO;
    }

    /// The durations in microseconds.
    pub(super) fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    pub(super) fn summary(&self) -> LatencySummary {
        if self.histogram.is_empty() {
            return LatencySummary::default();
        }
        let at = |quantile| self.histogram.value_at_quantile(quantile) as f64 / 1000.0;
        LatencySummary {
            count: self.histogram.len(),
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            max: self.histogram.max() as f64 / 1000.0,
        }
    }

    /// Cumulative counts for [`BUCKETS_US`], then the whole count and the sum.
    pub(super) fn cumulative(&self) -> Cumulative {
        let mut counts = [0; BUCKETS_US.len()];
        for value in self.histogram.iter_recorded() {
            let fits = BUCKETS_US
                .partition_point(|&bound| bound < self.histogram.lowest_equivalent(value.value_iterated_to()));
            if let Some(count) = counts.get_mut(fits) {
                *count += value.count_since_last_iteration();
            }
        }
        let mut sum = 0;
        for count in &mut counts {
            sum += *count;
            *count = sum;
        }
        Cumulative { counts, count: self.histogram.len(), sum: self.sum }
    }
}

/// A histogram in the form of Prometheus.
#[derive(Debug, Clone, Default)]
pub(super) struct Cumulative {
    pub(super) counts: [u64; BUCKETS_US.len()],
    pub(super) count: u64,
    pub(super) sum: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_set() {
        let mut latencies = Latencies::default();
        for millis in 1..=1000 {
            latencies.record(Duration::from_millis(millis));
        }
        let summary = latencies.summary();
        for (value, expected) in [
            (summary.p50, 500.0),
            (summary.p90, 900.0),
            (summary.p95, 950.0),
            (summary.p99, 990.0),
            (summary.p999, 999.0),
            (summary.max, 1000.0),
        ] {
            assert!((value - expected).abs() / expected < 0.001, "{value} for {expected}");
        }
        let cumulative = latencies.cumulative();
        assert_eq!((cumulative.count, cumulative.sum), (1000, Duration::from_millis(500_500)));
        assert_eq!(cumulative.counts[9], 100, "100 requests took 100 ms or less");
    }

    #[test]
    fn draining_moves_everything() {
        let (mut from, mut into) = (Latencies::default(), Latencies::default());
        from.record(Duration::from_secs(3600));
        from.drain_into(&mut into);
        assert_eq!((from.summary().count, into.summary().count), (0, 1));
    }
}
