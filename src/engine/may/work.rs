//! The work of a request in a coroutine.
//!
//! A thread of this runtime looks for input only when none of its coroutines can run. One that computes would keep it from
//! all others, however often it yields, so computing is left to threads, as many as the runtime has, while the coroutine
//! parks. They take turns with slices of it, as tasks of the other engines do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use may::coroutine;
use may::sync::Blocker;

use crate::app::{CpuSlices, StoreJob, outcome_unknown};
use crate::clock::Moment;
use crate::config::Work;
use crate::http::Response;
use crate::server::{spawn_critical, work_timed_out};

/// The runtime may lose timers shorter than this.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// Computing that a parked coroutine waits for.
struct Computing {
    slices: CpuSlices,
    end_by: Moment,
    done: Arc<AtomicBool>,
    parked: Arc<Blocker>,
}

/// Does `work`; the response to send when it is not done by `end_by`, and nothing when `is_given_up` before it begins.
pub(in crate::engine) fn do_work(
    work: Work,
    end_by: Moment,
    is_given_up: impl Fn() -> bool,
) -> Option<Result<(), Response>> {
    if is_given_up() {
        return None;
    }
    let done = match work {
        Work::None => true,
        Work::Sleep(time) if time.is_zero() => true,
        Work::Sleep(time) => {
            let left = end_by.remaining();
            sleep(time.min(left));
            time <= left
        }
        Work::Cpu(time) => compute(CpuSlices::new(time), end_by),
    };
    Some(if done { Ok(()) } else { Err(work_timed_out()) })
}

/// Has the store do `job`, and parks until there is a response or `end_by` has passed.
pub(super) fn from_store(job: StoreJob, end_by: Moment) -> Response {
    let (sent, parked) = (Arc::new(Mutex::new(None)), Blocker::current());
    let (slot, waiting) = (Arc::clone(&sent), Arc::clone(&parked));
    job.start(move |response| {
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(response);
        waiting.unpark();
    });
    // However it ends, the slot shows whether there is a response.
    let _ = parked.park(Some(end_by.remaining().max(SHORTEST_SLEEP)));
    let response = sent.lock().unwrap_or_else(PoisonError::into_inner).take();
    response.unwrap_or_else(outcome_unknown)
}

/// Sleeps, and comes back on one of the runtime's threads: its timer thread, on which a sleep ends, must not be kept.
fn sleep(time: Duration) {
    coroutine::sleep(time.max(SHORTEST_SLEEP));
    coroutine::yield_now();
}

fn compute(slices: CpuSlices, end_by: Moment) -> bool {
    static QUEUE: LazyLock<Sender<Computing>> = LazyLock::new(start_threads);

    let (done, parked) = (Arc::new(AtomicBool::new(false)), Blocker::current());
    let computing = Computing { slices, end_by, done: Arc::clone(&done), parked: Arc::clone(&parked) };
    // Fails only when no thread could be started, which is logged.
    QUEUE.send(computing).is_ok() && parked.park(None).is_ok() && done.load(Ordering::Acquire)
}

fn start_threads() -> Sender<Computing> {
    let (sender, receiver) = channel();
    let receiver = Arc::new(Mutex::new(receiver));
    for index in 0..may::config().get_workers() {
        let (sender, receiver) = (sender.clone(), Arc::clone(&receiver));
        if let Err(error) = spawn_critical(&format!("may-cpu-{index}"), move || take_turns(&sender, &receiver)) {
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
        if !done && !computing.end_by.has_passed() {
            // The receiver lives as long as this thread.
            let _ = sender.send(computing);
            continue;
        }
        computing.done.store(done, Ordering::Release);
        computing.parked.unpark();
    }
}
