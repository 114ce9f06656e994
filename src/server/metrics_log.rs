//! The METRICS line: the state of the server, logged every `METRICS_LOG_INTERVAL`.

use std::time::{Duration, Instant};

use crate::app::App;

/// Half a sample's time: keeps an interval of 5 s from becoming 6 s.
const TOLERANCE: Duration = Duration::from_millis(500);

/// When the last line was written.
pub(crate) struct MetricsLog {
    written: Instant,
}

impl MetricsLog {
    pub(crate) fn new() -> Self {
        Self { written: Instant::now() }
    }

    /// Writes a line when `METRICS_LOG_INTERVAL` has passed since the last; called after each sample.
    pub(crate) fn write_if_due(&mut self, app: &App) {
        let interval = app.config.live.metrics_log_interval();
        if !interval.is_zero() && self.written.elapsed() + TOLERANCE >= interval {
            self.written = Instant::now();
            tracing::info!(event = "metrics", "{}", app.metrics.read().log_line());
        }
    }
}
