//! What the two engines on tokio share: an event loop as a task, and a request's work as a future.

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout_at};

use crate::app::{CpuSlices, StoreJob, outcome_unknown};
use crate::clock::Moment;
use crate::config::Work;
use crate::http::Response;
use crate::server::{Engine, EventLoop, work_timed_out};

/// Runs an event loop whenever its reactor has something for it; never returns.
pub(super) async fn run(mut event_loop: EventLoop<impl Engine>) {
    // SAFETY: the descriptor is that of a reactor, which is never closed.
    #[expect(unsafe_code, reason = "the runtime does not know for how long the descriptor is open")]
    let reactor = unsafe { AsyncFd::register_with_interest(event_loop.as_fd(), Interest::READABLE) };
    let reactor = reactor.expect("a runtime with an I/O driver can watch an epoll");
    loop {
        // The driver lives as long as this task.
        if let Ok(mut ready) = reactor.readable().await {
            // What happens during the turn makes the reactor readable again.
            ready.clear_ready();
            if event_loop.turn() {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Does `work`.
///
/// # Errors
/// The response to send when it is not done by `end_by`.
pub(super) async fn do_work(work: Work, end_by: Moment) -> Result<(), Response> {
    let in_time = match work {
        Work::None => true,
        Work::Sleep(time) => {
            let left = end_by.remaining();
            sleep(time.min(left)).await;
            time <= left
        }
        Work::Cpu(time) => {
            let mut slices = CpuSlices::new(time);
            loop {
                match (slices.next(), end_by.has_passed()) {
                    (None, _) => break true,
                    (Some(()), true) => break false,
                    (Some(()), false) => tokio::task::yield_now().await,
                }
            }
        }
    };
    if in_time { Ok(()) } else { Err(work_timed_out()) }
}

/// Has the store do `job`, and waits for the response until `end_by`.
pub(super) async fn from_store(job: StoreJob, end_by: Moment) -> Response {
    let (sender, response) = oneshot::channel();
    // Fails when the caller no longer waits; the task has still run.
    job.start(move |response| drop(sender.send(response)));
    timeout_at(until(end_by), response).await.ok().and_then(Result::ok).unwrap_or_else(outcome_unknown)
}

/// A moment as tokio's timers measure it.
pub(super) fn until(moment: Moment) -> Instant {
    Instant::now() + moment.remaining()
}
