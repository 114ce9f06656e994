//! What to do when accepting fails: never end, never spin, never stay silent.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One acceptor's memory of its troubles, with a spare descriptor for when none is left.
pub(crate) struct AcceptTrouble {
    spare: Option<File>,
    pause: Duration,
    logged: Option<Instant>,
    unlogged: u64,
}

impl AcceptTrouble {
    pub(crate) fn new() -> Self {
        Self { spare: spare(), pause: FIRST_PAUSE, logged: None, unlogged: 0 }
    }

    /// A connection was accepted.
    pub(crate) fn is_over(&mut self) {
        self.pause = FIRST_PAUSE;
    }

    /// How long to wait before accepting again. Errors of the one connection cost no pause; when descriptors have run
    /// out, the connection that waits longest is accepted with the spare one and turned away, so that its client knows.
    pub(crate) fn pause_after(
        &mut self,
        error: &io::Error,
        listener: &impl AsFd,
        turn_away: impl FnOnce(TcpStream),
    ) -> Duration {
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        let starved = matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM));
        let harmless = !starved
            && matches!(
                errno,
                Some(
                    Errno::AGAIN
                        | Errno::INTR
                        | Errno::CONNABORTED
                        | Errno::PROTO
                        | Errno::NETDOWN
                        | Errno::NETUNREACH
                        | Errno::HOSTDOWN
                        | Errno::HOSTUNREACH
                        | Errno::NOPROTOOPT
                        | Errno::NONET
                        | Errno::OPNOTSUPP
                        | Errno::PERM
                )
            );
        if harmless {
            return Duration::ZERO;
        }
        self.log(error);
        if starved
            && self.spare.take().is_some()
            && let Ok(connection) = rustix::net::accept(listener)
        {
            turn_away(connection.into());
        }
        if self.spare.is_none() {
            self.spare = spare();
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// At most one line a second.
    fn log(&mut self, error: &io::Error) {
        self.unlogged += 1;
        if self.logged.is_none_or(|logged| logged.elapsed() >= Duration::from_secs(1)) {
            tracing::warn!(event = "accept", %error, times = self.unlogged, "cannot accept connections");
            self.logged = Some(Instant::now());
            self.unlogged = 0;
        }
    }
}

/// Any descriptor will do.
fn spare() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn pauses_grow_only_while_descriptors_are_out() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut trouble = AcceptTrouble::new();
        let starved = io::Error::from(Errno::MFILE);
        assert_eq!(trouble.pause_after(&io::Error::from(Errno::CONNABORTED), &listener, drop), Duration::ZERO);
        assert_eq!(trouble.pause_after(&starved, &listener, drop), FIRST_PAUSE);
        assert_eq!(trouble.pause_after(&starved, &listener, drop), FIRST_PAUSE * 2);
        for _ in 0..10 {
            assert!(trouble.pause_after(&starved, &listener, drop) <= LONGEST_PAUSE);
        }
        trouble.is_over();
        assert_eq!(trouble.pause_after(&starved, &listener, drop), FIRST_PAUSE);
        assert!(trouble.spare.is_some());
    }
}
