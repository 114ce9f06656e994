//! The client process: takes its share on standard input, floods, reports on standard output.
//!
//! In: one line of JSON, the [`Share`]; then an [`Order`] a line; end of input means stop now. Out: a [`Snapshot`] a
//! line, as JSON, five times a second and whenever something the crew waits for has happened.

use std::io::{self, BufRead, Write};
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::{MissedTickBehavior, interval};

use super::pacer::pace;
use super::tally::Tally;
use super::worker::{Share, Worker};

const REPORT_EVERY: Duration = Duration::from_millis(200);

/// What the crew tells a process once it has its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Every process has settled: begin the paced requests.
    Hold,
    /// The hold is over: leave when the paced requests that fall due in it are done.
    Finish,
}

impl Order {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Finish => "finish",
        }
    }
}

impl FromStr for Order {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        [Self::Hold, Self::Finish]
            .into_iter()
            .find(|order| order.as_str() == text)
            .with_context(|| format!("no such order: {text:?}"))
    }
}

/// One process's news.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    /// What happened since its last snapshot.
    pub(super) news: Tally,
    /// Connections open now.
    pub(super) open: usize,
    /// Requests begun and neither answered nor failed.
    pub(super) unfinished: usize,
    pub(super) settled: bool,
}

/// Runs until told to stop.
///
/// # Errors
/// When what comes in makes no sense, nobody reads what goes out, or the kernel refuses a timer.
pub(super) fn run() -> anyhow::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let share = lines.next().context("no share came in")??;
    let share: Share = serde_json::from_str(&share).context("the share is not what this version expects")?;
    drop(lines);
    let (sender, orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(order) = line.map_err(anyhow::Error::from).and_then(|line| line.parse()) else {
                break;
            };
            if sender.send(order).is_err() {
                break;
            }
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work(share, orders))
}

async fn work(share: Share, mut orders: mpsc::UnboundedReceiver<Order>) -> anyhow::Result<()> {
    let worker = Rc::new(Worker::new(share));
    let mut due = pace(worker.share.ramp_schedule(Instant::now()))?;
    let (mut ramping, mut more, mut finishing) = (true, true, false);
    let mut report = interval(REPORT_EVERY);
    report.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !(finishing && !more && worker.unfinished() == 0) {
        tokio::select! {
            due = due.recv(), if more => match due {
                Some(due) if ramping => worker.ramp(due),
                Some(due) => worker.issue(due),
                None => more = false,
            },
            order = orders.recv() => match order {
                Some(Order::Hold) => {
                    ramping = false;
                    more = true;
                    due = pace(worker.share.paced_schedule(Instant::now()))?;
                }
                Some(Order::Finish) => finishing = true,
                None => break,
            },
            () = worker.changed.notified() => tell(&worker)?,
            _ = report.tick() => tell(&worker)?,
        }
    }
    tell(&worker)
}

fn tell(worker: &Worker) -> anyhow::Result<()> {
    let snapshot = Snapshot {
        news: worker.take_tally(),
        open: worker.open(),
        unfinished: worker.unfinished(),
        settled: worker.is_settled(),
    };
    let mut line = serde_json::to_vec(&snapshot)?;
    line.push(b'\n');
    io::stdout().lock().write_all(&line).context("nobody listens any more")
}
