//! The client process: takes its assignment on standard input, floods, reports on standard output.
//!
//! In: one line of JSON, the [`Assignment`]; then an [`Instruction`] a line; end of input means stop now. Out: a
//! [`Snapshot`] a line, as JSON, five times a second and whenever something the coordinator waits for has happened.

use std::io::{self, BufRead, Write};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};

use super::connection;
use super::pacer::pace;
use super::tally::Tally;
use super::worker::{Assignment, Worker};

const REPORT_EVERY: Duration = Duration::from_millis(200);

/// What the coordinator sends to a process after its assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Every process has settled: begin the paced requests.
    Hold,
    /// The hold is over: leave when the paced requests that fall due in it are done.
    Finish,
}

impl Instruction {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Finish => "finish",
        }
    }
}

impl FromStr for Instruction {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        [Self::Hold, Self::Finish]
            .into_iter()
            .find(|instruction| instruction.as_str() == text)
            .with_context(|| format!("no such instruction: {text:?}"))
    }
}

/// What one process reports.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// What happened since its last snapshot.
    pub(super) tally: Tally,
    /// Connections open now.
    pub(super) open: usize,
    /// Requests begun and neither answered nor failed.
    pub(super) unfinished: usize,
    pub(super) settled: bool,
}

/// Runs until the coordinator says to stop.
///
/// # Errors
/// When the input is invalid, the output is not read, or the kernel refuses a timer.
pub(super) fn run() -> anyhow::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let assignment = lines.next().context("no assignment on standard input")??;
    let assignment: Assignment =
        serde_json::from_str(&assignment).context("the assignment is not what this version expects")?;
    drop(lines);
    let (sender, instructions) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(instruction) = line.map_err(anyhow::Error::from).and_then(|line| line.parse()) else {
                break;
            };
            if sender.send(instruction).is_err() {
                break;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work(assignment, instructions))
}

async fn work(assignment: Assignment, mut instructions: mpsc::UnboundedReceiver<Instruction>) -> anyhow::Result<()> {
    let worker = Rc::new(Worker::new(assignment));
    let mut due = pace(worker.assignment.ramp_schedule(Instant::now()))?;
    let (mut ramping, mut more, mut finishing) = (true, true, false);
    let mut report_due = interval(REPORT_EVERY);
    report_due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !(finishing && !more && worker.unfinished() == 0) {
        tokio::select! {
            due = due.recv(), if more => match due {
                Some(due) if ramping => connection::ramp(&worker, due),
                Some(due) => connection::issue(&worker, due),
                None => more = false,
            },
            instruction = instructions.recv() => match instruction {
                Some(Instruction::Hold) => {
                    ramping = false;
                    more = true;
                    due = pace(worker.assignment.paced_schedule(Instant::now()))?;
                }
                Some(Instruction::Finish) => finishing = true,
                None => break,
            },
            () = worker.changed.notified() => report(&worker)?,
            _ = report_due.tick() => report(&worker)?,
        }
    }
    report(&worker)
}

fn report(worker: &Worker) -> anyhow::Result<()> {
    let snapshot = Snapshot {
        tally: worker.take_tally(),
        open: worker.open(),
        unfinished: worker.unfinished(),
        settled: worker.is_settled(),
    };
    let mut line = serde_json::to_vec(&snapshot)?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line).context("the coordinator has ended")
}
