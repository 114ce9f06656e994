//! Messages to the service manager: the `sd_notify(3)` protocol, from the `sd-notify` crate.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::PipeFlags;
use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;

use crate::log_limit::LogLimit;

/// Descriptors in one message: the kernel's `SCM_MAX_FD` is 253.
const MAX_FDS: usize = 253;

/// Reports the state of this process to the service manager; without one every call does nothing.
///
/// A message that cannot be sent is logged, never an error: the service manager acts when messages stay out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Notifier {
    connected: bool,
}

impl Notifier {
    /// Sends to the socket that `NOTIFY_SOCKET` names; sends nothing when it is unset. systemd gives its services a path;
    /// other kinds of addresses, which containers and virtual machines may get, are logged and not used.
    pub fn from_env() -> Self {
        let socket = std::env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty());
        let connected = socket.as_ref().is_some_and(|socket| socket.as_encoded_bytes().starts_with(b"/"));
        if let Some(socket) = socket.filter(|_| !connected) {
            tracing::warn!(event = "notify", "cannot reach the service manager at {}: no path", socket.display());
        }
        Self { connected }
    }

    /// Whether there is a service manager.
    pub fn is_connected(self) -> bool {
        self.connected
    }

    /// The server answers; `status` is what `systemctl status` shows.
    pub fn ready(self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))], &[]);
    }

    /// What `systemctl status` shows from now on.
    pub fn status(self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status))], &[]);
    }

    /// The process drains and will exit.
    pub fn stopping(self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))], &[]);
    }

    /// A reload begins; must be followed by [`Notifier::ready`].
    pub fn reloading(self) {
        let now = clock_gettime(ClockId::Monotonic);
        let now = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
        // The time shows `Type=notify-reload` (systemd 253) which reload this answers.
        self.send(&[NotifyState::Reloading, NotifyState::MonotonicUsec(now)], &[]);
    }

    /// Starting or stopping may take `time` from now, whatever the unit's own limit says; repeat before it ends.
    pub fn extend_timeout(self, time: Duration) {
        // `NotifyState::ExtendTimeoutUsec` ends at 71 minutes.
        self.send(&[NotifyState::Custom(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()))], &[]);
    }

    /// The server lives: the watchdog may wait another interval.
    pub fn watchdog(self) {
        self.send(&[NotifyState::Watchdog], &[]);
    }

    /// Has the service manager keep `fds` under `name` for the next process of this unit (`FileDescriptorStoreMax=`).
    /// `name`: ASCII without control characters and `:`, at most 255 bytes.
    pub fn store(self, name: &str, fds: &[BorrowedFd<'_>]) {
        for fds in fds.chunks(MAX_FDS) {
            self.send(&[NotifyState::FdStore, NotifyState::FdName(name)], fds);
        }
    }

    /// Has the service manager close every descriptor it keeps under `name`.
    pub fn remove(self, name: &str) {
        self.send(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)], &[]);
    }

    /// Waits until the service manager has handled every message sent before, at most for `timeout`; whether it has.
    ///
    /// It closes the pipe's end that travels with the message when it comes to it (`sd_notify_barrier(3)`).
    pub fn wait_until_handled(self, timeout: Duration) -> bool {
        if !self.connected {
            return true;
        }
        let Ok((read, write)) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC) else { return false };
        self.send(&[NotifyState::Custom("BARRIER=1")], &[write.as_fd()]);
        drop(write);
        let Ok(timeout) = Timespec::try_from(timeout) else { return false };
        let mut watched = [PollFd::new(&read, PollFlags::empty())];
        rustix::io::retry_on_intr(|| poll(&mut watched, Some(&timeout))).is_ok_and(|ready| ready > 0)
    }

    /// Sends what `status` returns once a second when it changed, and every ten seconds in any case (a reload puts its
    /// own text there), from a thread of its own that ends when it returns `None`.
    pub fn spawn_status(self, mut status: impl FnMut() -> Option<String> + Send + 'static) -> std::io::Result<()> {
        if !self.connected {
            return Ok(());
        }
        std::thread::Builder::new().name("status".into()).spawn(move || {
            let mut sent = String::new();
            let mut turns = (0..10_u32).cycle();
            while let Some(now) = status() {
                if turns.next() == Some(0) || now != sent {
                    self.status(&now);
                    sent = now;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        })?;
        Ok(())
    }

    fn send(self, states: &[NotifyState<'_>], fds: &[BorrowedFd<'_>]) {
        static FAILURES: LogLimit = LogLimit::new();
        if !self.connected {
            return;
        }
        let sent = if fds.is_empty() { sd_notify::notify(states) } else { sd_notify::notify_with_fds(states, fds) };
        if let Err(error) = sent
            && let Some(suppressed) = FAILURES.allow()
        {
            tracing::warn!(event = "notify", %error, suppressed, "the service manager did not take a message");
        }
    }
}

/// A status must not start a new assignment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

/// The name under which the socket listening on `address` is kept: unique for each address, and only letters, digits,
/// `.`, `-` and `_`.
pub(super) fn store_name(address: std::net::SocketAddr) -> String {
    format!("listener-{}-{}", address.ip(), address.port()).replace(':', "_")
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::IoSliceMut;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;

    /// A service manager's end of the protocol.
    pub(in crate::daemon) struct ServiceManager(UnixDatagram);

    impl ServiceManager {
        /// A service manager for `test`, which must be the calling one.
        ///
        /// Its address is in the environment, which all tests of a process share: so the test is run once more in a
        /// process of its own, and `None` means that it passed there.
        pub(in crate::daemon) fn of<Test: Fn()>(test: Test) -> Option<(Self, Notifier)> {
            const INNER: &str = "FASTGO_TEST_HAS_ITS_OWN_PROCESS";
            if std::env::var_os(INNER).is_some() {
                let socket = UnixDatagram::bind(std::env::var_os("NOTIFY_SOCKET").unwrap()).unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                return Some((Self(socket), Notifier::from_env()));
            }
            let (_, name) = std::any::type_name_of_val(&test).split_once("::").unwrap();
            let directory = tempfile::tempdir().unwrap();
            let output = Command::new(std::env::current_exe().unwrap())
                .args([name, "--exact"])
                .env("NOTIFY_SOCKET", directory.path().join("notify"))
                .env(INNER, "1")
                .output()
                .unwrap();
            let report = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && report.contains("1 passed"), "{report}");
            None
        }

        pub(in crate::daemon) fn receive(&self) -> (String, Vec<OwnedFd>) {
            let mut bytes = [0; 4096];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
            let mut attached = RecvAncillaryBuffer::new(&mut space);
            let received = rustix::io::retry_on_intr(|| {
                recvmsg(&self.0, &mut [IoSliceMut::new(&mut bytes)], &mut attached, RecvFlags::CMSG_CLOEXEC)
            })
            .unwrap();
            let fds = attached
                .drain()
                .flat_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
                    _ => Vec::new(),
                })
                .collect();
            let message = String::from_utf8(bytes[..received.bytes].to_vec()).unwrap();
            (message.trim_end().to_owned(), fds)
        }

        pub(in crate::daemon) fn message(&self) -> String {
            self.receive().0
        }

        /// Whether nothing more has been sent.
        pub(in crate::daemon) fn is_quiet(&self) -> bool {
            self.0.set_nonblocking(true).unwrap();
            let quiet = self.0.recv(&mut [0; 16]).is_err();
            self.0.set_nonblocking(false).unwrap();
            quiet
        }
    }

    #[test]
    fn every_state_is_said_in_the_words_of_the_protocol() {
        let Some((manager, notifier)) = ServiceManager::of(every_state_is_said_in_the_words_of_the_protocol) else {
            return;
        };
        notifier.ready("listening on http://[::]:8080");
        assert_eq!(manager.message(), "READY=1\nSTATUS=listening on http://[::]:8080");
        notifier.status("1 connection\nREADY=1");
        assert_eq!(manager.message(), "STATUS=1 connection READY=1");
        notifier.stopping("draining");
        assert_eq!(manager.message(), "STOPPING=1\nSTATUS=draining");
        notifier.extend_timeout(Duration::from_millis(1500));
        assert_eq!(manager.message(), "EXTEND_TIMEOUT_USEC=1500000");
        notifier.watchdog();
        assert_eq!(manager.message(), "WATCHDOG=1");
        notifier.reloading();
        let message = manager.message();
        let time = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(time.parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn descriptors_travel_with_their_name() {
        let Some((manager, notifier)) = ServiceManager::of(descriptors_travel_with_their_name) else { return };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        notifier.store("listener-x", &[listener.as_fd(), listener.as_fd()]);
        let (message, fds) = manager.receive();
        assert_eq!(message, "FDSTORE=1\nFDNAME=listener-x");
        let addresses: Vec<_> =
            fds.into_iter().map(|fd| std::net::TcpListener::from(fd).local_addr().unwrap()).collect();
        assert_eq!(addresses, [listener.local_addr().unwrap(); 2]);
        notifier.remove("listener-x");
        assert_eq!(manager.message(), "FDSTOREREMOVE=1\nFDNAME=listener-x");
    }

    #[test]
    fn the_barrier_ends_when_the_service_manager_comes_to_it() {
        let Some((manager, notifier)) = ServiceManager::of(the_barrier_ends_when_the_service_manager_comes_to_it)
        else {
            return;
        };
        assert!(!notifier.wait_until_handled(Duration::from_millis(20)), "no reader yet");
        drop(manager.receive());
        let reader = std::thread::spawn(move || {
            let (message, pipe) = manager.receive();
            (message, pipe.len())
        });
        assert!(notifier.wait_until_handled(Duration::from_secs(10)));
        assert_eq!(reader.join().unwrap(), ("BARRIER=1".to_owned(), 1));
    }

    #[test]
    fn status_is_sent_when_it_changed_until_there_is_none() {
        let Some((manager, notifier)) = ServiceManager::of(status_is_sent_when_it_changed_until_there_is_none) else {
            return;
        };
        let turn = AtomicU32::new(0);
        notifier
            .spawn_status(move || match turn.fetch_add(1, Ordering::Relaxed) {
                0 | 1 => Some("idle".to_owned()),
                2 => Some("busy".to_owned()),
                _ => None,
            })
            .unwrap();
        assert_eq!(manager.message(), "STATUS=idle");
        assert_eq!(manager.message(), "STATUS=busy");
    }

    #[test]
    fn without_a_service_manager_nothing_happens() {
        let notifier = Notifier::default();
        notifier.ready("up");
        notifier.spawn_status(|| panic!("not called")).unwrap();
        assert!(!notifier.is_connected());
    }

    #[test]
    fn names_in_the_store_are_unique_and_allowed() {
        assert_eq!(store_name("[::]:8080".parse().unwrap()), "listener-__-8080");
        assert_eq!(store_name("192.0.2.7:80".parse().unwrap()), "listener-192.0.2.7-80");
    }
}
