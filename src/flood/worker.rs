//! The connections of one client process: which are open, whose turn it is, and the running count.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};

use super::tally::{Failure, Tally};

/// A paced request sent later than this is this client's own lateness, and counted as such.
const LATE: Duration = Duration::from_millis(10);

/// Enough for any head and for a good piece of a body; one per process.
const BUFFER: usize = 64 * 1024;

/// What one process is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Assignment {
    pub(super) address: SocketAddr,
    /// The request, byte for byte.
    pub(super) request: String,
    pub(super) connections: usize,
    pub(super) ramp: Duration,
    pub(super) hold: Duration,
    /// Requests a second during the hold.
    pub(super) rate: Option<f64>,
    /// Where this process's instants lie between those of the others: 0 up to, not including, 1.
    pub(super) phase: f64,
    /// Local addresses, used in turn; empty: the kernel's choice.
    pub(super) sources: Vec<IpAddr>,
    /// For a connection attempt, and for a request from the instant it was due.
    pub(super) timeout: Duration,
}

impl Assignment {
    /// When each connection is due.
    pub(super) fn ramp_schedule(&self, start: Instant) -> impl Iterator<Item = Instant> + use<> {
        let (ramp, phase, count) = (self.ramp, self.phase, self.connections);
        (0..count).map(move |place| start + ramp.mul_f64((place as f64 + phase) / count as f64))
    }

    /// When each paced request of the hold is due; nothing without a rate.
    pub(super) fn paced_schedule(&self, start: Instant) -> impl Iterator<Item = Instant> + use<> {
        let (phase, hold) = (self.phase, self.hold);
        self.rate.into_iter().flat_map(move |rate| {
            let due = (0_u64..).map(move |place| Duration::from_secs_f64((place as f64 + phase) / rate));
            due.take_while(move |due| *due < hold).map(move |due| start + due)
        })
    }
}

/// What an idle connection does next.
pub(super) enum Turn {
    /// A request that was due at this instant is waiting.
    Now(Instant),
    /// Wait for one.
    Later(oneshot::Receiver<Instant>),
    /// Nothing but holding.
    Never,
}

/// Shared by the connections of one process, all of which run on its one thread.
pub(super) struct Worker {
    pub(super) assignment: Assignment,
    /// What arrived last; its content is used before the next await.
    pub(super) buffer: RefCell<Box<[u8]>>,
    /// Notified when the ramp has settled, and when no paced request is outstanding any more.
    pub(super) changed: Notify,
    /// What happened since it was last taken.
    tally: RefCell<Tally>,
    /// Connections established and not closed.
    open: Cell<usize>,
    /// Connection tasks, those still connecting included.
    live: Cell<usize>,
    /// Connections ever begun: decides the next one's source address.
    begun: Cell<usize>,
    /// The ramp's connections begun so far, and those that have had their first response or failed.
    ramped: Cell<usize>,
    settled: Cell<usize>,
    /// Paced requests issued and not done.
    outstanding: Cell<usize>,
    /// Connections that wait for their turn, the longest idle first.
    idle: RefCell<VecDeque<oneshot::Sender<Instant>>>,
    /// Paced requests that wait for a connection, with the instant they were due.
    waiting: RefCell<VecDeque<Instant>>,
}

impl Worker {
    pub(super) fn new(assignment: Assignment) -> Self {
        Self {
            assignment,
            buffer: RefCell::new(vec![0; BUFFER].into_boxed_slice()),
            changed: Notify::new(),
            tally: RefCell::default(),
            open: Cell::new(0),
            live: Cell::new(0),
            begun: Cell::new(0),
            ramped: Cell::new(0),
            settled: Cell::new(0),
            outstanding: Cell::new(0),
            idle: RefCell::default(),
            waiting: RefCell::default(),
        }
    }

    /// One of the ramp's connections is due.
    pub(super) fn ramp(&self) {
        add(&self.ramped, 1);
    }

    /// A paced request is due: it goes to the connection idle for longest, or waits. Returns whether it needs a new
    /// connection instead, in place of one lost.
    pub(super) fn issue(&self, due: Instant) -> bool {
        add(&self.outstanding, 1);
        if due.elapsed() > LATE {
            self.tally.borrow_mut().late += 1;
        }
        loop {
            let next = self.idle.borrow_mut().pop_front();
            match next.map(|idle| idle.send(due)) {
                Some(Ok(())) => return false,
                Some(Err(_closed)) => {}
                None => break,
            }
        }
        let lost_one = self.live.get() < self.assignment.connections;
        if !lost_one {
            self.waiting.borrow_mut().push_back(due);
        }
        lost_one
    }

    /// A connection begins, from the address that this returns, or from the kernel's choice.
    pub(super) fn begin(&self) -> Option<IpAddr> {
        add(&self.live, 1);
        let sources = &self.assignment.sources;
        let source = (!sources.is_empty()).then(|| sources[self.begun.get() % sources.len()]);
        add(&self.begun, 1);
        source
    }

    /// A connection has ended. Returns when the request was due for which another is needed, if there is one.
    pub(super) fn end(&self) -> Option<Instant> {
        self.live.set(self.live.get() - 1);
        self.next_waiting()
    }

    /// What the connection that has just become idle is to do.
    pub(super) fn next_turn(&self) -> Turn {
        if self.assignment.rate.is_none() {
            return Turn::Never;
        }
        if let Some(due) = self.next_waiting() {
            return Turn::Now(due);
        }
        let (sender, receiver) = oneshot::channel();
        self.idle.borrow_mut().push_back(sender);
        Turn::Later(receiver)
    }

    /// The paced request that has waited longest and may still be answered in time.
    fn next_waiting(&self) -> Option<Instant> {
        loop {
            let due = self.waiting.borrow_mut().pop_front()?;
            if due.elapsed() < self.assignment.timeout {
                return Some(due);
            }
            self.request_done(Some(due), Err(Failure::ResponseTimeout));
        }
    }

    /// A connection is established, `after` it was due.
    pub(super) fn opened(&self, after: Duration, replacement: bool) -> Falling<'_> {
        let mut tally = self.tally.borrow_mut();
        if replacement {
            tally.replaced += 1;
        } else {
            tally.connected += 1;
            tally.connect.record(after);
        }
        add(&self.open, 1);
        Falling(&self.open)
    }

    /// While this lives, the ramp is waiting for the first response of the connection that holds it.
    pub(super) fn settling(&self) -> Settling<'_> {
        Settling(self)
    }

    /// A request has its response (status, latency) or will never have one; `paced` is when it was due, if it was paced.
    pub(super) fn request_done(&self, paced: Option<Instant>, outcome: Result<(u16, Duration), Failure>) {
        let mut tally = self.tally.borrow_mut();
        match outcome {
            Ok((200..=299, latency)) => {
                tally.answered += 1;
                let histogram = if paced.is_some() { &mut tally.paced } else { &mut tally.first };
                histogram.record(latency);
            }
            Ok((status, _)) => tally.fail(Failure::Status(status)),
            Err(failure) => tally.fail(failure),
        }
        if paced.is_some() {
            self.outstanding.set(self.outstanding.get() - 1);
            if self.outstanding.get() == 0 {
                self.changed.notify_one();
            }
        }
    }

    /// A connection ended while idle. Paced requests open another when they need it; without them it should have held.
    pub(super) fn lost(&self, failure: Failure) {
        if self.assignment.rate.is_none() {
            self.tally.borrow_mut().fail(failure);
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        self.tally.borrow_mut().bytes += bytes as u64;
    }

    /// What was counted since the last call.
    pub(super) fn take_tally(&self) -> Tally {
        self.tally.take()
    }

    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// Requests begun and neither answered nor failed.
    pub(super) fn unfinished(&self) -> usize {
        self.ramped.get() - self.settled.get() + self.outstanding.get()
    }

    /// Whether every connection of the ramp has had its first response or failed.
    pub(super) fn is_settled(&self) -> bool {
        self.settled.get() == self.assignment.connections
    }
}

/// Takes one off a gauge when it is dropped.
pub(super) struct Falling<'a>(&'a Cell<usize>);

impl Drop for Falling<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// See [`Worker::settling`].
pub(super) struct Settling<'a>(&'a Worker);

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        add(&self.0.settled, 1);
        if self.0.is_settled() {
            self.0.changed.notify_one();
        }
    }
}

fn add(cell: &Cell<usize>, count: usize) {
    cell.set(cell.get() + count);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_processes_make_one_even_schedule() {
        let assignment = |phase| Assignment {
            address: "127.0.0.1:1".parse().unwrap(),
            request: String::new(),
            connections: 2,
            ramp: Duration::from_secs(1),
            hold: Duration::from_secs(1),
            rate: Some(2.0),
            phase,
            sources: Vec::new(),
            timeout: Duration::from_secs(1),
        };
        let start = Instant::now();
        let millis = |due: Instant| (due - start).as_millis();
        let sorted = |mut all: Vec<u128>| {
            all.sort_unstable();
            all
        };
        let both = [assignment(0.0), assignment(0.5)];
        let ramp = both.iter().flat_map(|assignment| assignment.ramp_schedule(start).map(millis)).collect();
        assert_eq!(sorted(ramp), [0, 250, 500, 750]);
        let paced = both.iter().flat_map(|assignment| assignment.paced_schedule(start).map(millis)).collect();
        assert_eq!(sorted(paced), [0, 250, 500, 750]);
        assert_eq!(Assignment { rate: None, ..assignment(0.0) }.paced_schedule(start).count(), 0);
    }
}
