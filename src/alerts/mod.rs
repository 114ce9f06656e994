//! Alerts for a person who looks at no page: an HTTP POST when something goes wrong, and another when it is over.
//!
//! - `incident`: when an incident begins and ends; pure.
//! - `outbox`: the messages that wait to be delivered, in order and bounded.
//!
//! Each engine reports what concerns itself. What all engines of a board see is reported by the one that holds a socket whose
//! name only one process can have.

mod incident;
mod outbox;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::{Url, probe, reachable};
use crate::config::{Config, Peer};
use crate::platform::BoardSample;
use crate::state_directory;
use incident::{Event, Incident, Kind};
use outbox::{Message, Outbox};

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Between two looks at what takes a request or a look at the disk.
const SLOW_INTERVAL: Duration = Duration::from_secs(3);

/// For another engine's answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Share of the connection limit, and of the disk, from which on there is an incident.
const NEARLY: f64 = 0.95;

/// The state of one engine and its board, once a second.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Connections open, and how many may be.
    pub connections: (u64, u64),
    /// Registrations are refused, as the store's circuit breaker is not closed.
    pub breaker_is_open: bool,
    /// The engines of this board, this one among them.
    pub peers: Vec<Peer>,
    /// The supply voltage is too low.
    pub under_voltage: bool,
    /// The firmware slows the board down.
    pub throttled: bool,
}

impl Conditions {
    /// The same with what this board's sensors show.
    #[must_use]
    pub fn on(mut self, board: &BoardSample) -> Self {
        let now = |what| board.throttled.as_ref().is_some_and(|throttled| throttled.now.contains(&what));
        self.under_voltage = board.under_voltage == Some(true) || now("under_voltage");
        self.throttled = now("throttled") || now("frequency_capped");
        self
    }
}

/// Watches the conditions, and reports what is wrong with them.
#[derive(Debug, Default)]
pub struct Alerts {
    latest: Mutex<Option<Conditions>>,
}

impl Alerts {
    /// Starts the thread that reports to `url`. `failure`: why this engine was started again, if it was.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(config: &Config, url: Url, failure: Option<String>) -> io::Result<&'static Self> {
        let alerts: &'static Self = Box::leak(Box::default());
        let mut reporter = Reporter::new(config, url);
        if let Some(failure) = failure {
            reporter.report_restart(&failure);
        }
        std::thread::Builder::new().name("alerts".into()).spawn(move || {
            loop {
                std::thread::sleep(INTERVAL);
                let latest = alerts.latest.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(conditions) = latest {
                    reporter.look(&conditions);
                }
                reporter.outbox.deliver(Instant::now());
            }
        })?;
        Ok(alerts)
    }

    /// Passes on the conditions of this second.
    pub fn look(&self, conditions: Conditions) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(conditions);
    }
}

/// What the thread knows.
struct Reporter {
    engine: &'static str,
    /// Where this machine reaches its engines.
    host: IpAddr,
    incidents: Vec<Incident>,
    outbox: Outbox,
    turn: Turn,
    next_slow: Instant,
}

impl Reporter {
    fn new(config: &Config, url: Url) -> Self {
        let kinds = [Kind::UnderVoltage, Kind::Throttled, Kind::DiskFull, Kind::Connections, Kind::Breaker];
        Self {
            engine: config.engine.name(),
            host: reachable(config.address).ip(),
            incidents: kinds.map(Incident::new).into(),
            turn: Turn::of(&url),
            outbox: Outbox::new(url),
            next_slow: Instant::now(),
        }
    }

    fn report_restart(&mut self, failure: &str) {
        let engine = self.engine;
        self.outbox.push(Message {
            title: format!("{engine} was started again"),
            text: format!("It failed: {failure}. Look at its log: journalctl -u fastgo@{engine} -n 50"),
            is_bad: true,
        });
    }

    fn look(&mut self, conditions: &Conditions) {
        let now = Instant::now();
        let (open, most) = conditions.connections;
        self.observe(&Kind::Connections, open as f64 >= NEARLY * most as f64, now);
        self.observe(&Kind::Breaker, conditions.breaker_is_open, now);
        self.observe(&Kind::UnderVoltage, conditions.under_voltage, now);
        self.observe(&Kind::Throttled, conditions.throttled, now);
        if now < self.next_slow {
            return;
        }
        self.next_slow = now + SLOW_INTERVAL;
        self.turn.take();
        self.observe(&Kind::DiskFull, disk_is_nearly_full(), now);
        for peer in &conditions.peers {
            if peer.name != self.engine {
                let is_down = probe(SocketAddr::new(self.host, peer.port), PATIENCE).is_err();
                self.observe_peer(&peer.name, is_down);
            }
        }
    }

    /// An engine that has not answered yet may be one that is not to run here.
    fn observe_peer(&mut self, name: &str, is_down: bool) {
        let kind = Kind::Down(name.to_owned());
        if !self.incidents.iter().any(|incident| incident.kind == kind) {
            if is_down {
                return;
            }
            self.incidents.push(Incident::new(kind.clone()));
        }
        self.observe(&kind, is_down, Instant::now());
    }

    fn observe(&mut self, kind: &Kind, is_there: bool, now: Instant) {
        let reports = !kind.is_of_board() || self.turn.is_held();
        let Some(incident) = self.incidents.iter_mut().find(|incident| incident.kind == *kind) else { return };
        let Some(event) = incident.observe(is_there, now, reports) else { return };
        let what = if kind.is_of_board() { kind.to_string() } else { format!("{}: {kind}", self.engine) };
        self.outbox.push(match event {
            Event::Begun => Message { title: what, text: kind.advice().into(), is_bad: true },
            Event::Over(after) => {
                let seconds = after.as_secs();
                let took = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
                Message { title: format!("resolved: {what}"), text: format!("It lasted {took}."), is_bad: false }
            }
        });
    }
}

/// The right to report what all engines of a board see: the name of a socket, free again once its process has ended.
struct Turn {
    name: String,
    held: Option<UnixListener>,
}

impl Turn {
    /// One for each receiver. Every user of the machine sees the name, so the address itself, which may be a secret, is not in it.
    fn of(url: &Url) -> Self {
        let mut hasher = DefaultHasher::new();
        url.hash(&mut hasher);
        Self { name: format!("fastgo-alerts-{:016x}", hasher.finish()), held: None }
    }

    fn take(&mut self) {
        if self.held.is_none() {
            let address = UnixAddr::from_abstract_name(&self.name);
            self.held = address.and_then(|address| UnixListener::bind_addr(&address)).ok();
        }
    }

    fn is_held(&self) -> bool {
        self.held.is_some()
    }
}

fn disk_is_nearly_full() -> bool {
    let disk = state_directory::of_services().and_then(|directory| rustix::fs::statvfs(directory).ok());
    disk.is_some_and(|disk| (disk.f_bavail as f64) < (1.0 - NEARLY) * disk.f_blocks as f64)
}
