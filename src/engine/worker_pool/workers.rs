//! The workers of the pool: a fixed number, or one that follows what the work gains from more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

use super::pool_size::PoolSize;
use super::queue::Queue;
use super::{Task, do_task};
use crate::server::Server;

/// Workers for each core that an adaptive pool begins with.
const FIRST_PER_CORE: usize = 2;

/// How often the size is looked after.
const TICK: Duration = Duration::from_millis(50);

/// The workers that run now.
pub(super) struct Workers {
    server: &'static Server,
    queue: Arc<Queue<Task>>,
    wanted: AtomicUsize,
    running: AtomicUsize,
    completed: AtomicU64,
}

impl Workers {
    /// Starts the workers on the current runtime, and with an adaptive pool what looks after their number.
    pub(super) fn start(server: &'static Server, queue: &Arc<Queue<Task>>, cores: usize) {
        let config = &server.app.config;
        let first = if config.adaptive_workers { (FIRST_PER_CORE * cores).min(config.workers) } else { config.workers };
        let workers = Arc::new(Self {
            server,
            queue: Arc::clone(queue),
            wanted: AtomicUsize::new(first),
            running: AtomicUsize::new(0),
            completed: AtomicU64::new(0),
        });
        workers.fill();
        if config.adaptive_workers {
            let size = PoolSize::new(first, config.workers);
            Handle::current().spawn(workers.adapt(size));
        }
    }

    async fn adapt(self: Arc<Self>, mut size: PoolSize) {
        let (depth, started) = (&self.server.app.metrics.counters.queue_depth, Instant::now());
        loop {
            sleep(TICK).await;
            let completed = self.completed.load(Relaxed);
            self.wanted.store(size.observe(started.elapsed(), completed, depth.get() > 0), Relaxed);
            self.fill();
        }
    }

    /// Starts the workers that are missing.
    fn fill(self: &Arc<Self>) {
        while self.running.load(Relaxed) < self.wanted.load(Relaxed) {
            self.running.fetch_add(1, Relaxed);
            Handle::current().spawn(Arc::clone(self).work());
        }
    }

    /// One worker, until there are too many.
    async fn work(self: Arc<Self>) {
        let _counted = self.server.app.metrics.counters.workers.enter();
        loop {
            let task = self.queue.pop().await;
            do_task(self.server, task).await;
            self.completed.fetch_add(1, Relaxed);
            let wanted = self.wanted.load(Relaxed);
            let is_one_too_many = |running| (running > wanted).then(|| running - 1);
            if self.running.fetch_update(Relaxed, Relaxed, is_one_too_many).is_ok() {
                return;
            }
        }
    }
}
