//! The process under a service manager: what it says, and that its sockets outlive it.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use crate::common::{ENGINES, PATIENCE, Process, connect, every_engine, listening_address, wait_for};
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
        command.args(["serve", engine, "--bind", "127.0.0.1", "--threads", "1", "--port", &port.to_string()]);
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

    /// Takes a message that is there already; whether there was none.
    fn is_quiet(&self) -> bool {
        self.socket.set_nonblocking(true).expect("non-blocking");
        let quiet = self.socket.recv(&mut [0; 4096]).is_err();
        self.socket.set_nonblocking(false).expect("blocking");
        quiet
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
fn a_signal_without_settings_is_answered_and_changes_nothing() {
    let manager = ServiceManager::new();
    let mut process = Process::spawn(&mut manager.command("hyper", 0));
    manager.until("READY=1");
    process.signal(Signal::HUP);
    let messages = manager.until("RELOADING=1");
    assert!(messages.last().expect("a message").contains("\nMONOTONIC_USEC="), "{messages:?}");
    manager.until("READY=1");
    process.wait_for_log("settings unchanged: no settings were passed");
    assert!(process.is_running());
}

/// What systemd runs for `systemctl reload` (`ExecReload=`), with the settings files read again.
fn reload(engine: &str, process: &Process, run: &TempDir, settings: &[(&str, &str)]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    command.args(["reload", engine]).env_clear().env("RUNTIME_DIRECTORY", run.path());
    command.env("MAINPID", process.pid().as_raw_nonzero().to_string()).envs(settings.iter().copied());
    command.output().expect("reload")
}

#[test]
fn a_reload_changes_what_can_change_and_names_the_rest() {
    every_engine(|engine| {
        let manager = ServiceManager::new();
        let run = tempfile::tempdir().expect("directory");
        let mut command = manager.command(engine, 0);
        command.env("RUNTIME_DIRECTORY", run.path()).env("WORK", "none").env("IDLE_TIMEOUT", "7s");
        let mut process = Process::spawn(&mut command);
        let address = listening_address(&process.wait_for_log("listening on http://"));
        manager.until("READY=1");
        let metrics = || connect(address).get("/metrics", "Connection: close\r\n").expect(200).json();
        assert_eq!((&metrics()["work"], &metrics()["limits"]["idle_timeout_ms"]), (&"none".into(), &7000.into()));
        // The connection of before has the new work and the new limits, too.
        let mut client = connect(address);
        client.get("/health", "").expect(200);

        let new =
            [("WORK", "sleep:1ms"), ("MAX_BODY_BYTES", "2"), ("READ_TIMEOUT", "3s"), ("LOG", "warn"), ("PPROF", "on")];
        assert!(reload(engine, &process, &run, &new).status.success());
        manager.until("RELOADING=1");
        let said = manager.until("READY=1").pop().expect("a message");
        let expected = "READ_TIMEOUT, IDLE_TIMEOUT, MAX_BODY_BYTES, WORK, LOG; takes a restart: PPROF";
        assert!(said.contains(&format!("STATUS=settings changed: {expected}")), "{said}");
        let after = metrics();
        assert_eq!(after["work"], "sleep:1ms");
        // What was in the files before and is no longer has its default.
        let limits =
            ["read_timeout_ms", "idle_timeout_ms", "max_body_bytes"].map(|name| after["limits"][name].as_u64());
        assert_eq!(limits, [Some(3000), Some(60_000), Some(2)]);
        client.get("/", "").expect(200);
        client.post("/", "{}").expect(200);
        client.post("/", "{ }").expect_error(413);

        let bad = reload(engine, &process, &run, &[("WORK", "nap"), ("READ_TIMEOUT", "0s")]);
        let said = String::from_utf8_lossy(&bad.stderr);
        assert_eq!((bad.status.code(), said.lines().count()), (Some(2), 2), "{said}");
        assert_eq!(metrics()["work"], "sleep:1ms");
        assert!(process.is_running());
    });
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

#[test]
fn engines_find_each_other_on_whatever_port_they_listen() {
    let run = tempfile::tempdir().expect("directory");
    let services: Vec<_> = ENGINES
        .iter()
        .copied()
        .map(|engine| {
            let own = run.path().join(engine);
            std::fs::create_dir(&own).expect("directory");
            let manager = ServiceManager::new();
            let process = Process::spawn(manager.command(engine, 0).env("RUNTIME_DIRECTORY", &own));
            let line = process.wait_for_log("listening on http://");
            (engine, listening_address(&line).port(), process)
        })
        .collect();
    let peers_of = |port: u16| {
        let mut client = connect(SocketAddr::from(([127, 0, 0, 1], port)));
        let json = client.get("/metrics", "").expect(200).json();
        let peers = json["peers"].as_array().expect("peers").iter();
        peers.map(|peer| (peer["server_type"].to_string(), peer["port"].as_u64())).collect::<Vec<_>>()
    };
    let expected: Vec<_> =
        services.iter().map(|(engine, port, _)| (format!("{engine:?}"), Some(u64::from(*port)))).collect();
    for (engine, port, _) in &services {
        wait_for(&format!("{engine} to find the others"), || (peers_of(*port) == expected).then_some(()));
    }
}

/// What systemd runs when a service has ended (`ExecStopPost=`), with what it says about the end.
fn ended(state: &TempDir, engine: &str, result: [&str; 3]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    command.args(["ended", engine]).env_clear().env("STATE_DIRECTORY", state.path());
    command.env("SERVICE_RESULT", result[0]).env("EXIT_CODE", result[1]).env("EXIT_STATUS", result[2]);
    assert!(command.status().expect("status").success());
}

#[test]
fn the_reason_of_a_crash_is_kept_and_shown() {
    let state = tempfile::tempdir().expect("directory");
    let manager = ServiceManager::new();
    let crashes = || {
        let process = Process::spawn(manager.command("may", 0).env("STATE_DIRECTORY", state.path()));
        let address = listening_address(&process.wait_for_log("listening on http://"));
        connect(address).get("/metrics", "").expect(200).json()["crashes"].clone()
    };
    assert_eq!((crashes()["total"].as_u64(), crashes()["last"].is_null()), (Some(0), true));
    ended(&state, "may", ["watchdog", "killed", "ABRT"]);
    let after = crashes();
    assert_eq!((after["total"].as_u64(), after["watchdog"].as_u64()), (Some(1), Some(1)));
    assert_eq!(after["last"]["reason"], "watchdog (ABRT)");
    ended(&state, "may", ["success", "exited", "0"]);
    assert_eq!(crashes(), after);
}

#[test]
fn a_service_that_keeps_failing_is_started_after_growing_pauses() {
    let state = tempfile::tempdir().expect("directory");
    let manager = ServiceManager::new();
    // Each pause says how long it would be, and a signal to stop ends it at once.
    for (failures, pause) in [(1, 0), (2, 2), (3, 10)] {
        ended(&state, "hyper", ["exit-code", "exited", "1"]);
        let mut process = Process::spawn(manager.command("hyper", 0).env("STATE_DIRECTORY", state.path()));
        if failures > 1 {
            manager.until(&format!("EXTEND_TIMEOUT_USEC={}", (30 + pause) * 1_000_000));
            let status = manager.receive().0;
            assert_eq!(
                status,
                format!("STATUS=failed {failures} times in a row, exit-code (1): starting again in {pause}s\n")
            );
            assert!(process.is_running() && process.log().is_empty());
        } else {
            process.wait_for_log("listening on http://");
        }
        process.signal(Signal::TERM);
        process.wait_for_exit();
        while !manager.is_quiet() {}
    }
    // A stop there ends the series of failures: the next start is at once.
    ended(&state, "hyper", ["success", "killed", "TERM"]);
    let _process = Process::spawn(manager.command("hyper", 0).env("STATE_DIRECTORY", state.path()));
    assert!(manager.until("READY=1").iter().all(|message| !message.contains("failed")));
}
