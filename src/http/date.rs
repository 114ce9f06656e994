//! The wall clock as HTTP and JSON write it, formatted at most once a second on each thread.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// One second's worth of formatted time.
struct Stamp {
    second: u64,
    http_date: [u8; 29],
    rfc3339: [u8; 20],
}

thread_local! {
    static STAMP: RefCell<Stamp> = const {
        RefCell::new(Stamp { second: u64::MAX, http_date: [0; 29], rfc3339: [0; 20] })
    };
}

/// The current time as an IMF-fixdate (RFC 9110 §5.6.7), for the `Date` header.
pub fn http_date() -> [u8; 29] {
    with_stamp(|stamp| stamp.http_date)
}

/// The current time as RFC 3339 in UTC with whole seconds, e.g. `2026-01-31T12:00:00Z`.
pub fn rfc3339_now() -> [u8; 20] {
    with_stamp(|stamp| stamp.rfc3339)
}

/// Never inlined: a coroutine may continue on another thread, and a compiler that inlined this into it could reuse the
/// address of the first thread's stamp.
#[inline(never)]
fn with_stamp<T>(read: impl FnOnce(&Stamp) -> T) -> T {
    // The coarse clock costs a few nanoseconds and is behind by one kernel tick at most.
    let second = u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or(0);
    STAMP.with_borrow_mut(|stamp| {
        if stamp.second != second {
            let now = UNIX_EPOCH + Duration::from_secs(second);
            stamp.second = second;
            stamp.http_date = formatted(&httpdate::fmt_http_date(now));
            stamp.rfc3339 = formatted(&rfc3339(now));
        }
        read(stamp)
    })
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Fixed-width copy; both formats have a constant length for every year from 0000 to 9999.
fn formatted<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [b' '; N];
    let length = text.len().min(N);
    bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_name_the_current_second() {
        let now = SystemTime::now();
        let date = http_date();
        let parsed = httpdate::parse_http_date(std::str::from_utf8(&date).unwrap()).unwrap();
        assert!(now.duration_since(parsed).unwrap_or_default() < Duration::from_secs(2));
        let stamp = rfc3339_now();
        let parsed = humantime::parse_rfc3339(std::str::from_utf8(&stamp).unwrap()).unwrap();
        assert!(now.duration_since(parsed).unwrap_or_default() < Duration::from_secs(2));
    }
}
