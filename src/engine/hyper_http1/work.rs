//! The work of a request to `/` on a tokio runtime.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::CpuSlices;
use crate::config::Work;
use crate::engine::clock::now_ms;
use crate::engine::connections::{is_past, work_too_late};
use crate::http::Response;

/// Does `work`, or gives the answer 408 when it is not done by `end_by`.
pub(crate) async fn do_work(work: Work, end_by: u64) -> Result<(), Response> {
    match work {
        Work::None => return Ok(()),
        Work::Sleep(time) => {
            let left = Duration::from_millis(end_by.saturating_sub(now_ms()));
            sleep(time.min(left)).await;
            if time <= left {
                return Ok(());
            }
        }
        Work::Cpu(time) => {
            let mut slices = CpuSlices::new(time);
            while slices.next().is_some() {
                if is_past(end_by) {
                    return Err(work_too_late());
                }
                tokio::task::yield_now().await;
            }
            return Ok(());
        }
    }
    Err(work_too_late())
}

/// A moment of the engine's clock as tokio's timers want it.
pub(crate) fn until(moment: u64) -> Instant {
    Instant::now() + Duration::from_millis(moment.saturating_sub(now_ms()))
}
