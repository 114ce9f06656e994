//! The work of a request to `/` in a coroutine.
//!
//! A worker of this runtime looks for input only when none of its coroutines can run. One that computes would keep it
//! from all others, however often it yields, so computing is left to threads, as many as there are workers, while the
//! coroutine parks. They take turns with slices of it, as tasks of the other engines do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use may::coroutine;
use may::sync::Blocker;

use crate::app::CpuSlices;
use crate::config::Work;
use crate::engine::clock::now_ms;
use crate::engine::connections::{is_past, work_too_late};
use crate::http::Response;

/// The runtime may lose timers shorter than this.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Computing that a parked coroutine waits for.
struct Computing {
    slices: CpuSlices,
    end_by: u64,
    done: Arc<AtomicBool>,
    parked: Arc<Blocker>,
}

/// Does `work`, or gives the answer 408 when it is not done by `end_by`.
pub(in crate::engine) fn do_work(work: Work, end_by: u64) -> Result<(), Response> {
    let done = match work {
        Work::None => true,
        Work::Sleep(time) => {
            let left = Duration::from_millis(end_by.saturating_sub(now_ms()));
            sleep(time.min(left));
            time <= left
        }
        Work::Cpu(time) => compute(CpuSlices::new(time), end_by),
    };
    if done { Ok(()) } else { Err(work_too_late()) }
}

/// Sleeps, and comes back on one of the runtime's workers: its timer thread, on which a sleep ends, must not be kept.
pub(super) fn sleep(time: Duration) {
    coroutine::sleep(time.max(SHORTEST_SLEEP));
    coroutine::yield_now();
}

fn compute(slices: CpuSlices, end_by: u64) -> bool {
    static QUEUE: LazyLock<Sender<Computing>> = LazyLock::new(start_threads);

    let (done, parked) = (Arc::new(AtomicBool::new(false)), Blocker::current());
    let computing = Computing { slices, end_by, done: Arc::clone(&done), parked: Arc::clone(&parked) };
    // Fails only when no thread could be started, which the log tells.
    QUEUE.send(computing).is_ok() && parked.park(None).is_ok() && done.load(Ordering::Acquire)
}

fn start_threads() -> Sender<Computing> {
    let (sender, receiver) = channel();
    let receiver = Arc::new(Mutex::new(receiver));
    for index in 0..may::config().get_workers() {
        let (sender, receiver) = (sender.clone(), Arc::clone(&receiver));
        let thread = thread::Builder::new().name(format!("may-cpu-{index}"));
        if let Err(error) = thread.spawn(move || take_turns(&sender, &receiver)) {
            tracing::error!(event = "cpu", %error, "cannot start a thread for computing");
        }
    }
    sender
}

/// One thread: a slice of the oldest, which then goes to the end of the queue.
fn take_turns(sender: &Sender<Computing>, receiver: &Mutex<Receiver<Computing>>) {
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut computing) = next else { return };
        let done = computing.slices.next().is_none();
        if !done && !is_past(computing.end_by) {
            // The receiver lives as long as this thread.
            let _ = sender.send(computing);
            continue;
        }
        computing.done.store(done, Ordering::Release);
        computing.parked.unpark();
    }
}
