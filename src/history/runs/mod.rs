//! Runs: stretches of load with a name, a start, an end, and their results.

mod kept;
mod recorder;
mod series;
mod tally;
#[cfg(test)]
mod tests;

pub(super) use kept::{Kept, RunFiles};
pub(super) use recorder::{Cause, Course, Recorder};

use serde_json::{Value, json};

use super::piece::Piece;

/// A run's name is cut after this many characters.
const MOST_NAME: usize = 80;

/// A run's settings, engine and board; the same for every run of a process.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The engine's name.
    pub engine: &'static str,
    /// Its settings, as they stand in `/metrics`.
    pub settings: Value,
    /// The board's model.
    pub board: Option<String>,
}

/// A run that is kept: its line in the list, and all of it with its rows.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: u32,
    pub(super) summary: Piece,
    pub(super) whole: Piece,
    /// Written to the disk.
    pub(super) saved: bool,
}

impl Run {
    pub(super) fn new(course: &Course, identity: &Identity) -> Self {
        let summary = summary(course, identity, false).to_string();
        let mut whole = format!("{{\"run\":{summary},");
        course.series.write(&mut whole);
        whole.push('}');
        Self { id: course.id, summary: Piece::new(&summary), whole: Piece::new(&whole), saved: false }
    }
}

/// A run's description and results, without its rows.
pub(super) fn summary(course: &Course, identity: &Identity, is_active: bool) -> Value {
    let mut board = json!({ "model": identity.board });
    if let (Value::Object(board), Value::Object(measured)) = (&mut board, course.tally.board()) {
        board.extend(measured);
    }
    json!({
        "id": course.id.to_string(),
        "engine": identity.engine,
        "name": course.name,
        "state": if is_active { "active" } else { "ended" },
        "started_by": course.started_by.name(),
        "ended_by": (!is_active).then(|| course.ended_by.name()),
        "start": course.start,
        "end": course.end,
        "seconds": course.end.saturating_sub(course.start),
        "settings": identity.settings,
        "board": board,
        "results": course.tally.results(),
    })
}

/// A name as it may be kept: printable, trimmed and short; `None` when nothing is left of it.
pub(super) fn clean_name(name: &str) -> Option<String> {
    let printable = name.chars().map(|char| if char.is_control() { ' ' } else { char });
    let name: String = printable.collect::<String>().trim().chars().take(MOST_NAME).collect();
    (!name.is_empty()).then_some(name)
}
