//! **worker-pool**: multi-thread tokio. A request that takes work becomes a job on a bounded queue, which a pool of workers
//! empties. The pool has a fixed size, or grows as far as the work gains from it.

mod pool_size;
mod queue;
mod workers;

use std::net::TcpListener;
use std::sync::Arc;

use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::tokio_thread::{do_work, from_store, run, until};
use crate::app::{self, Job, Request, StoreJob, overloaded};
use crate::clock::Moment;
use crate::config::cores;
use crate::http::{Reject, Response};
use crate::server::{Engine, EventLoop, Exchange, Pending, Server};
use crate::trace::Queued;
use queue::Queue;
use workers::Workers;

/// The task that waits for a response, and its place in the queue.
const PENDING_BYTES: usize = 2 * 1024;

/// The engine of one serving thread.
struct WorkerPool {
    server: &'static Server,
    queue: Arc<Queue<Task>>,
}

/// A request's work on its way to a worker.
struct Task {
    /// Closed when the outcome is no longer waited for.
    outcome: oneshot::Sender<Result<(), Response>>,
    /// Its wait in the queue, if it is traced.
    queued: Option<Queued>,
    start_by: Moment,
    end_by: Moment,
}

/// Starts the runtime with its event loops and workers.
pub(super) fn start(server: &'static Server, listeners: Vec<TcpListener>) -> anyhow::Result<()> {
    let config = &server.app.config;
    let runtime =
        Builder::new_multi_thread().worker_threads(listeners.len()).enable_all().thread_name("worker-pool").build()?;
    let queue = Arc::new(Queue::new(config.queue_size, &server.app.metrics.counters.queue_depth));
    let _context = runtime.enter();
    Workers::start(server, &queue, cores());
    for (index, listener) in listeners.into_iter().enumerate() {
        let engine = WorkerPool { server, queue: Arc::clone(&queue) };
        runtime.spawn(run(EventLoop::new(server, index, listener, engine)?));
    }
    // The runtime lives as long as the process.
    std::mem::forget(runtime);
    Ok(())
}

impl Engine for WorkerPool {
    fn pending_bytes(&self) -> usize {
        PENDING_BYTES
    }

    fn respond(&mut self, exchange: Exchange<'_>, request: Request) {
        match exchange.plan(request) {
            Some((pending, app::Task::Work(job))) => {
                tokio::spawn(answer(self.server, Arc::clone(&self.queue), pending, job));
            }
            Some((pending, app::Task::Store(job))) => {
                tokio::spawn(answer_from_store(self.server, pending, job));
            }
            None => {}
        }
    }
}

/// Sends the store's response. The store has a queue of its own, so no worker waits for it.
async fn answer_from_store(server: &'static Server, pending: Pending, job: StoreJob) {
    let _task = server.app.metrics.counters.task();
    tokio::select! {
        biased;
        response = from_store(job, pending.end_by()) => pending.respond(&response),
        () = pending.client_gone() => {}
    }
}

/// Has a worker do a request's work, and sends the response.
async fn answer(server: &'static Server, queue: Arc<Queue<Task>>, pending: Pending, job: Job) {
    let _task = server.app.metrics.counters.task();
    tokio::select! {
        biased;
        outcome = be_worked(server, &queue, &pending, job.queued()) => pending.respond(&job.finish(outcome)),
        // The job leaves the queue, and a worker that has begun it finishes it although the result is dropped.
        () = pending.client_gone() => {}
    }
}

/// Waits in the queue and then for the worker.
async fn be_worked(
    server: &Server,
    queue: &Queue<Task>,
    pending: &Pending,
    queued: Option<Queued>,
) -> Result<(), Response> {
    let (start_by, end_by) = (pending.start_by(), pending.end_by());
    let (sender, mut outcome) = oneshot::channel();
    let Some(place) = queue.push(Task { outcome: sender, queued, start_by, end_by }) else {
        server.app.metrics.counters.queue_rejected.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return Err(overloaded("the queue is full"));
    };
    if let Ok(outcome) = timeout_at(until(start_by), &mut outcome).await {
        return outcome.unwrap_or_else(|_| Err(waited_too_long()));
    }
    if place.is_queued() {
        return Err(waited_too_long());
    }
    timeout_at(until(end_by), outcome).await.ok().and_then(Result::ok).unwrap_or_else(|| Err(waited_too_long()))
}

fn waited_too_long() -> Response {
    Reject::new(408, "no worker finished this request before its deadline").response()
}

/// Does one job, unless it is too late or nobody waits for it.
async fn do_task(server: &'static Server, task: Task) {
    if task.outcome.is_closed() || task.start_by.has_passed() {
        return;
    }
    if let Some(queued) = task.queued {
        queued.end();
    }
    let _busy = server.app.metrics.counters.busy_workers.enter();
    let outcome = do_work(server.app.config.live.work(), task.end_by).await;
    // Fails when the client has gone or its deadline has passed meanwhile.
    let _ = task.outcome.send(outcome);
}
