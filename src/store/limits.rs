//! Rate limits for very many students and addresses in a fixed amount of memory.
//!
//! A token bucket needs one number: the time at which it will be full again (the "theoretical arrival time" of the
//! generic cell rate algorithm). A table holds 65,536 of them in 512 KiB and never grows. A name is looked for in a set
//! of eight slots, chosen by a hash with a random seed; a newcomer takes the slot that is full soonest, so under an attack
//! with very many names some buckets are forgotten, which is lenient, and no name is charged for another's requests.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Slots that one name may be in.
const WAYS: usize = 8;

/// Sets of slots.
const SETS: usize = 65_536 / WAYS;

/// Bits of a slot that hold the time, in units of 2⁻¹⁰ ms: 13 days. The others hold a part of the name's hash.
const TIME_BITS: u32 = 40;

const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// So many requests a second, and so many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Requests a second in the long run.
    pub per_second: f64,
    /// Requests at once.
    pub burst: u32,
}

/// Keeps each name to a [`Rate`].
pub struct Limiter {
    /// Units that one request costs.
    cost: u64,
    /// Units that a bucket holds.
    capacity: u64,
    slots: Box<[AtomicU64]>,
    hasher: RandomState,
    started: Instant,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cost, capacity, .. } = self;
        formatter.debug_struct("Limiter").field("cost", cost).field("capacity", capacity).finish_non_exhaustive()
    }
}

impl Limiter {
    /// A limiter without any bucket yet.
    pub fn new(rate: Rate) -> Self {
        let cost = (units(Duration::from_secs(1)) as f64 / rate.per_second).round().max(1.0) as u64;
        let slots = (0..SETS * WAYS).map(|_| AtomicU64::new(0)).collect();
        let capacity = cost.saturating_mul(rate.burst.into()).min(TIME_MASK / 4);
        Self { cost, capacity, slots, hasher: RandomState::new(), started: Instant::now() }
    }

    /// Counts a request of `name`; `Err` with the time until the next one is allowed.
    pub fn check(&self, name: &(impl Hash + ?Sized), now: Instant) -> Result<(), Duration> {
        // Time begins after one capacity, so that an unused slot, which is zero, is a full bucket.
        let now = units(now.saturating_duration_since(self.started)) + self.capacity + 1;
        let hash = self.hasher.hash_one(name);
        let tag = hash & !TIME_MASK;
        let set = &self.slots[(hash as usize % SETS) * WAYS..][..WAYS];
        loop {
            let slot = self.find(set, tag, now);
            let seen = slot.load(Relaxed);
            // Another thread may have given it to another name meanwhile; then this name is new there.
            let missing = if seen & !TIME_MASK == tag { self.missing(seen, now) } else { 0 } + self.cost;
            if missing > self.capacity {
                return Err(duration(missing - self.capacity));
            }
            let full_at = (now + missing) & TIME_MASK;
            if slot.compare_exchange_weak(seen, tag | full_at, Relaxed, Relaxed).is_ok() {
                return Ok(());
            }
        }
    }

    /// The slot of `tag`, or else the one whose bucket misses least.
    fn find<'a>(&self, set: &'a [AtomicU64], tag: u64, now: u64) -> &'a AtomicU64 {
        let mut best = (&set[0], u64::MAX);
        for slot in set {
            let seen = slot.load(Relaxed);
            if seen & !TIME_MASK == tag {
                return slot;
            }
            let missing = self.missing(seen, now);
            if missing < best.1 {
                best = (slot, missing);
            }
        }
        best.0
    }

    /// Units that a bucket misses. Time wraps around, and then what was full in the past seems to be full far in the
    /// future: further than a bucket can miss.
    fn missing(&self, slot: u64, now: u64) -> u64 {
        let missing = slot.wrapping_sub(now) & TIME_MASK;
        if missing > self.capacity { 0 } else { missing }
    }
}

fn units(time: Duration) -> u64 {
    (time.as_nanos() * 1024 / 1_000_000) as u64
}

fn duration(units: u64) -> Duration {
    Duration::from_nanos((u128::from(units) * 1_000_000 / 1024) as u64)
}

/// The name of a client address: an IPv4 address, or the /64 of an IPv6 address, which one household has.
pub fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let limiter = Limiter::new(Rate { per_second: 5.0, burst: 10 });
        let start = limiter.started;
        let allowed = |at| (0..100).take_while(|_| limiter.check("anna", at).is_ok()).count();
        assert_eq!(allowed(start), 10);
        let wait = limiter.check("anna", start).unwrap_err();
        assert!((195..=200).contains(&wait.as_millis()), "{wait:?}");
        assert!(limiter.check("anna", start + wait + Duration::from_millis(1)).is_ok());
        assert_eq!(allowed(start + Duration::from_secs(1)), 4);
        assert_eq!(allowed(start + Duration::from_secs(100)), 10, "a pause fills the bucket, and no further");
        assert!(limiter.check("ben", start).is_ok(), "others are not concerned");
    }

    #[test]
    fn two_thousand_students_do_not_disturb_each_other() {
        let limiter = Limiter::new(Rate { per_second: 5.0, burst: 10 });
        let now = limiter.started;
        for _ in 0..10 {
            for student in 0..2000 {
                assert!(limiter.check(&student, now).is_ok(), "{student}");
            }
        }
        let refused = (0..2000).filter(|student| limiter.check(student, now).is_err()).count();
        assert_eq!(refused, 2000, "and everybody is limited");
    }

    #[test]
    fn a_flood_of_names_neither_grows_memory_nor_locks_anybody_out() {
        let limiter = Limiter::new(Rate { per_second: 5.0, burst: 2 });
        let now = limiter.started;
        let bytes = std::mem::size_of_val(&*limiter.slots);
        for name in 0..500_000_u32 {
            assert!(limiter.check(&("made up", name), now).is_ok(), "a new name is never refused");
        }
        assert!(limiter.check("anna", now).is_ok());
        assert_eq!((bytes, std::mem::size_of_val(&*limiter.slots)), (512 * 1024, 512 * 1024));
    }

    #[test]
    fn threads_share_one_bucket() {
        let limiter = Limiter::new(Rate { per_second: 1.0, burst: 1000 });
        let now = limiter.started;
        let allowed: usize = std::thread::scope(|scope| {
            let count = || (0..1000).filter(|_| limiter.check("anna", now).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(count)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(allowed, 1000);
    }

    #[test]
    fn the_clock_of_the_table_may_wrap_around() {
        let limiter = Limiter::new(Rate { per_second: 5.0, burst: 10 });
        for days in [0, 12, 13, 14, 26, 400] {
            let now = limiter.started + Duration::from_secs(days * 86_400);
            assert_eq!((0..100).take_while(|_| limiter.check("anna", now).is_ok()).count(), 10, "day {days}");
        }
    }

    #[test]
    fn addresses_of_one_household_are_one_client() {
        let client = |text: &str| client_of(text.parse().unwrap()).to_string();
        assert_eq!(client("2001:db8:1:2:aaaa::1"), "2001:db8:1:2::");
        assert_eq!(client("2001:db8:1:2:bbbb::9"), "2001:db8:1:2::");
        assert_eq!(client("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(client("192.0.2.7"), "192.0.2.7");
    }
}
