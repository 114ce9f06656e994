//! What to do when accepting fails: pause for longer each time, free a descriptor for a refusal, log once a second.

use std::fs::File;
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::io::Errno;

use crate::log_limit::LogLimit;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Errors of one connection, after which the next can be accepted (accept(2)).
const OF_ONE_CONNECTION: [Errno; 11] = [
    Errno::INTR,
    Errno::CONNABORTED,
    Errno::PROTO,
    Errno::NETDOWN,
    Errno::NETUNREACH,
    Errno::HOSTDOWN,
    Errno::HOSTUNREACH,
    Errno::NOPROTOOPT,
    Errno::NONET,
    Errno::OPNOTSUPP,
    Errno::PERM,
];

/// One acceptor's pauses, and a spare descriptor for when none is left.
pub(crate) struct AcceptBackoff {
    spare: Option<File>,
    pause: Duration,
    log_limit: LogLimit,
}

impl AcceptBackoff {
    pub(crate) fn new() -> Self {
        Self { spare: spare(), pause: FIRST_PAUSE, log_limit: LogLimit::new() }
    }

    /// A connection was accepted.
    pub(crate) fn reset(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// How long to wait before accepting again; errors of one connection cost no pause. When descriptors have run out, the
    /// connection that waits longest is accepted with the spare one, to be refused, so that its client gets an answer.
    pub(crate) fn pause_after(
        &mut self,
        error: Errno,
        listener: BorrowedFd<'_>,
    ) -> (Option<Duration>, Option<TcpStream>) {
        if OF_ONE_CONNECTION.contains(&error) {
            return (None, None);
        }
        if let Some(suppressed) = self.log_limit.allow() {
            tracing::warn!(event = "accept", %error, suppressed, "cannot accept connections");
        }
        let mut refused = None;
        if matches!(error, Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) && self.spare.take().is_some() {
            refused = rustix::net::accept(listener).ok().map(TcpStream::from);
        }
        if self.spare.is_none() {
            self.spare = spare();
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        (Some(pause), refused)
    }
}

/// Any descriptor will do.
fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn pauses_grow_only_while_descriptors_are_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut backoff = AcceptBackoff::new();
        let (starved, listener) = (Errno::MFILE, listener.as_fd());
        let mut pause_after = |error| backoff.pause_after(error, listener).0;
        assert_eq!(pause_after(Errno::CONNABORTED), None);
        assert_eq!(pause_after(starved), Some(FIRST_PAUSE));
        assert_eq!(pause_after(starved), Some(FIRST_PAUSE * 2));
        for _ in 0..10 {
            assert!(pause_after(starved) <= Some(LONGEST_PAUSE));
        }
        backoff.reset();
        assert_eq!(backoff.pause_after(starved, listener).0, Some(FIRST_PAUSE));
        assert!(backoff.spare.is_some());
    }
}
