//! Samples call stacks a hundred times per second of CPU time, in a fixed 260 KiB and a few KiB of the interrupted stack.
//!
//! `setitimer(ITIMER_PROF)` counts the CPU time of the whole process and interrupts whichever thread is using it. The
//! handler walks that thread's stack into a free slot; the thread that asked for the profile empties the slots. No
//! memory is allocated and no lock taken in the handler.
//!
//! The stack is walked by the unwind tables that every Rust binary carries, stripped or not, so frame pointers are not
//! needed. glibc from 2.35 on finds those tables without a lock (`_dl_find_object`), which is what makes the walk safe
//! in a signal handler; bookworm has 2.36.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::libc::{self, c_int, c_void, siginfo_t};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use rustix::time::{ClockId, clock_gettime};

/// CPU time from one sample to the next.
const INTERVAL: Duration = Duration::from_millis(10);

/// Frames kept of one stack, from the innermost.
const DEPTH: usize = 64;

/// Samples that wait to be collected. At four busy cores a quarter of a second passes before they run out.
const SLOTS: usize = 512;

const COLLECT_EVERY: Duration = Duration::from_millis(50);

const FREE: u8 = 0;
const BEING_WRITTEN: u8 = 1;
const FULL: u8 = 2;

struct Slot {
    state: AtomicU8,
    thread: AtomicI32,
    depth: AtomicUsize,
    frames: [AtomicUsize; DEPTH],
}

static SAMPLES: OnceLock<Box<[Slot]>> = OnceLock::new();
static NEXT: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicBool = AtomicBool::new(false);

/// A thread and the instruction addresses on its stack, the innermost first.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Stack {
    pub(super) thread: i32,
    pub(super) frames: Vec<usize>,
}

/// What was seen between start and stop.
#[derive(Debug)]
pub(super) struct Samples {
    pub(super) stacks: HashMap<Stack, u64>,
    /// Samples for which there was no free slot.
    pub(super) dropped: u64,
    pub(super) started: SystemTime,
    pub(super) took: Duration,
    /// CPU time that the process used meanwhile, all threads together.
    pub(super) cpu: Duration,
}

impl Samples {
    /// CPU time that one sample stands for. Under load on several cores the kernel merges timer signals, so this is
    /// measured: with it the samples add up to the CPU time used.
    pub(super) fn interval(&self) -> Duration {
        let count: u64 = self.stacks.values().sum();
        if count == 0 { INTERVAL } else { self.cpu / u32::try_from(count).unwrap_or(u32::MAX) }
    }
}

/// Why there is no profile.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another is being taken.
    Busy,
    System(Errno),
}

/// Samples for `duration`, or until `cancelled`, which is asked twenty times a second.
pub(super) fn sample(duration: Duration, cancelled: impl Fn() -> bool) -> Result<Samples, Failure> {
    if RUNNING.swap(true, Ordering::Acquire) {
        return Err(Failure::Busy);
    }
    let outcome = run(duration, cancelled).map_err(Failure::System);
    RUNNING.store(false, Ordering::Release);
    outcome
}

fn run(duration: Duration, cancelled: impl Fn() -> bool) -> Result<Samples, Errno> {
    let slots = SAMPLES.get_or_init(|| (0..SLOTS).map(|_| Slot::new()).collect());
    // Loads and binds what the walk needs, outside the handler.
    backtrace::trace(|_| false);
    // What a handler that was late wrote after the last profile had ended.
    drain(slots, |_| {});
    DROPPED.store(0, Ordering::Relaxed);
    let (started, began, cpu) = (SystemTime::now(), Instant::now(), cpu_time());
    let mut stacks = HashMap::new();
    handle(SigHandler::SigAction(on_sigprof))?;
    let armed = arm(INTERVAL);
    while armed.is_ok() && began.elapsed() < duration && !cancelled() {
        thread::sleep(COLLECT_EVERY.min(duration.saturating_sub(began.elapsed())));
        drain(slots, |stack| *stacks.entry(stack).or_default() += 1);
    }
    arm(Duration::ZERO)?;
    // Not the default action: that would end the process if a signal is still on its way.
    handle(SigHandler::SigIgn)?;
    armed?;
    drain(slots, |stack| *stacks.entry(stack).or_default() += 1);
    Ok(Samples {
        stacks,
        dropped: DROPPED.load(Ordering::Relaxed),
        started,
        took: began.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
    })
}

impl Slot {
    fn new() -> Self {
        Self {
            state: AtomicU8::new(FREE),
            thread: AtomicI32::new(0),
            depth: AtomicUsize::new(0),
            frames: [const { AtomicUsize::new(0) }; DEPTH],
        }
    }
}

/// Takes every full slot's stack and frees the slot.
fn drain(slots: &[Slot], mut take: impl FnMut(Stack)) {
    for slot in slots.iter().filter(|slot| slot.state.load(Ordering::Acquire) == FULL) {
        let frames = &slot.frames[..slot.depth.load(Ordering::Relaxed)];
        take(Stack {
            thread: slot.thread.load(Ordering::Relaxed),
            frames: frames.iter().map(|frame| frame.load(Ordering::Relaxed)).collect(),
        });
        slot.state.store(FREE, Ordering::Release);
    }
}

fn cpu_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

fn handle(handler: SigHandler) -> Result<(), Errno> {
    let action = SigAction::new(handler, SaFlags::SA_SIGINFO | SaFlags::SA_RESTART, SigSet::empty());
    #[expect(unsafe_code, reason = "installing a signal handler is unsafe by signature")]
    // SAFETY: `on_sigprof` has the signature of SA_SIGINFO and does only what a signal handler may do.
    unsafe { sigaction(Signal::SIGPROF, &action) }.map(|_| ())
}

/// Starts the timer, or stops it with zero.
fn arm(interval: Duration) -> Result<(), Errno> {
    let interval = libc::timeval { tv_sec: 0, tv_usec: interval.as_micros() as libc::suseconds_t };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    #[expect(unsafe_code, reason = "no safe crate in use wraps setitimer")]
    // SAFETY: the new value is a valid itimerval for the whole call, and null is allowed for the old one.
    let result = unsafe { libc::setitimer(libc::ITIMER_PROF, &raw const timer, std::ptr::null_mut()) };
    Errno::result(result).map(|_| ())
}

extern "C" fn on_sigprof(_signal: c_int, _info: *mut siginfo_t, context: *mut c_void) {
    let errno = Errno::last_raw();
    if let Some(slots) = SAMPLES.get() {
        let slot = &slots[NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS];
        if slot.state.compare_exchange(FREE, BEING_WRITTEN, Ordering::Acquire, Ordering::Relaxed).is_ok() {
            slot.thread.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Relaxed);
            slot.depth.store(walk(interrupted_at(context), &slot.frames), Ordering::Relaxed);
            slot.state.store(FULL, Ordering::Release);
        } else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
    Errno::set_raw(errno);
}

/// Writes the stack below the handler's own frames into `frames`; how many there are.
fn walk(interrupted_at: usize, frames: &[AtomicUsize]) -> usize {
    frames[0].store(interrupted_at, Ordering::Relaxed);
    let mut depth = 0;
    #[expect(unsafe_code, reason = "the locking variant may deadlock in a signal handler")]
    // SAFETY: the lock it goes without guards only symbol look-up, which does not happen here; nothing in the closure
    // allocates or unwinds.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let address = frame.ip() as usize;
            if address == 0 {
                return false;
            }
            if depth > 0 || address == interrupted_at {
                frames[depth].store(address, Ordering::Relaxed);
                depth += 1;
            }
            depth < frames.len()
        });
    }
    // A stack that cannot be walked still has its innermost frame.
    depth.max(1)
}

/// The instruction that the signal interrupted.
#[expect(unsafe_code, reason = "the kernel hands the context over as a raw pointer")]
fn interrupted_at(context: *mut c_void) -> usize {
    // SAFETY: with SA_SIGINFO the kernel passes a valid `ucontext_t` that lives as long as the handler runs.
    let machine = unsafe { &(*context.cast::<libc::ucontext_t>()).uc_mcontext };
    #[cfg(target_arch = "x86_64")]
    return machine.gregs[libc::REG_RIP as usize] as usize;
    #[cfg(target_arch = "aarch64")]
    return machine.pc as usize;
}
