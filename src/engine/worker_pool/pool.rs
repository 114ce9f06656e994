//! The bounded queue and its workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use async_channel::{Receiver, Sender, TrySendError};
use tokio::sync::oneshot;
use tokio::time::{timeout, timeout_at};

use crate::engine::connections::{Server, is_past};
use crate::engine::heartbeat::{Beat, INTERVAL};
use crate::engine::hyper_http1::{Execute, do_work, until};
use crate::http::{Reject, Response};

/// The queue's sending end.
#[derive(Clone)]
pub(super) struct Pool {
    server: Arc<Server>,
    queue: Sender<Job>,
}

/// A request's work, waiting for a worker.
struct Job {
    begun: Arc<AtomicBool>,
    /// Closed when nobody waits for the outcome any more.
    outcome: oneshot::Sender<Result<(), Response>>,
    start_by: u64,
    end_by: u64,
}

impl Pool {
    /// Starts the workers on the current runtime.
    pub(super) fn start(server: &Arc<Server>) -> Self {
        let config = &server.app.config;
        let (queue, jobs) = async_channel::bounded(config.queue_size);
        for number in 1..=config.workers {
            let beat = server.heartbeats.register(format!("worker {number}"));
            tokio::spawn(work_off(Arc::clone(server), jobs.clone(), beat));
        }
        Self { server: Arc::clone(server), queue }
    }
}

impl Execute for Pool {
    async fn work(&self, start_by: u64, end_by: u64) -> Result<(), Response> {
        let counters = &self.server.app.metrics.counters;
        let begun = Arc::new(AtomicBool::new(false));
        let (sender, mut outcome) = oneshot::channel();
        let job = Job { begun: Arc::clone(&begun), outcome: sender, start_by, end_by };
        counters.queue_depth.fetch_add(1, Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = self.queue.try_send(job) {
            counters.queue_depth.fetch_sub(1, Relaxed);
            counters.queue_rejected.fetch_add(1, Relaxed);
            return Err(Response::error(503, "the queue is full").with("retry-after", "1"));
        }
        if let Ok(outcome) = timeout_at(until(start_by), &mut outcome).await {
            return outcome.unwrap_or_else(|_| Err(waited_too_long()));
        }
        if !begun.load(Relaxed) {
            return Err(waited_too_long());
        }
        match timeout_at(until(end_by), outcome).await {
            Ok(Ok(outcome)) => outcome,
            _ => Err(waited_too_long()),
        }
    }
}

fn waited_too_long() -> Response {
    Reject::new(408, "no worker finished this request before its deadline").response()
}

/// One worker: takes jobs until the queue is closed. Jobs that nobody waits for any more are thrown away unrun.
async fn work_off(server: Arc<Server>, jobs: Receiver<Job>, beat: Beat) {
    let counters = &server.app.metrics.counters;
    loop {
        beat.beat();
        let job = match timeout(INTERVAL, jobs.recv()).await {
            Err(_) => continue,
            Ok(Err(_)) => return,
            Ok(Ok(job)) => job,
        };
        counters.queue_depth.fetch_sub(1, Relaxed);
        if job.outcome.is_closed() || is_past(job.start_by) {
            continue;
        }
        job.begun.store(true, Relaxed);
        counters.busy_workers.fetch_add(1, Relaxed);
        let outcome = beating(&beat, do_work(server.app.config.work, job.end_by)).await;
        counters.busy_workers.fetch_sub(1, Relaxed);
        // Fails when the client's deadline passed in the same moment; it has had its answer.
        let _ = job.outcome.send(outcome);
    }
}

/// Runs `work` while the worker goes on giving signs of life.
async fn beating<T>(beat: &Beat, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        if let Ok(outcome) = timeout(INTERVAL, &mut work).await {
            return outcome;
        }
        beat.beat();
    }
}
