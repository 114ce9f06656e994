//! The thread that compresses rows and runs and writes them to disk, so that neither sampler nor requests ever wait.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::allocator::release_free_memory;

use super::directory::Folder;
use super::log::{Found, SampleLog};
use super::runs::{Cause, Run, RunFiles};
use super::track::{Sealed, Track};
use super::{COARSE, FINE, Shared, State, unix_seconds};

/// Between two writes of samples.
const WRITE_INTERVAL: Duration = Duration::from_secs(300);

/// Runs that may be written at once, and how long it takes until one more may be: clients can start and stop runs, and
/// must not wear out the card. What may not be written yet stays in memory until it may.
const MOST_WRITES: f64 = 30.0;
const SECONDS_PER_WRITE: f64 = 120.0;

pub(super) fn spawn(shared: Arc<Shared>, folder: Option<PathBuf>) {
    let writer = Writer { folder, disk: None, failing: false, allowance: MOST_WRITES, counted: Instant::now() };
    let started = thread::Builder::new().name("history".into()).spawn(move || writer.run(&shared));
    if let Err(error) = started {
        tracing::warn!(event = "history", "no thread for the history: {error}");
    }
}

struct Writer {
    folder: Option<PathBuf>,
    disk: Option<Disk>,
    /// The last try to write failed, and the log says so.
    failing: bool,
    /// Runs that may be written now.
    allowance: f64,
    /// When the allowance was last raised.
    counted: Instant,
}

/// The files of one engine.
struct Disk {
    log: SampleLog,
    runs: RunFiles,
    _folder: Folder,
}

impl Writer {
    fn run(mut self, shared: &Shared) {
        if self.folder.is_none() {
            let unset = "STATE_DIRECTORY, XDG_STATE_HOME and HOME are not set";
            tracing::info!(event = "history", "history and runs are kept in memory only: {unset}");
        }
        self.open(shared);
        let mut next_write = Instant::now() + WRITE_INTERVAL;
        loop {
            // Reading what was kept takes up to 2 MB, a compressor 300 kB, and most often neither is needed for a minute.
            release_free_memory(true);
            let is_closing = wait(shared, next_write);
            if is_closing {
                let state = &mut *shared.lock();
                state.end_merging();
                state.ended.extend(state.recorder.shut_down());
            }
            compress(shared, false);
            let is_due = is_closing || Instant::now() >= next_write;
            if is_due {
                compress(shared, true);
                self.open(shared);
                next_write = Instant::now() + WRITE_INTERVAL;
            }
            self.write(shared, is_due);
            if is_closing {
                shared.lock().closed = true;
                shared.ended.notify_all();
                return;
            }
        }
    }

    /// Opens the files, unless they are open, and takes in what they hold.
    fn open(&mut self, shared: &Shared) {
        let Some(folder) = self.folder.clone().filter(|_| self.disk.is_none()) else { return };
        match open(&folder, shared) {
            Ok(disk) => {
                self.disk = Some(disk);
                self.failing = false;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.warn(&format!("another process uses {}: keeping history in memory", folder.display()));
            }
            Err(error) => {
                self.warn(&format!("cannot use {}, keeping history in memory: {error}", folder.display()));
            }
        }
    }

    fn write(&mut self, shared: &Shared, samples_too: bool) {
        self.allowance += self.counted.elapsed().as_secs_f64() / SECONDS_PER_WRITE;
        self.allowance = self.allowance.min(MOST_WRITES);
        self.counted = Instant::now();
        let Some(disk) = &mut self.disk else {
            shared.lock().kept.deleted.clear();
            return;
        };
        let written = disk.write_runs(shared, &mut self.allowance).and_then(|()| {
            let active = shared.lock().recorder.active().filter(|_| samples_too);
            if let Some(course) = active {
                // What is left of it if the process ends without a chance to say so.
                disk.runs.write(course.id, &Run::new(&course, &shared.identity).whole)?;
            }
            if samples_too { disk.write_samples(shared) } else { Ok(()) }
        });
        match written {
            Ok(()) => self.failing = false,
            Err(error) => self.warn(&format!("cannot save history: {error}; trying again")),
        }
    }

    /// Logs the first of several failures.
    fn warn(&mut self, message: &str) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(event = "history", "{message}");
        }
    }
}

/// Waits until there is something to do or it is time to write; whether it is time to end.
fn wait(shared: &Shared, until: Instant) -> bool {
    let has_work = |state: &State| {
        state.closing
            || !state.ended.is_empty()
            || !state.kept.deleted.is_empty()
            || state.fine.is_ripe()
            || state.coarse.is_ripe()
    };
    let timeout = until.saturating_duration_since(Instant::now());
    let waited = shared.work.wait_timeout_while(shared.lock(), timeout, |state| !has_work(state));
    waited.is_ok_and(|(state, _)| state.closing)
}

/// Compresses ended runs and full pieces of rows; with `all` also the rows that fill none.
fn compress(shared: &Shared, all: bool) {
    let ended = std::mem::take(&mut shared.lock().ended);
    for course in ended {
        let run = Run::new(&course, &shared.identity);
        shared.lock().kept.insert(run);
        if course.started_by == Cause::Load {
            tracing::info!(event = "run", "a run of {} s has ended: /runs/{}", course.end - course.start, course.id);
        }
    }
    for track in [fine, coarse] {
        while let Some(unsealed) = {
            let mut state = shared.lock();
            let track = track(&mut state);
            if all || track.is_ripe() { track.unsealed(all) } else { None }
        } {
            let (sealed, count) = unsealed.compress();
            track(&mut shared.lock()).seal(sealed, count);
        }
    }
}

fn fine(state: &mut State) -> &mut Track {
    &mut state.fine
}

fn coarse(state: &mut State) -> &mut Track {
    &mut state.coarse
}

fn open(path: &Path, shared: &Shared) -> io::Result<Disk> {
    let folder = Folder::open(path.to_owned())?;
    let (log, Found { records, mut damaged }) =
        SampleLog::open(folder.history(), &shared.names, unix_seconds(), COARSE.max_age)?;
    let runs = RunFiles(folder.runs());
    let (kept, damaged_runs) = runs.read()?;
    damaged.extend(damaged_runs);
    if !damaged.is_empty() {
        let names: Vec<String> = damaged.iter().map(|path| path.display().to_string()).collect();
        tracing::warn!(event = "history", "ignored what is damaged in {}", names.join(", "));
    }
    let of_step = |step: u32| -> Vec<Sealed> {
        records.iter().filter(|(its, _)| *its == step).map(|(_, sealed)| sealed.clone()).collect()
    };
    let state = &mut *shared.lock();
    state.fine.restore(of_step(FINE.step));
    state.coarse.restore(of_step(COARSE.step));
    for run in kept {
        state.kept.insert(run);
    }
    Ok(Disk { log, runs, _folder: folder })
}

impl Disk {
    /// Writes the runs that are not on disk yet, as far as the allowance goes, and removes the deleted ones.
    fn write_runs(&self, shared: &Shared, allowance: &mut f64) -> io::Result<()> {
        let deleted = std::mem::take(&mut shared.lock().kept.deleted);
        for id in deleted {
            self.runs.remove(id)?;
        }
        while *allowance >= 1.0 {
            let Some((id, whole)) = shared.lock().kept.unsaved().map(|run| (run.id, run.whole.clone())) else {
                break;
            };
            self.runs.write(id, &whole)?;
            *allowance -= 1.0;
            if let Some(run) = shared.lock().kept.get_mut(id) {
                run.saved = true;
            }
        }
        Ok(())
    }

    /// Appends every piece that is not on disk yet, in one write.
    fn write_samples(&mut self, shared: &Shared) -> io::Result<()> {
        let mut pieces = Vec::new();
        {
            let state = shared.lock();
            for track in [&state.fine, &state.coarse] {
                let unsaved = track.sealed.iter().filter(|sealed| !sealed.saved);
                pieces.extend(unsaved.map(|sealed| (track.shape.step, sealed.clone())));
            }
        }
        self.log.append(&pieces, unix_seconds(), COARSE.max_age)?;
        let state = &mut *shared.lock();
        for track in [&mut state.fine, &mut state.coarse] {
            for sealed in &mut track.sealed {
                let is_written = |(step, piece): &(u32, Sealed)| *step == track.shape.step && piece.last == sealed.last;
                sealed.saved |= pieces.iter().any(is_written);
            }
        }
        Ok(())
    }
}
