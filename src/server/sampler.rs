//! The once-a-second sample: measured, added to the history, streamed, and logged every `METRICS_LOG_INTERVAL`.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::heartbeat::Beat;
use super::{MetricsLog, Server};

/// Between two samples.
const INTERVAL: Duration = Duration::from_secs(1);

/// The sampler's thread.
pub(super) fn run(server: &'static Server, beat: &Beat) {
    let mut log = MetricsLog::new();
    let mut next = Instant::now() + INTERVAL;
    loop {
        while let Some(left) = next.checked_duration_since(Instant::now()) {
            sleep(left.min(super::heartbeat::INTERVAL));
            beat.beat();
        }
        // A machine that slept does not make up for the seconds it missed.
        next = (next + INTERVAL).max(Instant::now() + INTERVAL / 2);
        server.streams.publish(server.app.sample());
        if let Some(courses) = server.app.course_changes() {
            server.streams.publish(courses);
        }
        log.write_if_due(&server.app);
        beat.beat();
    }
}
