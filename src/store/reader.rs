//! The thread that reads: answers look-ups, and keeps the course list up to date. Readers never
//! hold up the writer, so no amount of looking delays a registration.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::admission::{BROWSING_WAIT, MAX_BATCH, jittered, retry_after};
use super::backend::{OpenError, ReadAccess, Source};
use super::clock;
use super::courses::CourseList;
use super::model::{Answer, Reason, RegistrationId, Unavailable};
use super::writer::Completion;

/// How often the list is compared with what other processes have committed.
const POLL: Duration = Duration::from_millis(250);

/// The list is read no more often than this, however many registrations come.
const SHORTEST: Duration = Duration::from_millis(100);

/// What callers, the writer and the reader share.
pub(super) struct Lookups {
    state: Mutex<State>,
    work: Condvar,
    max_wait: Duration,
}

struct State {
    waiting: VecDeque<(RegistrationId, Completion)>,
    /// Seconds that one look-up takes, a moving average.
    cost: f64,
    reader_sleeps: bool,
    changed: bool,
    stopping: bool,
    courses: Arc<CourseList>,
}

impl Lookups {
    pub(super) fn new(max_wait: Duration) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            cost: 0.000_1,
            reader_sleeps: false,
            changed: true,
            stopping: false,
            courses: Arc::default(),
        };
        Self { state: Mutex::new(state), work: Condvar::new(), max_wait: max_wait.min(BROWSING_WAIT) }
    }

    /// The courses as they were at most a quarter of a second ago. The same `Arc` as before if nothing has changed.
    pub(super) fn courses(&self) -> Arc<CourseList> {
        Arc::clone(&self.lock().courses)
    }

    /// Admits a look-up, or refuses it at once.
    pub(super) fn find(&self, id: RegistrationId, completion: Completion) {
        let mut state = self.lock();
        let predicted = Duration::from_secs_f64(state.cost * state.waiting.len() as f64);
        if predicted > self.max_wait {
            drop(state);
            let retry_after = retry_after(predicted, self.max_wait, clock::spread());
            return completion(Err(Unavailable { reason: Reason::Overloaded, retry_after }));
        }
        state.waiting.push_back((id, completion));
        if std::mem::take(&mut state.reader_sleeps) {
            self.work.notify_one();
        }
    }

    /// The writer has committed.
    pub(super) fn changed(&self) {
        let mut state = self.lock();
        state.changed = true;
        if std::mem::take(&mut state.reader_sleeps) {
            self.work.notify_one();
        }
    }

    pub(super) fn stop(&self) {
        self.lock().stopping = true;
        self.work.notify_one();
    }

    /// Serves look-ups until stopped.
    pub(super) fn run(&self, source: Arc<dyn Source>) {
        let mut reader = Reader { source, database: None, version: None, listed: None };
        loop {
            let mut state = self.lock();
            if state.waiting.is_empty() {
                if state.stopping {
                    return;
                }
                let sleep = if state.changed { reader.until_next_list() } else { POLL };
                if !sleep.is_zero() {
                    // A commit wakes the reader only once it may read the list again.
                    state.reader_sleeps = !state.changed;
                    state = self.work.wait_timeout(state, sleep).unwrap_or_else(PoisonError::into_inner).0;
                    state.reader_sleeps = false;
                }
            }
            let count = state.waiting.len().min(MAX_BATCH);
            let waiting = state.waiting.drain(..count).collect();
            state.changed &= !reader.until_next_list().is_zero();
            drop(state);
            if let Some(cost) = reader.answer(waiting) {
                let mut state = self.lock();
                state.cost += (cost - state.cost) * 0.2;
            }
            if let Some(courses) = reader.list() {
                let mut state = self.lock();
                if *state.courses != courses {
                    state.courses = Arc::new(courses);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reader {
    source: Arc<dyn Source>,
    database: Option<Box<dyn ReadAccess>>,
    /// Of the database when the list was last read.
    version: Option<i64>,
    /// When the list was last looked after.
    listed: Option<Instant>,
}

impl Reader {
    fn until_next_list(&self) -> Duration {
        self.listed.map_or(Duration::ZERO, |listed| SHORTEST.saturating_sub(listed.elapsed()))
    }

    /// Answers all and gives the seconds that each took.
    fn answer(&mut self, waiting: VecDeque<(RegistrationId, Completion)>) -> Option<f64> {
        if waiting.is_empty() {
            return None;
        }
        let (started, count) = (Instant::now(), waiting.len());
        let (ids, completions): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let found = match self.database() {
            Ok(Some(database)) => database.find(&ids),
            Ok(None) => Ok(vec![Answer::UnknownRegistration; count]),
            Err(reason) => Err(reason),
        };
        match found {
            Ok(answers) => {
                completions.into_iter().zip(answers).for_each(|(completion, answer)| completion(Ok(answer)));
            }
            Err(reason) => {
                self.database = None;
                for completion in completions {
                    let retry_after = jittered(Duration::from_secs(1), clock::spread());
                    completion(Err(Unavailable { reason: reason.clone(), retry_after }));
                }
            }
        }
        Some(started.elapsed().as_secs_f64() / count as f64)
    }

    /// The course list if it may have changed. While the database cannot be read, the last list stays.
    fn list(&mut self) -> Option<CourseList> {
        if !self.until_next_list().is_zero() {
            return None;
        }
        self.listed = Some(Instant::now());
        let before = self.version;
        let read = match self.database() {
            Ok(Some(database)) => database.version().and_then(|version| {
                // The version is read first: what is committed in between is read twice and never missed.
                if before == Some(version) { Ok(None) } else { Ok(Some((version, database.courses()?))) }
            }),
            Ok(None) => return Some(CourseList::default()),
            Err(_) => return None,
        };
        match read {
            Ok(Some((version, courses))) => {
                self.version = Some(version);
                Some(courses)
            }
            Ok(None) => None,
            Err(_) => {
                self.database = None;
                None
            }
        }
    }

    fn database(&mut self) -> Result<Option<&mut Box<dyn ReadAccess>>, Reason> {
        if self.database.as_ref().is_none_or(|database| !database.is_current()) {
            self.version = None;
            self.database = match self.source.reader() {
                Ok(database) => Some(database),
                Err(OpenError::Missing) => None,
                Err(error) => return Err(error.reason()),
            };
        }
        Ok(self.database.as_mut())
    }
}
