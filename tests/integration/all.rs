//! `fastgo all`: a child process for each engine, one set of logs, one signal.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use crate::common::{Client, ENGINES, Process, connect, listening_address, wait_for};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A port with two free ones after it, below the range that the kernel hands out, and another one at each call.
pub(crate) fn three_free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let is_free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
    // Another run of these tests begins elsewhere.
    let start = std::process::id() as u16 % 1000 * 10;
    let mut bases = std::iter::repeat_with(|| 20_000 + (start + NEXT.fetch_add(3, Relaxed)) % 9999).take(1000);
    bases.find(|&base| (base..base + 3).all(is_free)).expect("three free ports")
}

pub(crate) fn all(base: u16, arguments: &[&str], settings: &[(&str, &str)]) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    command.args(["all", "--bind", "127.0.0.1", "--port", &base.to_string()]).args(arguments);
    command.env_clear().env("WORK", "none").envs(settings.iter().copied());
    // A group of its own, which a terminal's Ctrl-C would signal as one.
    Process::spawn(command.process_group(0))
}

/// Waits until all are ready; engine → address.
pub(crate) fn ready(process: &Process) -> BTreeMap<&'static str, SocketAddr> {
    let dashboard = process.wait_for_log("dashboard http://");
    assert!(dashboard.contains("/compare3"), "{dashboard}");
    let log = process.log();
    let listening = log.lines().filter(|line| line.contains("listening on http://"));
    let engine_of =
        |line: &str| ENGINES.iter().copied().find(|engine| line.contains(engine)).expect("an engine's prefix");
    listening.map(|line| (engine_of(line), listening_address(line))).collect()
}

/// The children of a process, by engine.
pub(crate) fn children(parent: Pid) -> BTreeMap<&'static str, Pid> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let owner = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<i32>().ok());
        if owner != Some(parent.as_raw_nonzero().get()) {
            continue;
        }
        let command = std::fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
        if let Some(engine) = ENGINES.iter().copied().find(|engine| command.split('\0').any(|word| word == *engine)) {
            found.insert(engine, Pid::from_raw(pid).expect("a pid"));
        }
    }
    found
}

/// Whether nothing listens on any of the addresses.
fn all_closed<'a>(addresses: impl IntoIterator<Item = &'a SocketAddr>) {
    for address in addresses {
        wait_for("the port to be closed", || TcpStream::connect(address).is_err().then_some(()));
    }
}

#[test]
fn three_engines_start_and_one_ctrl_c_drains_them_all() {
    let base = three_free_ports();
    let mut process = all(base, &[], &[("WORK", "sleep:700ms")]);
    let addresses = ready(&process);
    let ports: Vec<u16> = ENGINES.iter().map(|engine| addresses[engine].port()).collect();
    assert_eq!(ports, [base, base + 1, base + 2]);
    assert_eq!(children(process.pid()).len(), 3, "each engine is a process of its own");
    let mut asking: Vec<Client> = Vec::new();
    for (engine, address) in &addresses {
        assert_eq!(connect(*address).get("/health", "").expect(200).json()["server"], *engine);
        let mut client = connect(*address);
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        asking.push(client);
    }
    for address in addresses.values() {
        let mut client = connect(*address);
        let arrived = || (client.get("/metrics", "").json()["in_flight_requests"] == 1).then_some(());
        wait_for("the request to arrive", arrived);
    }
    // A terminal signals the whole group, and the parent hears it as well: still one signal for each child.
    kill_process_group(process.pid(), Signal::INT).expect("signal");
    for client in &mut asking {
        assert!(client.response().expect(200).closes());
    }
    assert_eq!(process.wait_for_exit().code(), Some(0));
    all_closed(addresses.values());
}

/// What is bound is every address, which nobody can open.
#[test]
fn each_engine_names_an_address_that_can_be_opened() {
    let base = three_free_ports();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    command.args(["all", "--port", &base.to_string()]).env_clear().env("WORK", "none");
    let process = Process::spawn(command.process_group(0));
    process.wait_for_log("dashboard http://localhost:");
    let log = process.log();
    for port in base..base + 3 {
        assert!(log.contains(&format!("listening on http://localhost:{port}\n")), "{log}");
    }
    assert!(!log.contains("[::]") && !log.contains("0.0.0.0"), "{log}");
}

#[test]
fn a_signal_to_the_parent_alone_is_passed_on() {
    let mut process = all(three_free_ports(), &["--only", "worker-pool,hyper"], &[]);
    let addresses = ready(&process);
    assert_eq!(addresses.keys().copied().collect::<Vec<_>>(), ["hyper", "worker-pool"]);
    assert_eq!(children(process.pid()).len(), 2);
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(0));
    all_closed(addresses.values());
}

#[test]
fn a_second_signal_ends_all_at_once() {
    let mut process = all(three_free_ports(), &["--only", "worker-pool,hyper"], &[("WORK", "sleep:60s")]);
    let addresses = ready(&process);
    let mut asking: Vec<Client> = addresses.values().map(|address| connect(*address)).collect();
    let mut watchers: Vec<Client> = addresses.values().map(|address| connect(*address)).collect();
    for (client, watcher) in asking.iter_mut().zip(&mut watchers) {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let arrived = || (watcher.get("/metrics", "").json()["in_flight_requests"] == 1).then_some(());
        wait_for("the request to arrive", arrived);
    }
    process.signal(Signal::INT);
    for watcher in &mut watchers {
        wait_for("draining", || watcher.get("/health", "").closes().then_some(()));
    }
    process.signal(Signal::INT);
    assert_eq!(process.wait_for_exit().code(), Some(1));
    all_closed(addresses.values());
}

#[test]
fn a_child_that_dies_is_named_and_told_by_the_exit_code() {
    let mut process = all(three_free_ports(), &[], &[]);
    let addresses = ready(&process);
    kill_process(children(process.pid())["may"], Signal::KILL).expect("signal");
    let line = process.wait_for_log("crashed");
    assert!(line.contains("may") && line.contains("signal: 9"), "{line}");
    // Nothing is restarted, and the others keep running.
    for (engine, address) in &addresses {
        if *engine == "may" {
            all_closed([address]);
        } else {
            connect(*address).get("/", "").expect(200);
        }
    }
    process.signal(Signal::TERM);
    assert_eq!(process.wait_for_exit().code(), Some(1));
    all_closed(addresses.values());
}

#[test]
fn children_do_not_outlive_a_parent_that_is_killed() {
    let process = all(three_free_ports(), &[], &[]);
    let addresses = ready(&process);
    process.signal(Signal::KILL);
    all_closed(addresses.values());
}

#[test]
fn a_port_in_use_is_code_2_and_nothing_is_left_running() {
    let base = three_free_ports();
    let blocker = TcpListener::bind(("127.0.0.1", base + 1)).expect("bind");
    let mut process = all(base, &[], &[]);
    assert_eq!(process.wait_for_exit().code(), Some(2));
    let log = process.log();
    assert!(log.contains(&(base + 1).to_string()) && log.contains("in use"), "{log}");
    assert!(!log.contains("dashboard http://"), "{log}");
    drop(blocker);
    all_closed(&[base, base + 1, base + 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
}
