//! Starts the client processes, leads them through ramp, hold and finish together, and adds up what they report.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use super::WORKER_FLAG;
use super::child::{Order, Snapshot};
use super::plan::Plan;
use super::report::Progress;
use super::tally::{Failure, Tally};
use super::worker::Share;

/// Where the flood is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Opening connections; over when each has had its first answer or failed.
    Ramp,
    /// All are open and stay so.
    Hold,
    /// Waiting for the last answers and the last words of the processes.
    Finish,
}

/// The flood so far, and in the end.
#[derive(Debug)]
pub(super) struct Count {
    pub(super) total: Tally,
    pub(super) phase: Phase,
    /// Connections open now, and the most ever seen open at once.
    pub(super) open: usize,
    pub(super) peak_open: usize,
    /// Requests begun and neither answered nor failed.
    pub(super) unfinished: usize,
    pub(super) started: Instant,
    /// When the ramp had settled, and when the hold was over.
    pub(super) settled: Option<Instant>,
    pub(super) held: Option<Instant>,
    pub(super) ended: Option<Instant>,
    /// When the last paced answer was reported.
    pub(super) last_paced: Option<Instant>,
    pub(super) interrupted: bool,
}

impl Count {
    /// From the start until all had settled, or until now.
    pub(super) fn ramp_took(&self) -> Duration {
        self.settled.or(self.ended).map_or_else(|| self.started.elapsed(), |end| end - self.started)
    }

    fn enter(&mut self, phase: Phase, crew: &mut [Member]) {
        let order = if phase == Phase::Hold {
            self.settled = Some(Instant::now());
            Order::Hold
        } else {
            self.held = Some(Instant::now());
            Order::Finish
        };
        self.phase = phase;
        for member in crew {
            member.order(order);
        }
    }

    /// From there until the hold was over, or until now.
    pub(super) fn hold_took(&self) -> Duration {
        self.settled.map_or(Duration::ZERO, |settled| {
            self.held.or(self.ended).map_or_else(|| settled.elapsed(), |end| end - settled)
        })
    }

    /// The time in which the paced answers came: the hold, and longer if the last came after it.
    pub(super) fn paced_took(&self) -> Duration {
        let last = self.settled.zip(self.last_paced).map_or(Duration::ZERO, |(settled, last)| last - settled);
        self.hold_took().max(last)
    }

    /// From the start to the end, or until now.
    pub(super) fn took(&self) -> Duration {
        self.ended.map_or_else(|| self.started.elapsed(), |end| end - self.started)
    }
}

enum Event {
    News(Box<Snapshot>),
    /// The process closed its output: it is gone, or about to be.
    Ended,
}

struct Member {
    child: Child,
    /// Closing it tells the process to stop.
    orders: Option<ChildStdin>,
    open: usize,
    unfinished: usize,
    settled: bool,
    ended: bool,
}

impl Member {
    fn order(&mut self, order: Order) {
        if let Some(orders) = &mut self.orders {
            // A process that is gone is noticed by the end of its output.
            let _ = writeln!(orders, "{}", order.as_str());
        }
    }
}

/// Carries out the plan.
///
/// # Errors
/// When a process cannot be started or speaks nonsense.
pub(super) async fn run(plan: &Plan, progress: &mut Progress) -> anyhow::Result<Count> {
    let mut interrupts = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut crew = Vec::new();
    for (place, share) in plan.shares.iter().enumerate() {
        crew.push(start(place, share, sender.clone()).context("cannot start a client process")?);
    }
    let mut count = Count {
        total: Tally::default(),
        phase: Phase::Ramp,
        open: 0,
        peak_open: 0,
        unfinished: 0,
        started: Instant::now(),
        settled: None,
        held: None,
        ended: None,
        last_paced: None,
        interrupted: false,
    };
    let mut tick = interval_at((count.started + progress.every()).into(), progress.every());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !crew.iter().all(|member| member.ended) {
        let hold_over = count.settled.map_or(count.started, |settled| settled + plan.hold);
        tokio::select! {
            Some((place, event)) = events.recv() => note(&mut crew[place], event?, &mut count),
            () = stop(&mut interrupts) => {
                if std::mem::replace(&mut count.interrupted, true) {
                    break;
                }
                for member in &mut crew {
                    member.orders = None;
                }
            }
            () = sleep_until(hold_over.into()), if count.phase == Phase::Hold => count.enter(Phase::Finish, &mut crew),
            _ = tick.tick() => progress.show(&count),
        }
        count.open = crew.iter().map(|member| member.open).sum();
        count.peak_open = count.peak_open.max(count.open);
        count.unfinished = crew.iter().map(|member| member.unfinished).sum();
        if count.phase == Phase::Ramp && crew.iter().all(|member| member.settled) {
            count.enter(Phase::Hold, &mut crew);
        }
        if count.phase == Phase::Hold && count.open == 0 && plan.rate.is_none() {
            // Nothing left to hold.
            count.enter(Phase::Finish, &mut crew);
        }
    }
    count.ended = Some(Instant::now());
    progress.clear();
    Ok(count)
}

async fn stop((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn note(member: &mut Member, event: Event, count: &mut Count) {
    match event {
        Event::News(snapshot) => {
            if snapshot.news.paced.count() > 0 {
                count.last_paced = Some(Instant::now());
            }
            count.total.merge(&snapshot.news);
            member.open = snapshot.open;
            member.unfinished = snapshot.unfinished;
            member.settled = snapshot.settled;
        }
        Event::Ended => {
            let expected = count.interrupted || count.phase == Phase::Finish;
            let well = member.child.wait().is_ok_and(|status| status.success());
            if !(well && expected) {
                count.total.fail(Failure::WorkerLost);
                member.open = 0;
                member.settled = true;
            }
            member.ended = true;
        }
    }
}

fn start(
    place: usize,
    share: &Share,
    events: mpsc::UnboundedSender<(usize, anyhow::Result<Event>)>,
) -> anyhow::Result<Member> {
    // This very program, even if its file has been replaced since. In a process group of its own, so that Ctrl-C
    // reaches only us and the others can still be asked for their figures.
    let mut child = Command::new("/proc/self/exe")
        .args(["flood", WORKER_FLAG])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut orders = child.stdin.take().context("no pipe")?;
    let output = child.stdout.take().context("no pipe")?;
    let mut line = serde_json::to_vec(share)?;
    line.push(b'\n');
    orders.write_all(&line)?;
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let news = line
                .map_err(anyhow::Error::from)
                .and_then(|line| Ok(serde_json::from_str(&line)?))
                .context("a client process speaks nonsense");
            if events.send((place, news.map(|news| Event::News(Box::new(news))))).is_err() {
                return;
            }
        }
        let _ = events.send((place, Ok(Event::Ended)));
    });
    Ok(Member { child, orders: Some(orders), open: 0, unfinished: 0, settled: false, ended: false })
}
