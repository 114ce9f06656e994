//! The work of a request to `/` in a coroutine.

use std::time::Duration;

use may::coroutine;

use crate::app::CpuSlices;
use crate::config::Work;
use crate::engine::clock::now_ms;
use crate::engine::connections::is_past;

/// The runtime may lose timers shorter than this.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Does `work`; whether it was done by `end_by`.
pub(in crate::engine) fn do_work(work: Work, end_by: u64) -> bool {
    match work {
        Work::None => true,
        Work::Sleep(time) => {
            let left = Duration::from_millis(end_by.saturating_sub(now_ms()));
            sleep(time.min(left));
            time <= left
        }
        Work::Cpu(time) => {
            let mut slices = CpuSlices::new(time);
            while slices.next().is_some() {
                if is_past(end_by) {
                    return false;
                }
                coroutine::yield_now();
            }
            true
        }
    }
}

/// Sleeps, and comes back on one of the runtime's workers: its timer thread, on which a sleep ends, must not be kept.
pub(super) fn sleep(time: Duration) {
    coroutine::sleep(time.max(SHORTEST_SLEEP));
    coroutine::yield_now();
}
