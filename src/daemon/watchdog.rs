//! The watchdog: reports to systemd that the server answers, after checking that it does.
//!
//! With W = the unit's `WatchdogSec=`, every W/4 the server counts as alive when
//! 1. it drains (the drain has a deadline of its own, after which the process ends), or
//! 2. every thread's heartbeat is fresh (at most W/3 old, never more than 4 s), and
//!    - a new connection to the server's own address got any well-formed HTTP answer to `GET /health` within W/8, be it
//!      200 or a 503 for too many connections, or
//!    - it did not, but the server wrote some response since the last look: it is overloaded, not hung, or
//!    - the connection could not even be tried because this machine is out of descriptors, ports or memory, or does not
//!      have the address now (its cable is out).
//!
//! Otherwise nothing is sent, and systemd restarts the unit W after the last message: a single missed look is harmless,
//! a hang that lasts is ended at most W + min(W/3, 4 s) after it began.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::listeners;
use super::notify::Notifier;
use crate::client::{probe, reachable};
use crate::log_limit::LogLimit;

/// A heartbeat older than this is stale however long the watchdog waits, so that a hang ends within W + 5 s.
const MAX_AGE: Duration = Duration::from_secs(4);

/// What the engine reports about itself.
pub struct Vitals {
    /// `Err` with the name of a thread that has shown no life for longer than the given time. A thread that has
    /// nothing to do must count as fresh, so each beats at least every 500 ms.
    pub heartbeats: Box<dyn Fn(Duration) -> Result<(), String> + Send>,
    /// Responses written so far to any client, of any status, refused connections included.
    pub responses: Box<dyn Fn() -> u64 + Send>,
    /// Whether the server is stopping.
    pub draining: Box<dyn Fn() -> bool + Send>,
}

/// Watches the server at `address` from a thread of its own when systemd asked this process for it: `WATCHDOG_USEC`
/// is set and `WATCHDOG_PID`, if set, is this process (`sd_watchdog_enabled(3)`).
///
/// # Errors
/// No thread could be started.
pub fn spawn(notifier: Notifier, address: SocketAddr, vitals: Vitals) -> io::Result<()> {
    let Some(interval) = sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero()) else {
        return Ok(());
    };
    let mut watchdog = Watchdog::new(interval, address, vitals);
    std::thread::Builder::new().name("watchdog".into()).spawn(move || {
        loop {
            let started = Instant::now();
            watchdog.look(notifier);
            std::thread::sleep((interval / 4).saturating_sub(started.elapsed()));
        }
    })?;
    Ok(())
}

struct Watchdog {
    address: SocketAddr,
    timeout: Duration,
    max_age: Duration,
    vitals: Vitals,
    /// [`Vitals::responses`] at the last look.
    responses: u64,
    throttle: LogLimit,
}

impl Watchdog {
    fn new(interval: Duration, address: SocketAddr, vitals: Vitals) -> Self {
        Self {
            address: reachable(address),
            timeout: interval / 8,
            max_age: (interval / 3).min(MAX_AGE),
            vitals,
            responses: 0,
            throttle: LogLimit::new(),
        }
    }

    fn look(&mut self, notifier: Notifier) {
        match self.check() {
            Ok(()) => notifier.watchdog(),
            Err(reason) => {
                if let Some(suppressed) = self.throttle.allow() {
                    tracing::warn!(event = "watchdog", suppressed, "no sign of life for the watchdog: {reason}");
                }
            }
        }
    }

    fn check(&mut self) -> Result<(), String> {
        let before = std::mem::replace(&mut self.responses, (self.vitals.responses)());
        if (self.vitals.draining)() {
            return Ok(());
        }
        (self.vitals.heartbeats)(self.max_age)?;
        if !listeners::is_local(self.address.ip()) {
            // No client can reach the server there, and a probe would leave the machine and might reach another one.
            return Ok(());
        }
        let Err(error) = probe(self.address, self.timeout) else { return Ok(()) };
        if is_own_shortage(&error) || (self.vitals.responses)() != before || (self.vitals.draining)() {
            return Ok(());
        }
        Err(format!("GET http://{}/health: {error}", self.address))
    }
}

/// Errors that say what the prober lacks, nothing about the server.
fn is_own_shortage(error: &io::Error) -> bool {
    const SHORTAGES: [Errno; 8] = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::ADDRNOTAVAIL,
        // The address went away while it was asked.
        Errno::NETDOWN,
        Errno::NETUNREACH,
        Errno::HOSTUNREACH,
    ];
    Errno::from_io_error(error).is_some_and(|errno| SHORTAGES.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

    use super::super::notify::tests::ServiceManager;
    use super::*;

    /// Long enough for a busy test machine: the probe may take an eighth.
    const PATIENT: Duration = Duration::from_secs(80);
    /// For probes that must time out.
    const SHORT: Duration = Duration::from_millis(400);

    #[derive(Default)]
    struct Engine {
        stale: AtomicBool,
        draining: AtomicBool,
        responses: AtomicU64,
    }

    /// A watchdog over `engine`, each of whose looks at the count of responses finds `progress` more.
    fn watchdog(interval: Duration, address: SocketAddr, engine: &Arc<Engine>, progress: u64) -> Watchdog {
        let [beats, counts, drains] = [0; 3].map(|_| Arc::clone(engine));
        let vitals =
            Vitals {
                heartbeats: Box::new(move |_| {
                    if beats.stale.load(Relaxed) { Err("worker 3 has not moved".into()) } else { Ok(()) }
                }),
                responses: Box::new(move || counts.responses.fetch_add(progress, Relaxed)),
                draining: Box::new(move || drains.draining.load(Relaxed)),
            };
        Watchdog::new(interval, address, vitals)
    }

    /// A listener that gives every client `answer` and then holds the connection open.
    fn answering(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut held = Vec::new();
            for mut stream in listener.incoming().flatten() {
                stream.write_all(answer.as_bytes()).unwrap();
                held.push(stream);
            }
        });
        address
    }

    #[test]
    fn any_well_formed_answer_is_a_sign_of_life() {
        for answer in ["HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n\r\n"]
        {
            assert_eq!(watchdog(PATIENT, answering(answer), &Arc::default(), 0).check(), Ok(()));
        }
    }

    #[test]
    fn garbage_and_half_answers_are_not() {
        let error = watchdog(PATIENT, answering("SSH-2.0-x\r\n"), &Arc::default(), 0).check().unwrap_err();
        assert!(error.contains("/health: invalid"), "{error}");
        let error = watchdog(SHORT, answering("HTTP/1.1 200 OK\r\nDate"), &Arc::default(), 0).check().unwrap_err();
        assert!(error.contains("timed out"), "{error}");
    }

    #[test]
    fn a_server_that_never_answers_is_hung_unless_it_answers_others() {
        let address = answering("");
        let error = watchdog(SHORT, address, &Arc::default(), 0).check().unwrap_err();
        assert!(error.contains("timed out"), "{error}");
        assert_eq!(watchdog(SHORT, address, &Arc::default(), 1).check(), Ok(()));
    }

    #[test]
    fn a_stale_heartbeat_outweighs_every_answer() {
        let engine = Arc::new(Engine { stale: true.into(), ..Engine::default() });
        let check = watchdog(PATIENT, answering("HTTP/1.1 200 OK\r\n\r\n"), &engine, 1).check();
        assert_eq!(check, Err("worker 3 has not moved".into()));
    }

    #[test]
    fn a_closed_listener_is_fine_only_while_draining() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let engine = Arc::default();
        let mut watchdog = watchdog(PATIENT, address, &engine, 0);
        assert!(watchdog.check().unwrap_err().contains("refused"));
        engine.draining.store(true, Relaxed);
        engine.stale.store(true, Relaxed);
        assert_eq!(watchdog.check(), Ok(()));
    }

    #[test]
    fn an_address_that_went_away_says_nothing_about_the_server() {
        let engine = Arc::new(Engine::default());
        let gone = "192.0.2.7:8080".parse().unwrap();
        assert_eq!(watchdog(SHORT, gone, &engine, 0).check(), Ok(()));
        engine.stale.store(true, Relaxed);
        assert!(watchdog(SHORT, gone, &engine, 0).check().is_err());
    }

    #[test]
    fn only_signs_of_life_reach_the_service_manager() {
        let Some((manager, notifier)) = ServiceManager::of(only_signs_of_life_reach_the_service_manager) else {
            return;
        };
        let engine = Arc::default();
        let mut watchdog = watchdog(PATIENT, answering("HTTP/1.1 200 OK\r\n\r\n"), &engine, 0);
        watchdog.look(notifier);
        assert_eq!(manager.message(), "WATCHDOG=1");
        engine.stale.store(true, Relaxed);
        watchdog.look(notifier);
        assert!(manager.is_quiet());
    }

    #[test]
    fn shortage_of_the_prober_is_told_from_a_server_that_refuses() {
        assert!(is_own_shortage(&Errno::MFILE.into()));
        assert!(is_own_shortage(&Errno::ADDRNOTAVAIL.into()));
        assert!(!is_own_shortage(&Errno::CONNREFUSED.into()));
        assert!(!is_own_shortage(&io::ErrorKind::TimedOut.into()));
    }
}
