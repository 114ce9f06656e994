//! The last runs, in memory as they are served and on disk as one gzip file each.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::super::directory::numbered;
use super::super::piece::{Document, Piece};
use super::Run;

/// Runs kept.
const MOST_RUNS: usize = 100;

/// The oldest runs go beyond this many compressed bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// A file of more bytes, or of a run whose text has more, was not written here.
const MOST_FILE_BYTES: u64 = 64 * 1024;
const MOST_TEXT_BYTES: u64 = 512 * 1024;

const SUFFIX: &str = ".json.gz";

/// The runs in memory, oldest first.
#[derive(Debug, Default)]
pub(in crate::history) struct Kept {
    runs: VecDeque<Run>,
    /// Deleted, and perhaps still on disk.
    pub(in crate::history) deleted: Vec<u32>,
}

impl Kept {
    /// Adds a run, in the order of their ids; the oldest go when there are too many.
    pub(in crate::history) fn insert(&mut self, run: Run) {
        self.runs.retain(|kept| kept.id != run.id);
        let at = self.runs.partition_point(|kept| kept.id < run.id);
        self.runs.insert(at, run);
        let bytes = |run: &Run| run.summary.deflated.len() + run.whole.deflated.len();
        let mut total: usize = self.runs.iter().map(bytes).sum();
        while self.runs.len() > MOST_RUNS || total > MOST_BYTES {
            let Some(oldest) = self.runs.pop_front() else { break };
            total -= bytes(&oldest);
            self.forget(oldest.id);
        }
    }

    pub(in crate::history) fn get(&self, id: u32) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == id)
    }

    pub(in crate::history) fn get_mut(&mut self, id: u32) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == id)
    }

    pub(in crate::history) fn unsaved(&self) -> Option<&Run> {
        self.runs.iter().find(|run| !run.saved)
    }

    /// Whether there was such a run.
    pub(in crate::history) fn delete(&mut self, id: u32) -> bool {
        let before = self.runs.len();
        self.runs.retain(|run| run.id != id);
        let was_there = self.runs.len() < before;
        if was_there {
            self.forget(id);
        }
        was_there
    }

    /// The summaries, newest first.
    pub(in crate::history) fn summaries(&self) -> Vec<Piece> {
        self.runs.iter().rev().map(|run| run.summary.clone()).collect()
    }

    /// Without a disk these stay in memory.
    fn forget(&mut self, id: u32) {
        self.deleted.push(id);
        if self.deleted.len() > 2 * MOST_RUNS {
            self.deleted.remove(0);
        }
    }
}

/// The files of one engine's runs.
#[derive(Debug)]
pub(in crate::history) struct RunFiles(pub(in crate::history) PathBuf);

impl RunFiles {
    /// Every run that can be read, and the files that cannot.
    pub(in crate::history) fn read(&self) -> io::Result<(Vec<Run>, Vec<PathBuf>)> {
        let (mut runs, mut damaged) = (Vec::new(), Vec::new());
        let files = numbered(&self.0, SUFFIX)?;
        for (id, path) in files.iter().rev().take(MOST_RUNS) {
            match read_run(path).ok().and_then(|text| restore(*id, &text)) {
                Some(run) => runs.push(run),
                None => damaged.push(path.clone()),
            }
        }
        for (_, path) in files.iter().rev().skip(MOST_RUNS) {
            fs::remove_file(path)?;
        }
        Ok((runs, damaged))
    }

    /// Writes a run; a reader sees the old file or the new one, after a power cut too.
    pub(in crate::history) fn write(&self, id: u32, whole: &Piece) -> io::Result<()> {
        let mut document = Document::new(true);
        document.piece(whole)?;
        let temporary = self.0.join("new");
        let mut file = File::create(&temporary)?;
        file.write_all(&document.finish())?;
        file.sync_all()?;
        fs::rename(&temporary, self.path(id))
    }

    pub(in crate::history) fn remove(&self, id: u32) -> io::Result<()> {
        match fs::remove_file(self.path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    fn path(&self, id: u32) -> PathBuf {
        self.0.join(format!("{id}{SUFFIX}"))
    }
}

fn read_run(path: &PathBuf) -> io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(File::open(path)?.take(MOST_FILE_BYTES)).take(MOST_TEXT_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

/// The run that a file's text holds.
fn restore(id: u32, text: &str) -> Option<Run> {
    let whole: Value = serde_json::from_str(text).ok()?;
    let summary = whole.get("run")?;
    if summary.get("id")?.as_str()? != id.to_string() || !whole.get("rows")?.is_array() {
        return None;
    }
    Some(Run { id, summary: Piece::new(&summary.to_string()), whole: Piece::new(text), saved: true })
}
