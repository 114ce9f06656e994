//! The settings that a reload changes while the server runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Work;
use crate::http::{Limits, Timeouts};

/// The variables of these settings.
pub const LIVE: [&str; 10] = [
    "MAX_CONNECTIONS",
    "READ_TIMEOUT",
    "WRITE_TIMEOUT",
    "IDLE_TIMEOUT",
    "SHUTDOWN_TIMEOUT",
    "MAX_HEADER_BYTES",
    "MAX_BODY_BYTES",
    "WORK",
    "LOG",
    "METRICS_LOG_INTERVAL",
];

/// Their values, but for the log filter, which the log has. All clones share them, and reading one is a plain load.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<[AtomicU64; COUNT]>);

/// Where each value is.
#[derive(Clone, Copy)]
enum Value {
    Connections,
    Read,
    Write,
    Idle,
    Shutdown,
    HeadBytes,
    BodyBytes,
    Work,
    LogInterval,
}

const COUNT: usize = Value::LogInterval as usize + 1;

impl Live {
    /// Takes over every value of `other`.
    pub fn copy(&self, other: &Self) {
        for (own, new) in self.0.iter().zip(&*other.0) {
            own.store(new.load(Relaxed), Relaxed);
        }
    }

    /// Connections held at once.
    pub fn max_connections(&self) -> usize {
        self.get(Value::Connections) as usize
    }

    /// What requests and connections have time for.
    pub fn timeouts(&self) -> Timeouts {
        Timeouts {
            read: self.duration(Value::Read),
            write: self.duration(Value::Write),
            idle: self.duration(Value::Idle),
        }
    }

    /// For requests in flight after a signal to stop.
    pub fn shutdown_timeout(&self) -> Duration {
        self.duration(Value::Shutdown)
    }

    /// Sizes that a request may not exceed.
    pub fn limits(&self) -> Limits {
        Limits { max_head_bytes: self.get(Value::HeadBytes) as usize, max_body_bytes: self.get(Value::BodyBytes) }
    }

    /// What a request to `/` costs.
    pub fn work(&self) -> Work {
        let value = self.get(Value::Work);
        let time = Duration::from_nanos(value >> 2);
        match value & 3 {
            1 => Work::Sleep(time),
            2 => Work::Cpu(time),
            _ => Work::None,
        }
    }

    /// Between METRICS log lines; zero for none.
    pub fn metrics_log_interval(&self) -> Duration {
        self.duration(Value::LogInterval)
    }

    /// Sets [`Self::max_connections`].
    pub fn set_max_connections(&self, most: usize) {
        self.set(Value::Connections, most as u64);
    }

    pub(super) fn set_read_timeout(&self, time: Duration) {
        self.set_duration(Value::Read, time);
    }

    pub(super) fn set_write_timeout(&self, time: Duration) {
        self.set_duration(Value::Write, time);
    }

    pub(super) fn set_idle_timeout(&self, time: Duration) {
        self.set_duration(Value::Idle, time);
    }

    pub(super) fn set_shutdown_timeout(&self, time: Duration) {
        self.set_duration(Value::Shutdown, time);
    }

    pub(super) fn set_max_head_bytes(&self, bytes: usize) {
        self.set(Value::HeadBytes, bytes as u64);
    }

    pub(super) fn set_max_body_bytes(&self, bytes: u64) {
        self.set(Value::BodyBytes, bytes);
    }

    pub(super) fn set_work(&self, work: Work) {
        // An hour at most has fewer than 2⁴² nanoseconds.
        let encoded = |kind, time: Duration| (time.as_nanos() as u64) << 2 | kind;
        self.set(
            Value::Work,
            match work {
                Work::None => 0,
                Work::Sleep(time) => encoded(1, time),
                Work::Cpu(time) => encoded(2, time),
            },
        );
    }

    pub(super) fn set_metrics_log_interval(&self, time: Duration) {
        self.set_duration(Value::LogInterval, time);
    }

    fn get(&self, value: Value) -> u64 {
        self.0[value as usize].load(Relaxed)
    }

    fn set(&self, value: Value, number: u64) {
        self.0[value as usize].store(number, Relaxed);
    }

    fn duration(&self, value: Value) -> Duration {
        Duration::from_nanos(self.get(value))
    }

    /// A day at most has fewer than 2⁴⁷ nanoseconds.
    fn set_duration(&self, value: Value, time: Duration) {
        self.set(value, time.as_nanos() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EngineKind, SETTINGS, Settings};
    use super::*;

    #[test]
    fn work_is_kept_as_it_was_set() {
        let live = Live::default();
        for work in [Work::Sleep(Duration::from_secs(3600)), Work::Cpu(Duration::from_nanos(1)), Work::None] {
            live.set_work(work);
            assert_eq!(live.work(), work);
        }
    }

    #[test]
    fn every_setting_that_a_reload_changes_reaches_all_clones() {
        let config = Settings::default().resolve(EngineKind::MAY, 0).unwrap();
        let shared = config.clone();
        for name in LIVE.into_iter().filter(|name| *name != "LOG") {
            let row = SETTINGS.iter().find(|row| row.env == name).expect(name);
            let new = Settings::default().with(name, row.good[0]).resolve(EngineKind::MAY, 0).unwrap();
            assert_ne!(format!("{:?}", config.live), format!("{:?}", new.live), "{name}");
            config.live.copy(&new.live);
            assert_eq!(format!("{:?}", shared.live), format!("{:?}", new.live), "{name}");
        }
    }
}
