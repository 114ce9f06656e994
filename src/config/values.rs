//! The kinds of values that settings have, and how bad ones are collected.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};

use super::{BadSettings, given};

/// What a request to `/` costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    None,
    /// Waiting, as for a database.
    Sleep(Duration),
    /// Hashing for this much CPU time.
    Cpu(Duration),
}

impl Work {
    /// `none`, `sleep:DURATION` or `cpu:DURATION`, up to an hour.
    pub fn parse(text: &str) -> Option<Self> {
        let bounded = |text| duration(text).filter(|time| *time <= Duration::from_secs(3600));
        match text.split_once(':') {
            None if text == "none" => Some(Self::None),
            Some(("sleep", time)) => bounded(time).map(Self::Sleep),
            Some(("cpu", time)) => bounded(time).map(Self::Cpu),
            _ => None,
        }
    }
}

impl fmt::Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("none"),
            Self::Sleep(time) => write!(formatter, "sleep:{}", compact(*time)),
            Self::Cpu(time) => write!(formatter, "cpu:{}", compact(*time)),
        }
    }
}

/// A duration as one would type it: `1m30s`, `100ms`.
fn compact(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// `15s`, `250ms`, `1m`; a bare `0` is allowed, a bare number otherwise is not.
pub(super) fn duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text).ok()
}

/// `16KiB`, `1MiB`, `4096`.
pub(super) fn bytes(text: &str) -> Option<u64> {
    text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64())
}

/// `info`, `warn,fastgo=debug` and the like: a level for everything, and levels for targets by their prefix.
pub(super) fn log_filter(text: &str) -> Option<Targets> {
    // `Targets` would take a misspelt level for the name of a target.
    let is_level = |directive: &str| {
        let level = directive.split_once('=').map_or(directive, |(_, level)| level).trim();
        !level.is_empty() && level.parse::<LevelFilter>().is_ok()
    };
    if text.split(',').all(is_level) { text.parse().ok() } else { None }
}

/// Collects what is wrong while every setting is read.
#[derive(Default)]
pub(super) struct Problems(Vec<String>);

impl Problems {
    pub(super) fn add(&mut self, flag: &str, value: Option<&str>, expected: &str) {
        self.0.push(format!("{flag} {:?}: {expected}", value.unwrap_or_default()));
    }

    /// `value` read by `read`, or the default; a value that `read` refuses is noted.
    pub(super) fn parse<T>(
        &mut self,
        flag: &str,
        value: Option<&str>,
        default: impl FnOnce() -> T,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        match given(value).map(read) {
            None => default(),
            Some(Some(value)) => value,
            Some(None) => {
                self.add(flag, value, &format!("must be {expected}"));
                default()
            }
        }
    }

    /// As [`Self::parse`], for values that have an order and a range.
    pub(super) fn within<T: PartialOrd>(
        &mut self,
        flag: &str,
        value: Option<&str>,
        default: T,
        read: fn(&str) -> Option<T>,
        range: &RangeInclusive<T>,
        expected: &str,
    ) -> T {
        self.parse(flag, value, || default, expected, |text| read(text).filter(|value| range.contains(value)))
    }

    pub(super) fn number(
        &mut self,
        flag: &str,
        value: Option<&str>,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        self.within(flag, value, default, |text| text.parse().ok(), &range, &expected)
    }

    pub(super) fn finish(self) -> Result<(), BadSettings> {
        if self.0.is_empty() { Ok(()) } else { Err(BadSettings(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_reads_what_it_writes() {
        for text in ["none", "sleep:100ms", "cpu:1s", "sleep:1m30s"] {
            assert_eq!(Work::parse(text).unwrap().to_string(), text);
        }
        for text in ["", "sleep", "sleep:", "cpu:2h", "nap:1s", "sleep:-1s", "None"] {
            assert_eq!(Work::parse(text), None, "{text}");
        }
    }

    #[test]
    fn log_filters_are_levels_and_targets_with_levels() {
        for good in ["info", "debug", "WARN", "off", "fastgo=debug", "warn,fastgo=debug, hyper=trace"] {
            assert!(log_filter(good).is_some(), "{good}");
        }
        for bad in ["", "inof", "fastgo", "fastgo=loud", "info,", "=debug=x"] {
            assert!(log_filter(bad).is_none(), "{bad}");
        }
        let targets = log_filter("warn,fastgo=debug").unwrap();
        assert!(targets.would_enable("fastgo::engine", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("hyper", &tracing::Level::INFO));
    }

    #[test]
    fn sizes_and_durations() {
        assert_eq!(
            (bytes("16KiB"), bytes("1MiB"), bytes("4096"), bytes("x")),
            (Some(16_384), Some(1 << 20), Some(4096), None)
        );
        assert_eq!(
            (duration("250ms"), duration("1m"), duration("15")),
            (Some(Duration::from_millis(250)), Some(Duration::from_secs(60)), None)
        );
    }
}
