//! One engine, serving on a free port.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Client, PATIENCE, Process, connect};

/// A process that listens on a free port of 127.0.0.1.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    process: Process,
}

impl Server {
    /// Starts `engine` with these environment variables; the work is `none` unless they say otherwise.
    pub(crate) fn start(engine: &str, settings: &[(&str, &str)]) -> Self {
        Self::spawn(&mut Self::command(engine, settings))
    }

    /// The command line that [`Self::start`] runs: nothing of this process's environment reaches the child.
    pub(crate) fn command(engine: &str, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
        command.args(["serve", engine, "--bind", "127.0.0.1", "--port", "0"]);
        command.env_clear().env("WORK", "none").envs(settings.iter().copied());
        command
    }

    /// Starts a prepared command and waits until it listens.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let process = Process::spawn(command);
        let line = process.wait_for_log("listening on http://");
        Self { address: listening_address(&line), process }
    }

    pub(crate) fn connect(&self) -> Client {
        connect(self.address)
    }

    /// `/metrics` as JSON, on a connection of its own (which `active_connections` then counts).
    pub(crate) fn metrics(&self) -> Value {
        self.connect().get("/metrics", "Connection: close\r\n").expect(200).json()
    }

    /// Polls `/metrics` until `condition` holds.
    #[track_caller]
    pub(crate) fn wait_for_metrics(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let metrics = self.metrics();
            if condition(&metrics) {
                return metrics;
            }
            assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what} in {metrics:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The address in the log line that says where an engine listens.
pub(crate) fn listening_address(line: &str) -> SocketAddr {
    let url = line.split("http://").nth(1).unwrap_or_else(|| panic!("no URL in {line:?}"));
    let end = url.find(|at: char| at.is_whitespace() || at == '/' || at == ',').unwrap_or(url.len());
    url[..end].parse().unwrap_or_else(|error| panic!("{error} in {line:?}"))
}

impl Deref for Server {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
