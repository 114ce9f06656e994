//! Starts the client processes, leads them through ramp, hold and finish together, and adds up what they report.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

use super::WORKER_VARIABLE;
use super::client::{Instruction, Snapshot};
use super::plan::Plan;
use super::server::{Sample, Watch};
use super::tally::{Failure, Tally};
use super::worker::Assignment;

/// Where the flood is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Opening connections; over when each has had its first response or failed.
    Ramp,
    /// All are open and stay so.
    Hold,
    /// Waiting for the last responses and the last reports of the processes.
    Finish,
}

/// The flood so far, and in the end.
#[derive(Debug)]
pub(crate) struct Status {
    pub(crate) total: Tally,
    pub(crate) phase: Phase,
    /// Connections open now, the most ever seen open at once, and those open when the hold was over.
    pub(crate) open: usize,
    pub(crate) peak_open: usize,
    pub(crate) held_open: usize,
    /// Requests begun and neither answered nor failed.
    pub(crate) unfinished: usize,
    pub(crate) started: Instant,
    /// When the ramp had settled, and when the hold was over.
    pub(crate) settled: Option<Instant>,
    pub(crate) held: Option<Instant>,
    pub(crate) ended: Option<Instant>,
    /// When the last paced response was reported.
    pub(crate) last_paced: Option<Instant>,
    pub(crate) interrupted: bool,
    /// What the server reported about itself during the hold.
    pub(crate) server: Option<Sample>,
}

impl Status {
    fn new() -> Self {
        Self {
            total: Tally::default(),
            phase: Phase::Ramp,
            open: 0,
            peak_open: 0,
            held_open: 0,
            unfinished: 0,
            started: Instant::now(),
            settled: None,
            held: None,
            ended: None,
            last_paced: None,
            interrupted: false,
            server: None,
        }
    }

    /// From the start until all had settled, or until now.
    pub(crate) fn ramp_took(&self) -> Duration {
        self.settled.or(self.ended).map_or_else(|| self.started.elapsed(), |end| end - self.started)
    }

    /// From there until the hold was over, or until now.
    pub(crate) fn hold_took(&self) -> Duration {
        self.settled.map_or(Duration::ZERO, |settled| {
            self.held.or(self.ended).map_or_else(|| settled.elapsed(), |end| end - settled)
        })
    }

    /// The time in which the paced responses came: the hold, and longer if the last came after it.
    pub(crate) fn paced_took(&self) -> Duration {
        let last = self.settled.zip(self.last_paced).map_or(Duration::ZERO, |(settled, last)| last - settled);
        self.hold_took().max(last)
    }

    /// From the start to the end, or until now.
    pub(crate) fn took(&self) -> Duration {
        self.ended.map_or_else(|| self.started.elapsed(), |end| end - self.started)
    }

    fn enter(&mut self, phase: Phase, clients: &mut [ClientProcess]) {
        let instruction = if phase == Phase::Hold {
            self.settled = Some(Instant::now());
            Instruction::Hold
        } else {
            self.held = Some(Instant::now());
            Instruction::Finish
        };
        self.phase = phase;
        for client in clients {
            client.instruct(instruction);
        }
    }
}

enum Event {
    Report(Box<Snapshot>),
    /// The process closed its output: it has ended, or is about to.
    Ended,
}

struct ClientProcess {
    child: Child,
    /// Closing it makes the process stop.
    instructions: Option<ChildStdin>,
    open: usize,
    unfinished: usize,
    settled: bool,
    ended: bool,
}

impl ClientProcess {
    fn instruct(&mut self, instruction: Instruction) {
        if let Some(instructions) = &mut self.instructions {
            // A process that has ended is noticed by the end of its output.
            let _ = writeln!(instructions, "{}", instruction.as_str());
        }
    }
}

/// Carries out the plan; `show` is called with the status this often.
///
/// # Errors
/// When a process cannot be started, or its reports cannot be understood.
pub(crate) async fn run(
    plan: &Plan,
    watch: &Watch,
    every: Duration,
    mut show: impl FnMut(&Status),
) -> anyhow::Result<Status> {
    let mut interrupts = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, mut events) = mpsc::unbounded_channel();
    let mut clients = Vec::new();
    for (place, assignment) in plan.assignments.iter().enumerate() {
        clients.push(start(place, assignment, sender.clone()).context("cannot start a client process")?);
    }
    let mut status = Status::new();
    let mut tick = interval_at((status.started + every).into(), every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !clients.iter().all(|client| client.ended) {
        let hold_over = status.settled.map_or(status.started, |settled| settled + plan.hold);
        tokio::select! {
            Some((place, event)) = events.recv() => record(&mut clients[place], event?, &mut status),
            () = stop(&mut interrupts) => {
                if std::mem::replace(&mut status.interrupted, true) {
                    break;
                }
                for client in &mut clients {
                    client.instructions = None;
                }
            }
            () = sleep_until(hold_over.into()), if status.phase == Phase::Hold => status.enter(Phase::Finish, &mut clients),
            _ = tick.tick() => show(&status),
        }
        status.open = clients.iter().map(|client| client.open).sum();
        status.peak_open = status.peak_open.max(status.open);
        status.unfinished = clients.iter().map(|client| client.unfinished).sum();
        if status.phase == Phase::Ramp && clients.iter().all(|client| client.settled) {
            status.enter(Phase::Hold, &mut clients);
        }
        if status.phase == Phase::Hold && !status.interrupted {
            status.held_open = status.open;
            status.server = status.settled.and_then(|settled| watch.since(settled)).or(status.server);
        }
        if status.phase == Phase::Hold && status.open == 0 && plan.rate.is_none() {
            // No connection left to hold.
            status.enter(Phase::Finish, &mut clients);
        }
    }
    status.ended = Some(Instant::now());
    Ok(status)
}

async fn stop((interrupt, terminate): &mut (Signal, Signal)) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

fn record(client: &mut ClientProcess, event: Event, status: &mut Status) {
    match event {
        Event::Report(snapshot) => {
            if snapshot.tally.paced.count() > 0 {
                status.last_paced = Some(Instant::now());
            }
            status.total.merge(&snapshot.tally);
            client.open = snapshot.open;
            client.unfinished = snapshot.unfinished;
            client.settled = snapshot.settled;
        }
        Event::Ended => {
            let expected = status.interrupted || status.phase == Phase::Finish;
            let clean = client.child.wait().is_ok_and(|exit| exit.success());
            if !(clean && expected) {
                status.total.fail(Failure::ClientLost);
                client.open = 0;
                client.settled = true;
            }
            client.ended = true;
        }
    }
}

fn start(
    place: usize,
    assignment: &Assignment,
    events: mpsc::UnboundedSender<(usize, anyhow::Result<Event>)>,
) -> anyhow::Result<ClientProcess> {
    // This very program, even if its file has been replaced since. In a process group of its own, so that Ctrl-C
    // reaches only this process and the others can still be asked for their figures.
    let mut child = Command::new("/proc/self/exe")
        .arg("flood")
        .env(WORKER_VARIABLE, "1")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut instructions = child.stdin.take().context("no pipe")?;
    let output = child.stdout.take().context("no pipe")?;
    let mut line = serde_json::to_vec(assignment)?;
    line.push(b'\n');
    instructions.write_all(&line)?;
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines() {
            let report = line
                .map_err(anyhow::Error::from)
                .and_then(|line| Ok(serde_json::from_str(&line)?))
                .context("cannot read the report of a client process");
            if events.send((place, report.map(|snapshot| Event::Report(Box::new(snapshot))))).is_err() {
                return;
            }
        }
        let _ = events.send((place, Ok(Event::Ended)));
    });
    Ok(ClientProcess { child, instructions: Some(instructions), open: 0, unfinished: 0, settled: false, ended: false })
}
