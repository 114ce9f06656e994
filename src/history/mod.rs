//! Samples of the last day, and the last runs. Knows no runtime, no socket and no metric but by name.
//!
//! [`History::record`] takes each second's numbers, which costs microseconds: it appends a row of text under a lock. A
//! thread of its own compresses rows and ended runs, and writes them to the state directory seldom; whatever the disk
//! does, no request waits for it. Answers are made of parts that are compressed already.

mod directory;
mod fields;
mod log;
mod piece;
mod runs;
mod track;
mod writer;

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hdrhistogram::Histogram;
use serde_json::{Value, json};

pub use fields::{FIELDS, Values};
use fields::{Merger, names_json, write_row};
use piece::Document;
pub use runs::Identity;
use runs::{Course, Kept, Recorder};
use track::{Shape, Track};

/// A quarter of an hour second by second.
const FINE: Shape = Shape { step: 1, piece_rows: 60, max_age: 900, max_bytes: 256 * 1024 };

/// A day in steps of ten seconds.
const COARSE: Shape = Shape { step: 10, piece_rows: 30, max_age: 86_400, max_bytes: 1024 * 1024 };

/// A clock that steps back by no more than this is waited for; one that steps back further was wrong before.
const STEP_BACK: u32 = 3600;

/// Ended runs that wait for the thread that compresses them; more are dropped.
const MOST_ENDED: usize = 8;

/// How long [`History::close`] waits for the disk.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// A stretch of time that ends now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// 15 minutes in steps of a second.
    Quarter,
    /// An hour in steps of ten seconds.
    Hour,
    /// A day in steps of ten seconds.
    Day,
}

impl Window {
    /// The window of this name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "15m" => Some(Self::Quarter),
            "1h" => Some(Self::Hour),
            "24h" => Some(Self::Day),
            _ => None,
        }
    }

    fn seconds(self) -> u32 {
        match self {
            Self::Quarter => 900,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }
}

/// One engine's samples and runs.
pub struct History {
    shared: Arc<Shared>,
}

/// What the sampler, the requests and the writer share.
struct Shared {
    identity: Identity,
    /// The names of the fields as a JSON array.
    names: String,
    state: Mutex<State>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes who waits for the writer's end.
    ended: Condvar,
}

struct State {
    fine: Track,
    coarse: Track,
    /// The ten seconds that are being merged: which ones, and the time of the newest.
    merging: Option<(u32, u32, Merger)>,
    recorder: Recorder,
    kept: Kept,
    /// Ended runs on their way to the writer.
    ended: Vec<Course>,
    closing: bool,
    closed: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History {
    /// An empty history of `identity`, which goes on with what is in its folder of `directory`; without a directory it
    /// is kept in memory only.
    pub fn start(identity: Identity, directory: Option<PathBuf>) -> Self {
        let folder = directory.map(|directory| directory.join(identity.engine));
        let state = State {
            fine: Track::new(FINE),
            coarse: Track::new(COARSE),
            merging: None,
            recorder: Recorder::default(),
            kept: Kept::default(),
            ended: Vec::new(),
            closing: false,
            closed: false,
        };
        let shared = Arc::new(Shared {
            identity,
            names: names_json(),
            state: Mutex::new(state),
            work: Condvar::new(),
            ended: Condvar::new(),
        });
        writer::spawn(Arc::clone(&shared), folder);
        Self { shared }
    }

    /// Takes in the second that ended at `time`, in seconds since the Unix epoch: its numbers, and the latencies of its
    /// answers in microseconds.
    pub fn record(&self, time: f64, values: &Values, latencies: &Histogram<u64>) {
        let state = &mut *self.shared.lock();
        let second = time as u32;
        if state.accepts(second) {
            let mut row = String::with_capacity(192);
            write_row(&mut row, second, values);
            state.fine.push(second, row);
            state.merge(second, values);
        }
        let ended = {
            let State { recorder, kept, ended, .. } = state;
            let is_taken = |id: u32| kept.get(id).is_some() || ended.iter().any(|run| run.id == id);
            recorder.record(time, values, latencies, |start| free_id(start, is_taken))
        };
        state.ended.extend(ended);
        if state.ended.len() > MOST_ENDED {
            state.ended.remove(0);
        }
        if !state.ended.is_empty() || state.fine.is_ripe() || state.coarse.is_ripe() {
            self.shared.work.notify_one();
        }
    }

    /// The rows of a window as JSON, compressed or not.
    pub fn window(&self, window: Window, gzip: bool) -> std::io::Result<Bytes> {
        let now = unix_seconds();
        let (rows, step) = {
            let state = self.shared.lock();
            let track = if window == Window::Quarter { &state.fine } else { &state.coarse };
            let end = track.newest().map_or(now, |newest| newest.max(now));
            (track.since((end + 1).saturating_sub(window.seconds())), track.shape.step)
        };
        let (engine, names) = (self.shared.identity.engine, &self.shared.names);
        let mut document = Document::new(gzip);
        document.text(&format!(r#"{{"engine":"{engine}","step_seconds":{step},"fields":{names},"rows":["#));
        rows.write(&mut document)?;
        document.text("]}");
        Ok(document.finish())
    }

    /// The run that is going on and all that are kept, newest first, without their rows.
    pub fn runs(&self, gzip: bool) -> std::io::Result<Bytes> {
        let (active, summaries) = {
            let state = self.shared.lock();
            (state.active(&self.shared.identity), state.kept.summaries())
        };
        let mut document = Document::new(gzip);
        document.text(&format!(r#"{{"engine":"{}","active":{active},"runs":["#, self.shared.identity.engine));
        for (nth, summary) in summaries.iter().enumerate() {
            if nth > 0 {
                document.text(",");
            }
            document.piece(summary)?;
        }
        document.text("]}");
        Ok(document.finish())
    }

    /// One run with its rows; `None` when there is no such run.
    pub fn run(&self, id: u32, gzip: bool) -> Option<std::io::Result<Bytes>> {
        let whole = self.shared.lock().kept.get(id)?.whole.clone();
        let mut document = Document::new(gzip);
        let written = document.piece(&whole);
        Some(written.map(|()| document.finish()))
    }

    /// Begins a run with the second that is going on, which ends one that is going on; gives its id.
    pub fn start_run(&self, name: Option<&str>) -> u32 {
        let state = &mut *self.shared.lock();
        let id = free_id(unix_seconds(), |id| state.knows(id));
        state.recorder.ask_start(id, name.and_then(runs::clean_name));
        id
    }

    /// Ends the run with the second that is going on; gives its id, or `None` when none is going on.
    pub fn stop_run(&self) -> Option<u32> {
        self.shared.lock().recorder.ask_stop()
    }

    /// Deletes a run that has ended; whether there was one.
    pub fn delete_run(&self, id: u32) -> bool {
        let deleted = self.shared.lock().kept.delete(id);
        self.shared.work.notify_one();
        deleted
    }

    /// Ends the run that is going on and writes what is not yet on disk; waits for that, but not long.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.work.notify_one();
        let waited = self.shared.ended.wait_timeout_while(state, CLOSE_TIMEOUT, |state| !state.closed);
        if waited.is_ok_and(|(_, result)| result.timed_out()) {
            tracing::warn!(event = "history", "the disk takes too long: the last minutes of history are not saved");
        }
    }
}

impl State {
    /// Whether a row of this second is kept. The clock of a board without a battery is behind until the network sets it to
    /// the time: rows wait until it has caught up, and rows of a future that never came are dropped.
    fn accepts(&mut self, second: u32) -> bool {
        let newest = self.fine.newest().max(self.coarse.newest());
        let Some(newest) = newest.filter(|newest| second <= *newest) else { return true };
        if newest - second <= STEP_BACK {
            return false;
        }
        self.fine.forget_from(second);
        self.coarse.forget_from(second);
        self.merging = None;
        true
    }

    fn merge(&mut self, second: u32, values: &Values) {
        let ten = second / COARSE.step;
        if self.merging.as_ref().is_some_and(|(current, ..)| *current != ten) {
            self.end_merging();
        }
        let (_, newest, merger) = self.merging.get_or_insert_with(|| (ten, second, Merger::default()));
        *newest = second;
        merger.add(values);
    }

    /// Makes a row of the seconds merged so far.
    fn end_merging(&mut self) {
        if let Some((_, newest, merger)) = self.merging.take() {
            let mut row = String::with_capacity(192);
            write_row(&mut row, newest, &merger.merged());
            self.coarse.push(newest, row);
        }
    }

    fn knows(&self, id: u32) -> bool {
        self.recorder.has(id) || self.kept.get(id).is_some() || self.ended.iter().any(|run| run.id == id)
    }

    /// What goes on: a run as it stands, one that begins with the next second, or null.
    fn active(&self, identity: &Identity) -> Value {
        if let Some((id, name)) = self.recorder.starting() {
            return json!({ "id": id.to_string(), "engine": identity.engine, "name": name, "state": "starting" });
        }
        self.recorder.active().map_or(Value::Null, |course| runs::summary(&course, identity, true))
    }
}

/// The first number from `start` on that is no run's id.
fn free_id(start: u32, is_taken: impl Fn(u32) -> bool) -> u32 {
    (start..u32::MAX).find(|id| !is_taken(*id)).unwrap_or(start)
}

fn unix_seconds() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}
