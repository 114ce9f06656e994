//! The wall clock in milliseconds, and numbers that spread retries.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A time in milliseconds since 1970 as RFC 3339 in UTC, e.g. `2026-09-01T06:00:00.250Z`.
pub fn rfc3339(time: i64) -> String {
    // The format ends with the year 9999.
    let time = Duration::from_millis(time.clamp(0, 253_402_300_799_999) as u64);
    humantime::format_rfc3339_millis(UNIX_EPOCH + time).to_string()
}

/// A different number on each call.
pub(super) fn spread() -> u32 {
    RandomState::new().hash_one(()) as u32
}
