//! Students who register over HTTP, and engines on a medium of known slowness.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::Parser as _;
use fastgo::cli::Cli;
use serde_json::{Value, json};

use super::checker::Event;
use super::roles::micros;
use super::{medium, sqlite};
use crate::common::{Client, Response, Server, connect, try_connect};

/// The environment variable that makes this binary an engine: its name and the microseconds of a sync.
const ENGINE: &str = "FASTGO_TEST_ENGINE";

/// Whether to run a proof at full length, as `tests/registration-proofs` does, rather than for a few seconds.
pub(super) fn is_full() -> bool {
    std::env::var_os("FASTGO_TEST_FULL").is_some()
}

/// An engine on the file at `database`, without rate limits.
pub(super) fn serve(engine: &str, database: &Path) -> Server {
    Server::start(engine, &settings(&sqlite(database)))
}

fn settings(database: &str) -> [(&'static str, &str); 3] {
    [("DATABASE_URL", database), ("RATE_LIMIT_STUDENT", "off"), ("RATE_LIMIT_ADDRESS", "off")]
}

/// The same in a process where a sync takes `sync` longer: this binary, whose syncs its `medium` makes slow.
pub(super) fn serve_slowly(engine: &str, database: &Path, sync: Duration, more: &[(&str, &str)]) -> Server {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "registrations::school::engine_process", "--nocapture", "--test-threads=1"]);
    command.env_clear().env(ENGINE, format!("{engine} {}", sync.as_micros())).env("WORK", "none");
    command.envs(settings(&sqlite(database))).envs(more.iter().copied());
    Server::spawn(&mut command)
}

/// The body of such a process; as a test it has nothing to do.
#[test]
fn engine_process() {
    let Ok(role) = std::env::var(ENGINE) else { return };
    let (engine, sync) = role.split_once(' ').expect("engine and time");
    medium::set_delay(Duration::from_micros(sync.parse().expect("time")));
    let arguments = ["fastgo", "serve", engine, "--bind", "127.0.0.1", "--port", "0"];
    Cli::try_parse_from(arguments).expect("arguments").run().expect("an engine");
}

/// A connection of one student after another, which is opened again when it breaks.
pub(super) struct Line {
    address: SocketAddr,
    client: Option<Client>,
}

impl Line {
    pub(super) fn to(address: SocketAddr) -> Self {
        Self { address, client: Some(connect(address)) }
    }

    /// The server is elsewhere now.
    pub(super) fn moved(&mut self, address: SocketAddr) {
        if self.address != address {
            *self = Self { address, client: None };
        }
    }

    /// Sends the request for a seat, with a key of its own, and notes it.
    pub(super) fn ask(&mut self, student: &str, course: &str) -> Option<Event> {
        let body = json!({ "student_id": student, "course_id": course }).to_string();
        let request = format!(
            "POST /registrations HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {student}/{course}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let event = Event::Asked { at: micros(), student: student.into(), course: course.into() };
        self.send(&request).then_some(event)
    }

    /// Leaves without waiting for the answer.
    pub(super) fn hang_up(&mut self) {
        self.client = None;
    }

    /// Gives a registration back; `None` if the connection broke.
    pub(super) fn give_back(&mut self, id: &str) -> Option<Response> {
        let sent = self.send(&format!("DELETE /registrations/{id} HTTP/1.1\r\nHost: x\r\n\r\n"));
        if sent { self.answer() } else { None }
    }

    fn send(&mut self, request: &str) -> bool {
        use std::io::Write as _;
        if self.client.is_none() {
            self.client = try_connect(self.address).ok();
        }
        let sent = self.client.as_mut().is_some_and(|client| client.stream.write_all(request.as_bytes()).is_ok());
        if !sent {
            self.client = None;
        }
        sent
    }

    /// The answer to what was asked; `None` if the connection broke.
    pub(super) fn answer(&mut self) -> Option<Response> {
        let answer = self.client.as_mut().and_then(|client| client.read_response(false).ok());
        let is_last = answer.as_ref().is_none_or(|answer| answer.header("connection") == Some("close"));
        if is_last {
            self.client = None;
        }
        answer
    }
}

/// What an answer with a receipt says.
pub(super) fn registered(answer: &Response, student: &str, course: &str) -> Event {
    let receipt: Value = answer.json();
    Event::Registered {
        at: micros(),
        student: student.into(),
        course: course.into(),
        id: receipt["registration_id"].as_str().expect("an id").into(),
        enrolled: receipt["status"] == "enrolled",
    }
}

/// A quantile of times.
pub(super) fn quantile(times: &mut [Duration], quantile: f64) -> Duration {
    times.sort();
    times[((times.len() - 1) as f64 * quantile).round() as usize]
}
