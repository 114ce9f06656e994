//! **may**: stackful coroutines. Each request that takes work has one: its code reads like that of a thread, and parks where
//! a thread would block.

mod work;

use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::Context as _;
use may::coroutine;
use may::io::{CoIo, WaitIo as _};

use crate::app::{Request, Task, overloaded};
use crate::log_limit::LogLimit;
use crate::metrics::Gauge;
use crate::platform::Roots;
use crate::platform::limits::MachineLimits;
use crate::server::{Engine, EventLoop, Exchange, Pending, Server};
pub(super) use work::do_work;
use work::from_store;

/// Stack of a coroutine in bytes. Only pages that are touched cost memory; address space is cheap.
pub(super) const STACK_BYTES: usize = 128 * 1024;

/// Pages of a stack that a request's work touches: one at the far end, and what its calls take.
const STACK_PAGES: usize = 3;

/// Stack of an event loop in bytes. There are few, and what they answer at once includes decompressing a run.
const LOOP_STACK_BYTES: usize = 1024 * 1024;

/// Coroutines whose stacks are kept for the next request.
const POOLED_STACKS: usize = 128;

/// A thread of the runtime wakes at least this often, in nanoseconds.
const IDLE_WAKE_NS: u64 = 1_000_000_000;

/// Memory maps of one stack: its pages and its guard page.
const MAPS_PER_STACK: u64 = 2;

/// Memory maps for everything else.
const RESERVED_MAPS: u64 = 4_096;

/// Where the kernel does not say, its default is assumed.
const DEFAULT_MAX_MAP_COUNT: u64 = 65_530;

/// The engine of one serving thread.
struct May {
    server: &'static Server,
    coroutines: &'static Coroutines,
}

/// The coroutines that run at once.
struct Coroutines {
    running: Gauge,
    /// Another one's stack could not be mapped.
    most: u64,
}

/// Starts the coroutine runtime, with an event loop for each of its threads.
pub(super) fn start(server: &'static Server, listeners: Vec<TcpListener>) -> anyhow::Result<()> {
    start_runtime(listeners.len()).context("cannot start a coroutine")?;
    let coroutines = Coroutines::new(server);
    // Where few files may be open, the connections of one loop must not take what the next needs to start.
    let mut loops = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        let event_loop = EventLoop::new(server, index, listener, May { server, coroutines })?;
        let reactor = CoIo::new(event_loop.as_fd()).map_err(std::io::Error::from)?;
        loops.push((event_loop, reactor));
    }
    for (index, (mut event_loop, reactor)) in loops.into_iter().enumerate() {
        spawn(coroutine::Builder::new().id(index).stack_size(LOOP_STACK_BYTES / size_of::<usize>()), move || {
            loop {
                if event_loop.turn() {
                    coroutine::yield_now();
                }
                reactor.wait_io();
            }
        })
        .context("cannot start a coroutine")?;
    }
    Ok(())
}

/// Starts the runtime, with one coroutine that ends at once.
pub(super) fn start_runtime(threads: usize) -> std::io::Result<()> {
    may::config()
        .set_workers(threads)
        .set_stack_size(STACK_BYTES / size_of::<usize>())
        // It makes as many stacks at its start, of two pages each; 0 would mean 1,000.
        .set_pool_capacity(1)
        // Pinning needs a system call that a sandbox may refuse, and gains nothing on a board of its own.
        .set_worker_pin(false);
    may::config().set_timeout_ns(IDLE_WAKE_NS);
    spawn(coroutine::Builder::new(), || {})?;
    may::config().set_pool_capacity(POOLED_STACKS);
    Ok(())
}

impl Engine for May {
    fn pending_bytes(&self) -> usize {
        STACK_PAGES * rustix::param::page_size()
    }

    fn respond(&mut self, exchange: Exchange<'_>, request: Request) {
        if let Some((pending, task)) = exchange.plan(request) {
            self.answer(pending, task);
        }
    }
}

impl May {
    /// Does what a response takes in a coroutine of its own, and sends it from there.
    fn answer(&self, pending: Pending, task: Task) {
        static FAILURES: LogLimit = LogLimit::new();
        let (server, coroutines) = (self.server, self.coroutines);
        let Some(running) = coroutines.running.enter_below(coroutines.most) else {
            return pending.respond(&task.refuse(overloaded("too many requests at once")));
        };
        let run = move || {
            let _running = running;
            let _task = server.app.metrics.counters.task();
            match task {
                Task::Work(job) => {
                    let work = server.app.config.live.work();
                    if let Some(outcome) = do_work(work, pending.end_by(), || pending.is_client_gone()) {
                        pending.respond(&job.finish(outcome));
                    }
                }
                Task::Store(job) => {
                    let response = from_store(job, pending.end_by());
                    pending.respond(&response);
                }
            }
        };
        // The runtime panics where a stack cannot be mapped; what it was given closes the connection when dropped.
        let spawned = catch_unwind(AssertUnwindSafe(|| spawn(coroutine::Builder::new(), run)));
        if !matches!(spawned, Ok(Ok(())))
            && let Some(suppressed) = FAILURES.allow()
        {
            tracing::error!(event = "spawn", suppressed, "cannot start a coroutine");
        }
    }
}

impl Coroutines {
    fn new(server: &Server) -> &'static Self {
        let maps = MachineLimits::read(&Roots::system()).max_map_count.unwrap_or(DEFAULT_MAX_MAP_COUNT);
        let most = (maps.saturating_sub(RESERVED_MAPS) / MAPS_PER_STACK).max(64);
        if most < server.app.config.live.max_connections() as u64 {
            tracing::info!(
                event = "clamp",
                "up to {most} requests with work are served at once, as vm.max_map_count is {maps}; others are refused"
            );
        }
        Box::leak(Box::new(Self { running: Gauge::default(), most }))
    }
}

/// Starts a coroutine.
fn spawn(builder: coroutine::Builder, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    // SAFETY: a coroutine must not overflow its stack and must not use a thread-local variable on both sides of a point where
    // it can move to another thread. Nothing here recurses on input. The deepest call, decompressing a run for `/runs`, takes
    // some 100 KiB and is made in an event loop, whose stack is eight times that of a request's work, which takes a fraction of
    // its own. Thread-local variables are used by functions that do not yield and are never inlined
    // into the coroutine (`http::date`, `metrics::counters`), by `tracing` and by the allocator, which do not yield.
    #[expect(unsafe_code, reason = "the runtime's only way to start a coroutine")]
    unsafe {
        builder.spawn(run).map(drop)
    }
}
