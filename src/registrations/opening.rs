//! The opening time as the operator types it.

use crate::config::BadSettings;
use crate::store::{local_time, parse_local_time};

const DAY: i64 = 86_400_000;

const EXPECTED: &str = "a time such as 08:00, \"2026-09-01 08:00\" or 2026-09-01T08:00:00+02:00 is needed";

/// Milliseconds since 1970. A bare time of day is the next one that comes.
pub(super) fn parse(text: &str, now: i64) -> anyhow::Result<i64> {
    let text = text.trim();
    let is_time_of_day = text.len() <= 8 && text.contains(':') && !text.contains('-');
    let read = |date: &str| parse_local_time(&format!("{date}{text}"));
    let time = if is_time_of_day {
        // Tomorrow's date by the local clock, not 24 hours from now: a clock may change in between.
        let date = |time| Ok::<_, rusqlite::Error>(local_time(time)?[..10].to_owned() + " ");
        match read(&date(now)?)? {
            Some(time) if time <= now => read(&date(now + DAY)?)?,
            time => time,
        }
    } else if text.len() >= "2026-09-01".len() {
        read("")?
    } else {
        None // SQLite would read a bare number as a day since 4714 BC.
    };
    match time {
        None => Err(BadSettings::one(format!("--at {text:?}: {EXPECTED}")).into()),
        Some(time) if time <= now => Err(BadSettings::one(format!("--at {text:?} has passed")).into()),
        Some(time) => Ok(time),
    }
}
