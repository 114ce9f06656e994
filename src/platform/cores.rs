//! How busy each core was since the reading before.

use procfs::{CpuTime, FromBufReadSI as _, KernelStats};

use super::rate::percent;

/// Ticks of one core since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticks {
    busy: u64,
    idle: u64,
}

impl From<&CpuTime> for Ticks {
    fn from(time: &CpuTime) -> Self {
        // Guests' time is part of `user` and `nice`; waiting for a disk leaves the core free.
        let more = [time.irq, time.softirq, time.steal];
        Self {
            busy: [time.user, time.nice, time.system]
                .into_iter()
                .chain(more.into_iter().flatten())
                .fold(0, u64::saturating_add),
            idle: time.idle.saturating_add(time.iowait.unwrap_or(0)),
        }
    }
}

/// The ticks of each core that is online, from `/proc/stat`.
pub(super) fn parse(text: &str) -> Option<Vec<Ticks>> {
    let stats = KernelStats::from_buf_read(text.as_bytes(), procfs::current_system_info()).ok()?;
    (!stats.cpu_time.is_empty()).then(|| stats.cpu_time.iter().map(Ticks::from).collect())
}

/// Percent of its time that each core worked between two readings.
///
/// `None` when a core came or went, or when no tick has passed. Single counters may fall a little, as `iowait` is
/// known to.
pub(super) fn busy_percent(before: &[Ticks], after: &[Ticks]) -> Option<Vec<f64>> {
    if before.len() != after.len() {
        return None;
    }
    before
        .iter()
        .zip(after)
        .map(|(before, after)| {
            let busy = after.busy.saturating_sub(before.busy) as f64;
            let idle = after.idle.saturating_sub(before.idle) as f64;
            (busy + idle > 0.0).then(|| percent(busy, busy + idle))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  130 0 35 840 15 1 3 0 0 0\n\
                        cpu0 100 5 20 400 10 1 2 2 50 0\n\
                        cpu1 30 0 15 440 5 0 1 0 0 0\n\
                        intr 1234 0 5\nctxt 99\nbtime 1763875200\nprocesses 42\nprocs_running 1\nprocs_blocked 0\n";

    #[test]
    fn adds_up_the_states() {
        let ticks = |busy, idle| Ticks { busy, idle };
        assert_eq!(parse(STAT), Some(vec![ticks(130, 410), ticks(46, 445)]));
    }

    #[test]
    fn drops_anything_else() {
        let cut = &STAT[..STAT.find("cpu1 30").unwrap() + 9];
        for bad in ["", "cpu\n", "cpu  1 2 3\ncpu0 1 2 3\n", "über alles\n", cut] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn compares_two_readings() {
        let ticks = |busy, idle| Ticks { busy, idle };
        let before = [ticks(100, 900), ticks(50, 950)];
        let after = [ticks(175, 925), ticks(50, 1050)];
        assert_eq!(busy_percent(&before, &after), Some(vec![75.0, 0.0]));
        // A falling idle counter does not turn the sum around.
        let fallen = [ticks(150, 890), ticks(60, 940)];
        assert_eq!(busy_percent(&before, &fallen), Some(vec![100.0, 100.0]));
        assert_eq!(busy_percent(&before, &before), None);
        assert_eq!(busy_percent(&before, &after[..1]), None);
    }
}
