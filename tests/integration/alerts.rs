//! Alerts: one POST when something goes wrong, one when it is over, and none in between.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::all::{all, children, ready, three_free_ports};
use crate::common::{Client, PATIENCE, Server, every_engine};

/// Longer than any incident of these tests needs to be reported again, if it were.
const QUIET: Duration = Duration::from_secs(8);

/// A server that takes alerts.
struct Inbox {
    url: String,
    alerts: Receiver<Alert>,
}

#[derive(Debug)]
struct Alert {
    head: String,
    body: String,
}

impl Inbox {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let url = format!("http://{}/topic", listener.local_addr().expect("address"));
        let (sender, alerts) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut reader = BufReader::new(stream.try_clone().expect("clone"));
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    assert_ne!(reader.read_line(&mut head).expect("a line"), 0, "{head}");
                }
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
                let mut body = vec![0; length.parse().expect("a number")];
                reader.read_exact(&mut body).expect("a body");
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").expect("answer");
                if sender.send(Alert { head, body: String::from_utf8(body).expect("UTF-8") }).is_err() {
                    return;
                }
            }
        });
        Self { url, alerts }
    }

    /// The next alert, which has this in its title.
    fn expect(&self, title: &str) -> Alert {
        let alert = self.alerts.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{title}: {error}"));
        let line = alert.head.lines().find_map(|line| line.strip_prefix("title: ")).expect("a title");
        assert!(line.ends_with(title), "{line}, not {title}");
        assert!(alert.body.starts_with(line), "{}", alert.body);
        alert
    }

    fn expect_nothing(&self) {
        if let Ok(alert) = self.alerts.recv_timeout(QUIET) {
            panic!("one more: {alert:?}");
        }
    }
}

#[test]
fn an_engine_near_its_connection_limit_reports_that_once_and_its_end() {
    every_engine(|engine| {
        let inbox = Inbox::start();
        let server = Server::start(engine, &[("MAX_CONNECTIONS", "10"), ("NOTIFY_URL", &inbox.url)]);
        let clients: Vec<Client> = (0..10).map(|_| server.connect()).collect();
        let begun = inbox.expect(&format!(": {engine}: near the connection limit"));
        assert!(begun.head.starts_with("POST /topic HTTP/1.1\r\n") && begun.head.contains("\r\npriority: high\r\n"));
        inbox.expect_nothing();
        drop(clients);
        let over = inbox.expect(&format!(": resolved: {engine}: near the connection limit"));
        assert!(over.head.contains("\r\npriority: default\r\n"), "{}", over.head);
        assert!(over.body.contains("It lasted "), "{}", over.body);
        inbox.expect_nothing();
    });
}

/// Both of the other engines see it, and one of them reports it.
#[test]
fn an_engine_that_does_not_answer_is_reported_once_by_the_others() {
    let inbox = Inbox::start();
    let process = all(three_free_ports(), &[], &[("NOTIFY_URL", &inbox.url)]);
    let addresses = ready(&process);
    // An engine that was never seen is not missed.
    process.wait_for_log("METRICS");
    let stopped = children(process.pid())["may"];
    kill_process(stopped, Signal::STOP).expect("stop");
    inbox.expect(": may is down");
    inbox.expect_nothing();
    kill_process(stopped, Signal::CONT).expect("continue");
    inbox.expect(": resolved: may is down");
    inbox.expect_nothing();
    assert_eq!(addresses.len(), 3);
}

#[test]
fn an_engine_that_the_watchdog_had_started_again_reports_it() {
    every_engine(|engine| {
        let inbox = Inbox::start();
        let state = tempfile::TempDir::new().expect("directory");
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("the kernel's name of this boot");
        let last =
            serde_json::json!({ "time": "2026-11-26T08:00:00Z", "reason": "watchdog (ABRT)", "after_seconds": 100 });
        let runs = serde_json::json!({ "boot": boot.trim(), "failures": 1, "crashes": 1, "watchdog": 1, "last": last });
        std::fs::write(state.path().join(format!("{engine}.runs.json")), runs.to_string()).expect("write");
        let directory = state.path().to_str().expect("UTF-8");
        let _server = Server::start(engine, &[("STATE_DIRECTORY", directory), ("NOTIFY_URL", &inbox.url)]);
        let alert = inbox.expect(&format!(": {engine} was started again"));
        assert!(alert.body.contains("It failed: watchdog (ABRT)."), "{}", alert.body);
        inbox.expect_nothing();
    });
}
