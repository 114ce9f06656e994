//! What this process itself uses, always from the real `/proc/self`.

use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use procfs::{FromRead as _, process::Stat};
use rustix::{
    process::{Resource, getrlimit},
    time::{ClockId, clock_gettime},
};

/// One reading. Where `/proc` is not mounted, all but `cpu_time` and `max_fds` are zero.
#[derive(Debug, Clone, Copy)]
pub struct ProcessStats {
    /// User and system time of all threads since the start, to the nanosecond.
    pub cpu_time: Duration,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Address space, most of it never touched.
    pub virtual_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open file descriptors; before Linux 6.2 counted less often the more there are, see [`collect`].
    pub open_fds: u64,
    /// The soft limit on them.
    pub max_fds: u64,
}

/// Reads this process's own numbers.
///
/// Since Linux 6.2 `stat` on `/proc/self/fd` returns the number of open descriptors. Before, it gives 0 and they must be
/// listed, at around a microsecond each. With N open at the last listing the next one comes N milliseconds later (a
/// second for a thousand, a minute for sixty thousand): about a thousandth of a core whatever their number, and
/// `open_fds` is up to that old.
pub fn collect() -> ProcessStats {
    static LISTED: Mutex<Option<Listing>> = Mutex::new(None);

    let stat = fs::File::open("/proc/self/stat").ok().and_then(|file| Stat::from_read(file).ok());
    let number = |value: fn(&Stat) -> u64| stat.as_ref().map_or(0, value);
    ProcessStats {
        cpu_time: clock(ClockId::ProcessCPUTime),
        resident_bytes: number(|stat| stat.rss).saturating_mul(procfs::page_size()),
        virtual_bytes: number(|stat| stat.vsize),
        threads: number(|stat| u64::try_from(stat.num_threads).unwrap_or(0)),
        open_fds: match fs::metadata("/proc/self/fd").map_or(0, |metadata| metadata.len()) {
            0 => {
                let mut listed = LISTED.lock().unwrap_or_else(PoisonError::into_inner);
                Listing::renew(&mut listed, Instant::now(), list_descriptors)
            }
            count => count,
        },
        max_fds: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
    }
}

/// How many descriptors were open when they were last listed.
#[derive(Debug, Clone, Copy)]
struct Listing {
    at: Instant,
    count: u64,
}

impl Listing {
    /// The count of the last listing, or of a new one when one is due.
    fn renew(last: &mut Option<Self>, now: Instant, descriptors: impl FnOnce() -> u64) -> u64 {
        let due = last.is_none_or(|last| now - last.at >= Duration::from_millis(last.count));
        if due {
            *last = Some(Self { at: now, count: descriptors() });
        }
        last.map_or(0, |last| last.count)
    }
}

/// Lists the open descriptors, leaving out the one that the listing itself opens.
fn list_descriptors() -> u64 {
    fs::read_dir("/proc/self/fd").map_or(0, |entries| (entries.count() as u64).saturating_sub(1))
}

fn clock(id: ClockId) -> Duration {
    Duration::try_from(clock_gettime(id)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_process() {
        let first = collect();
        let mut sum = 0_u64;
        let end = Instant::now() + Duration::from_millis(30);
        while Instant::now() < end {
            sum = std::hint::black_box(sum + 1);
        }
        let second = collect();
        assert!(second.cpu_time > first.cpu_time);
        assert!(second.resident_bytes > 100_000);
        assert!(second.virtual_bytes > second.resident_bytes);
        assert!(second.threads >= 1);
        assert!(second.max_fds >= second.open_fds);
    }

    #[test]
    fn counts_descriptors() {
        let held: Vec<_> = (0..200).map(|_| fs::File::open("/dev/null").unwrap()).collect();
        assert!(collect().open_fds > held.len() as u64);
        // Other tests of this process open and close files meanwhile, and each thread that waits in accept(2) has reserved
        // a descriptor, which the kernel counts and does not list.
        assert!((0..1000).any(|_| collect().open_fds.abs_diff(list_descriptors()) < 50));
    }

    #[test]
    fn lists_many_descriptors_seldom() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut last = None;
        assert_eq!(Listing::renew(&mut last, at(0), || 2_000), 2_000);
        assert_eq!(Listing::renew(&mut last, at(1_000), || unreachable!()), 2_000);
        assert_eq!(Listing::renew(&mut last, at(2_000), || 10), 10);
        assert_eq!(Listing::renew(&mut last, at(3_000), || 20), 20);
    }
}
