//! The process under a service manager: what it says, and that its sockets outlive it.

mod common;

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use common::{PATIENCE, Process, connect, every_engine};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::Signal;
use tempfile::TempDir;

/// What systemd is to a unit: a socket for its messages, and a store for its descriptors.
struct ServiceManager {
    directory: TempDir,
    socket: UnixDatagram,
}

impl ServiceManager {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let socket = UnixDatagram::bind(directory.path().join("notify")).expect("bind");
        socket.set_read_timeout(Some(PATIENCE)).expect("timeout");
        Self { directory, socket }
    }

    /// `fastgo serve ENGINE` with one thread, and so one listening socket, as a unit's main process.
    fn command(&self, engine: &str, port: u16) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
        command.env_clear().env("NOTIFY_SOCKET", self.directory.path().join("notify"));
        command.args(["serve", engine, "--bind", "127.0.0.1", "--workers", "1", "--port", &port.to_string()]);
        command
    }

    fn receive(&self) -> (String, Vec<OwnedFd>) {
        let mut bytes = [0; 4096];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut attached = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::io::retry_on_intr(|| {
            recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut attached, RecvFlags::CMSG_CLOEXEC)
        });
        let length = received.expect("a message").bytes;
        let fds = attached.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => fds.collect(),
            _ => Vec::new(),
        });
        (String::from_utf8(bytes[..length].to_vec()).expect("UTF-8"), fds.collect())
    }

    /// The messages up to the first that has `line`.
    fn until(&self, line: &str) -> Vec<String> {
        let mut messages = Vec::new();
        loop {
            messages.push(self.receive().0);
            if messages.last().is_some_and(|message| message.lines().any(|said| said == line)) {
                return messages;
            }
        }
    }
}

/// A free port below the range that the kernel hands out, another one at each call.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = std::process::id() as u16 % 900 * 10;
    let mut ports = std::iter::repeat_with(|| 10_000 + (start + NEXT.fetch_add(1, Relaxed)) % 9000).take(1000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a free port")
}

#[test]
fn ready_when_it_answers_and_stopping_when_it_drains() {
    every_engine(|engine| {
        let manager = ServiceManager::new();
        let port = free_port();
        let mut process = Process::spawn(&mut manager.command(engine, port));
        let messages = manager.until("READY=1");
        assert!(messages.last().expect("a message").contains("\nSTATUS=serving: 0 connections"), "{messages:?}");
        connect(SocketAddr::from(([127, 0, 0, 1], port))).get("/health", "").expect(200);
        process.signal(Signal::TERM);
        manager.until("STOPPING=1");
        manager.until("EXTEND_TIMEOUT_USEC=35000000");
        assert_eq!(process.wait_for_exit().code(), Some(0));
    });
}

#[test]
fn the_watchdog_is_fed_while_the_server_answers() {
    every_engine(|engine| {
        let manager = ServiceManager::new();
        let _process = Process::spawn(manager.command(engine, 0).env("WATCHDOG_USEC", "2000000"));
        manager.until("READY=1");
        for _ in 0..3 {
            manager.until("WATCHDOG=1");
        }
    });
}

#[test]
fn a_reload_is_answered_and_changes_nothing() {
    let manager = ServiceManager::new();
    let mut process = Process::spawn(&mut manager.command("hyper", 0));
    manager.until("READY=1");
    process.signal(Signal::HUP);
    let messages = manager.until("RELOADING=1");
    assert!(messages.last().expect("a message").contains("\nMONOTONIC_USEC="), "{messages:?}");
    manager.until("READY=1");
    process.wait_for_log("a restart applies new ones");
    assert!(process.is_running());
}

#[test]
fn a_client_that_comes_while_nobody_serves_is_answered_by_the_next_process() {
    every_engine(|engine| {
        let manager = ServiceManager::new();
        let port = free_port();
        let mut first = Process::spawn(&mut manager.command(engine, port));
        let (message, mut stored) = manager.receive();
        let name = format!("listener-127.0.0.1-{port}");
        assert_eq!(message, format!("FDSTORE=1\nFDNAME={name}\n"));
        assert_eq!(stored.len(), 1);
        manager.until("READY=1");
        first.signal(Signal::KILL);
        first.wait_for_exit();

        let mut client = connect(SocketAddr::from(([127, 0, 0, 1], port)));
        client.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
        let next = manager.command(engine, port);
        let mut shell = Command::new("/bin/sh");
        // systemd passes descriptors from number 3 on, to the process that it names.
        shell.args(["-c", "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"", "sh"]);
        shell.arg(next.get_program()).args(next.get_args()).env_clear();
        shell.envs(next.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("LISTEN_FDNAMES", &name);
        let _second = Process::spawn_with_stdin(&mut shell, stored.remove(0));
        assert_eq!(client.response().expect(200).json()["server"], engine);
    });
}
