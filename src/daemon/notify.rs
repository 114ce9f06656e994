//! Messages to the service manager: the `sd_notify(3)` protocol over the datagram socket that `NOTIFY_SOCKET` names.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::BorrowedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::time::{ClockId, clock_gettime};

/// Descriptors in one message: the kernel's `SCM_MAX_FD` is 253.
const MAX_FDS: usize = 253;

/// Tells the service manager how this process is doing; without one every call does nothing.
///
/// A message that cannot be sent is logged, never an error: the service manager acts on silence by itself.
#[derive(Debug, Clone, Default)]
pub struct Notifier(Option<Arc<UnixDatagram>>);

impl Notifier {
    /// Talks to the socket that `NOTIFY_SOCKET` names; to nobody when it is unset or cannot be reached.
    pub fn from_env() -> Self {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Self::default();
        };
        Self::connect(&name).unwrap_or_else(|error| {
            tracing::warn!(event = "notify", %error, "cannot reach the service manager at {}", name.display());
            Self::default()
        })
    }

    /// Talks to the socket at `name`: a path, or `@` and an abstract name (unix(7)).
    fn connect(name: &OsStr) -> io::Result<Self> {
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        Ok(Self(Some(Arc::new(socket))))
    }

    /// Whether anybody listens.
    pub fn is_connected(&self) -> bool {
        self.0.is_some()
    }

    /// The server answers; `status` is what `systemctl status` shows.
    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", one_line(status)), &[]);
    }

    /// What `systemctl status` shows from now on.
    pub fn status(&self, status: &str) {
        self.send(&format!("STATUS={}", one_line(status)), &[]);
    }

    /// The process drains and will exit.
    pub fn stopping(&self, status: &str) {
        self.send(&format!("STOPPING=1\nSTATUS={}", one_line(status)), &[]);
    }

    /// Settings are being read again; must be followed by [`Notifier::ready`].
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        // The time tells `Type=notify-reload` (systemd 253) which reload this answers.
        self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000), &[]);
    }

    /// Starting or stopping may take `time` from now, whatever the unit's own limit says; repeat before it ends.
    pub fn extend_timeout(&self, time: Duration) {
        self.send(&format!("EXTEND_TIMEOUT_USEC={}", time.as_micros()), &[]);
    }

    /// The server lives: the watchdog may wait another interval.
    pub fn watchdog(&self) {
        self.send("WATCHDOG=1", &[]);
    }

    /// Has the service manager keep `fds` under `name` for the next process of this unit (`FileDescriptorStoreMax=`).
    /// `name`: ASCII without control characters and `:`, at most 255 bytes.
    pub fn store(&self, name: &str, fds: &[BorrowedFd<'_>]) {
        for fds in fds.chunks(MAX_FDS) {
            self.send(&format!("FDSTORE=1\nFDNAME={name}"), fds);
        }
    }

    /// Has the service manager close every descriptor it keeps under `name`.
    pub fn remove(&self, name: &str) {
        self.send(&format!("FDSTOREREMOVE=1\nFDNAME={name}"), &[]);
    }

    /// Sends what `status` says once a second, when it changed, from a thread of its own that ends when it says `None`.
    pub fn spawn_status(&self, status: impl Fn() -> Option<String> + Send + 'static) -> io::Result<()> {
        if !self.is_connected() {
            return Ok(());
        }
        let notifier = self.clone();
        std::thread::Builder::new().name("status".into()).spawn(move || {
            let mut sent = String::new();
            while let Some(now) = status() {
                if now != sent {
                    notifier.status(&now);
                    sent = now;
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        })?;
        Ok(())
    }

    fn send(&self, message: &str, fds: &[BorrowedFd<'_>]) {
        let Some(socket) = &self.0 else { return };
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
        let mut attached = SendAncillaryBuffer::new(&mut space);
        if !fds.is_empty() {
            attached.push(SendAncillaryMessage::ScmRights(fds));
        }
        let sent = rustix::io::retry_on_intr(|| {
            sendmsg(socket, &[IoSlice::new(message.as_bytes())], &mut attached, SendFlags::NOSIGNAL)
        });
        if let Err(error) = sent {
            tracing::warn!(event = "notify", %error, "the service manager did not take a message");
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
    let mut name = String::from("listener-");
    let _ = write!(name, "{}-{}", address.ip(), address.port());
    name.replace(':', "_")
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::IoSliceMut;
    use std::os::fd::{AsFd, OwnedFd};
    use std::sync::atomic::{AtomicU32, Ordering};

    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    use super::*;

    /// A service manager's end of the protocol.
    pub(in crate::daemon) struct ServiceManager(UnixDatagram);

    impl ServiceManager {
        pub(in crate::daemon) fn start() -> (Self, Notifier) {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let name = format!("fastgo-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            (Self(socket), Notifier::connect(format!("@{name}").as_ref()).unwrap())
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
            (String::from_utf8(bytes[..received.bytes].to_vec()).unwrap(), fds)
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
        let (manager, notifier) = ServiceManager::start();
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
        let (manager, notifier) = ServiceManager::start();
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
    fn status_is_sent_when_it_changed_until_there_is_none() {
        let (manager, notifier) = ServiceManager::start();
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
        notifier.spawn_status(|| panic!("nobody asks")).unwrap();
        assert!(!notifier.is_connected());
    }

    #[test]
    fn names_in_the_store_are_unique_and_allowed() {
        assert_eq!(store_name("[::]:8080".parse().unwrap()), "listener-__-8080");
        assert_eq!(store_name("192.0.2.7:80".parse().unwrap()), "listener-192.0.2.7-80");
    }
}
