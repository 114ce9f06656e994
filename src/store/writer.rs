//! The thread that writes: takes what waits, commits it as one batch with one sync, answers all, and begins again.
//! While it syncs the next batch gathers, so batches are as large as the medium is slow, without any timer.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::admission::{MAX_BATCH, MAX_WAITING, Predictor, jittered, retry_after};
use super::backend::{OpenError, Source, WriteAccess};
use super::breaker::Breaker;
use super::clock;
use super::figures::Figures;
use super::model::{Answer, Command, Reason, Unavailable};
use crate::trace::{self, Queued};

/// Takes the outcome of one command, on the writer's thread: must not block.
pub(super) type Completion = Box<dyn FnOnce(Result<Answer, Unavailable>) + Send>;

/// After so long without a command, the log is copied into the database.
const IDLE: Duration = Duration::from_secs(1);

/// With so many commands in the log, about 10 MB, it is copied even if more wait.
const LONG_LOG: usize = 4096;

/// The caller of a command, which is answered even if the writer ends unexpectedly.
struct Waiting {
    /// If it is traced.
    queued: Option<Queued>,
    completion: Option<Completion>,
}

impl Waiting {
    fn answer(mut self, outcome: Result<Answer, Unavailable>) {
        if let Some(completion) = self.completion.take() {
            completion(outcome);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(completion) = self.completion.take() {
            completion(Err(Unavailable { reason: Reason::Stopping, retry_after: Duration::from_secs(1) }));
        }
    }
}

/// What callers and the writer share.
pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something for the writer to do.
    work: Condvar,
    max_wait: Duration,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Command, Waiting)>,
    /// Size and beginning of the batch under way.
    under_way: Option<(usize, Instant)>,
    writer_sleeps: bool,
    stopping: bool,
    predictor: Predictor,
    breaker: Breaker,
    /// What opened the breaker.
    broken: Option<Reason>,
    figures: Figures,
}

/// What the writer does next.
enum Task {
    Write,
    Probe,
    Idle,
    Stop,
}

impl Queue {
    pub(super) fn new(max_wait: Duration) -> Self {
        Self { state: Mutex::default(), work: Condvar::new(), max_wait }
    }

    /// Admits a command, or refuses it at once.
    pub(super) fn submit(&self, command: Command, queued: Option<Queued>, completion: Completion) {
        let now = Instant::now();
        let mut state = self.lock();
        if let Err(refusal) = state.admit(now, self.max_wait) {
            state.figures.refused += 1;
            drop(state);
            return completion(Err(refusal));
        }
        state.figures.admitted += 1;
        state.waiting.push_back((command, Waiting { queued, completion: Some(completion) }));
        if std::mem::take(&mut state.writer_sleeps) {
            self.work.notify_one();
        }
    }

    /// No more commands are admitted; those that wait are still carried out.
    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.work.notify_one();
    }

    /// The measurements so far.
    pub(super) fn figures(&self) -> Figures {
        let state = self.lock();
        let mut figures = state.figures.clone();
        figures.pending = state.waiting.len() + state.under_way.map_or(0, |(commands, _)| commands);
        figures.breaker = state.breaker.state();
        figures.broken.clone_from(&state.broken);
        figures.predicted_wait = state.predicted(Instant::now());
        figures
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to do.
    fn next(&self) -> Task {
        let mut state = self.lock();
        let mut slept = false;
        loop {
            let now = Instant::now();
            if state.breaker.start_probe(now) {
                return Task::Probe;
            }
            // While the breaker is open nothing waits: failing opened it and answered all.
            if !state.waiting.is_empty() {
                state.under_way = Some((0, now));
                return Task::Write;
            }
            if state.stopping {
                return Task::Stop;
            }
            if slept {
                return Task::Idle;
            }
            let sleep = state.breaker.retry_after(now).unwrap_or(IDLE);
            state.writer_sleeps = true;
            state = self.work.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner).0;
            slept = state.writer_sleeps;
            state.writer_sleeps = false;
        }
    }

    /// What waits, as a batch.
    fn take(&self) -> (Vec<Command>, Vec<Waiting>) {
        let mut state = self.lock();
        let count = state.waiting.len().min(MAX_BATCH);
        if let Some(under_way) = &mut state.under_way {
            under_way.0 = count;
        }
        state.waiting.drain(..count).unzip()
    }

    /// Records a committed batch.
    fn committed(&self, commands: usize, work: Duration, commit: Duration) {
        let mut state = self.lock();
        let started = state.under_way.take().map_or(Duration::ZERO, |(_, started)| started.elapsed());
        state.predictor.measured(commands, work, started.saturating_sub(work));
        state.figures.committed(commands, commit);
        state.recovered();
    }

    /// Records a probe that succeeded.
    fn probed(&self) {
        self.lock().recovered();
    }

    /// Records a failure, and answers every caller: none waits for a store that is down.
    fn failed(&self, batch: Vec<Waiting>, reason: &Reason) {
        let now = Instant::now();
        let mut state = self.lock();
        state.under_way = None;
        if state.broken.replace(reason.clone()).is_none() {
            tracing::error!(event = "store", "registrations are refused until writing works again: {reason}");
        }
        state.figures.failures += 1;
        state.breaker.failed(now);
        let retry_after = state.breaker.retry_after(now).unwrap_or_default();
        let others = std::mem::take(&mut state.waiting);
        drop(state);
        for waiting in batch.into_iter().chain(others.into_iter().map(|(_, waiting)| waiting)) {
            let retry_after = jittered(retry_after, clock::spread());
            waiting.answer(Err(Unavailable { reason: reason.clone(), retry_after }));
        }
    }
}

impl State {
    fn predicted(&self, now: Instant) -> Duration {
        let under_way = self.under_way.map(|(commands, started)| (commands, now.saturating_duration_since(started)));
        self.predictor.wait(self.waiting.len(), under_way)
    }

    fn admit(&self, now: Instant, max_wait: Duration) -> Result<(), Unavailable> {
        if self.stopping {
            return Err(Unavailable { reason: Reason::Stopping, retry_after: Duration::from_secs(1) });
        }
        if let (Some(retry_after), Some(reason)) = (self.breaker.retry_after(now), &self.broken) {
            let retry_after = jittered(retry_after, clock::spread());
            return Err(Unavailable { reason: reason.clone(), retry_after });
        }
        let predicted = self.predicted(now);
        if predicted > max_wait || self.waiting.len() >= MAX_WAITING {
            let retry_after = retry_after(predicted, max_wait, clock::spread());
            return Err(Unavailable { reason: Reason::Overloaded, retry_after });
        }
        Ok(())
    }

    fn recovered(&mut self) {
        self.breaker.succeeded();
        if self.broken.take().is_some() {
            tracing::info!(event = "store", "writing works again: registrations are accepted");
        }
    }
}

/// The writer's side of the queue.
pub(super) struct Writer {
    source: Arc<dyn Source>,
    database: Option<Box<dyn WriteAccess>>,
    /// Why it could not be opened, as last logged.
    problem: Option<String>,
    /// Commands committed since the last checkpoint.
    in_log: usize,
}

impl Writer {
    /// A writer that opens the database when there is something to write.
    pub(super) fn new(source: Arc<dyn Source>) -> Self {
        Self { source, database: None, problem: None, in_log: 0 }
    }

    /// Serves `queue` until it is stopped and empty; calls `changed` after each commit.
    pub(super) fn run(mut self, queue: &Queue, changed: impl Fn()) {
        loop {
            match queue.next() {
                Task::Write => {
                    if self.write(queue) {
                        changed();
                    }
                    if self.in_log >= LONG_LOG {
                        self.checkpoint();
                    }
                }
                Task::Probe => match self.probe() {
                    Ok(()) => queue.probed(),
                    Err(reason) => queue.failed(Vec::new(), &reason),
                },
                Task::Idle => self.checkpoint(),
                Task::Stop => {
                    self.checkpoint();
                    return;
                }
            }
        }
    }

    /// Commits one batch; whether that changed anything.
    fn write(&mut self, queue: &Queue) -> bool {
        let database = match self.database() {
            Ok(Some(database)) => database,
            Ok(None) => {
                nothing_there(queue.take());
                queue.committed(0, Duration::ZERO, Duration::ZERO);
                return false;
            }
            Err(reason) => {
                queue.failed(Vec::new(), &reason);
                return false;
            }
        };
        let (mut batch, mut taken) = (Vec::new(), Instant::now());
        let applied = database.carry_out(&mut || {
            let (commands, waiting) = queue.take();
            (batch, taken) = (waiting, Instant::now());
            commands
        });
        match applied {
            Ok(applied) => {
                self.in_log += batch.len();
                queue.committed(batch.len(), applied.work, applied.commit);
                trace::batch(traced(&batch), batch.len(), taken, Some(applied.commit));
                batch.into_iter().zip(applied.answers).for_each(|(waiting, answer)| waiting.answer(Ok(answer)));
                true
            }
            Err(reason) => {
                // After a failed sync the kernel may have dropped what was to be written, and a second sync would
                // report success. So this handle is not used again.
                self.database = None;
                trace::batch(traced(&batch), batch.len(), taken, None);
                queue.failed(batch, &reason);
                false
            }
        }
    }

    fn probe(&mut self) -> Result<(), Reason> {
        let Some(database) = self.database()? else { return Ok(()) };
        let probed = database.probe();
        if probed.is_err() {
            self.database = None;
        }
        probed
    }

    /// The database, opened if it is not yet or if another has taken its place; `None` where there is none.
    fn database(&mut self) -> Result<Option<&mut Box<dyn WriteAccess>>, Reason> {
        if self.database.as_ref().is_none_or(|database| !database.is_current()) {
            self.database = None;
            match self.source.writer() {
                Ok(database) => self.database = Some(database),
                Err(OpenError::Missing) => {}
                Err(error) => {
                    // Probes find the same problem again and again.
                    let problem = Some(error.to_string());
                    if self.problem != problem {
                        tracing::error!(event = "store", "cannot use the registration database: {error}");
                        self.problem = problem;
                    }
                    return Err(error.reason());
                }
            }
            self.problem = None;
        }
        Ok(self.database.as_mut())
    }

    fn checkpoint(&mut self) {
        if std::mem::take(&mut self.in_log) == 0 {
            return;
        }
        if let Some(database) = &mut self.database
            && let Err(reason) = database.checkpoint()
        {
            // What is registered is safe in the log; the next checkpoint copies it with a fresh handle.
            tracing::warn!(event = "store", "cannot copy the log into the registration database: {reason}");
            self.database = None;
        }
    }
}

/// Those whose wait is recorded.
fn traced(batch: &[Waiting]) -> impl Iterator<Item = Queued> {
    batch.iter().filter_map(|waiting| waiting.queued)
}

/// Without a database there are no courses and no registrations.
fn nothing_there((commands, batch): (Vec<Command>, Vec<Waiting>)) {
    for (command, waiting) in commands.into_iter().zip(batch) {
        let answer = match command {
            Command::Register(_) => Answer::UnknownCourse,
            Command::Cancel(_) => Answer::UnknownRegistration,
        };
        waiting.answer(Ok(answer));
    }
}
