//! One table of raw requests, sent whole, byte by byte and in random splits: the three engines must give the same
//! statuses and the same decision to keep or close the connection, however the bytes arrive.

mod agreement;
mod bodies;
mod heads;
mod normal;
mod refusals;
mod sequences;

use std::io::Write;

use crate::common::{Client, Random, Server, every_engine};

/// The limits that the cases are made for, and time for thirty thousand single bytes on a busy machine.
const SETTINGS: [(&str, &str); 3] =
    [("MAX_HEADER_BYTES", "2KiB"), ("MAX_BODY_BYTES", "1KiB"), ("READ_TIMEOUT", "120s")];

/// Bytes to send, and what must come back.
struct Case {
    wire: Vec<u8>,
    /// Statuses in order, then what becomes of the connection: `200 404 keep`, `400 close`. `200h` answers a HEAD.
    /// `fin`: the client closes its sending side after the last byte, and the server closes after its last answer.
    outcome: &'static str,
}

impl Case {
    fn new(wire: impl AsRef<[u8]>, outcome: &'static str) -> Self {
        Self { wire: wire.as_ref().to_vec(), outcome }
    }

    /// The answers expected and the word after them.
    fn expected(&self) -> (Vec<&'static str>, &'static str) {
        let mut words: Vec<_> = self.outcome.split(' ').collect();
        let end = words.pop().expect("an outcome");
        assert!(["keep", "close", "fin"].contains(&end), "{}", self.outcome);
        (words, end)
    }

    /// Reads the answers and says what is wrong with them.
    fn check(&self, mut client: Client, number: usize) -> Result<(), String> {
        let (answers, end) = self.expected();
        for (position, answer) in answers.iter().enumerate() {
            let (status, to_head) = match answer.strip_suffix('h') {
                Some(status) => (status, true),
                None => (*answer, false),
            };
            let response = client.read_response(to_head).map_err(|error| format!("instead of {answer}: {error}"))?;
            if response.status.to_string() != *status {
                return Err(format!("instead of {answer}: {response:?}"));
            }
            if status == "100" {
                continue;
            }
            let is_last = position + 1 == answers.len();
            if end != "fin" && response.closes() != (is_last && end == "close") {
                return Err(format!("the wrong connection header: {response:?}"));
            }
            if response.header("date").is_none() || response.header("transfer-encoding").is_some() {
                return Err(format!("wrong headers: {response:?}"));
            }
            if response.status >= 400 && !to_head {
                let body: serde_json::Value =
                    serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
                if body["error"].as_str().is_none_or(str::is_empty) {
                    return Err(format!("no error message: {body}"));
                }
            }
        }
        if end == "keep" { Self::still_in_step(&mut client, number) } else { Self::closed(&mut client) }
    }

    /// A kept connection must answer the next request, and that one only.
    fn still_in_step(client: &mut Client, number: usize) -> Result<(), String> {
        let id = format!("probe-{number}");
        let probe = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {id}\r\n\r\n");
        client.stream.write_all(probe.as_bytes()).map_err(|error| format!("not kept: {error}"))?;
        let response = client.read_response(false).map_err(|error| format!("not kept: {error}"))?;
        if response.status == 200 && response.header("x-request-id") == Some(&id) && client.unread().is_empty() {
            Ok(())
        } else {
            Err(format!("out of step: {response:?} {}", client.unread().escape_ascii()))
        }
    }

    /// A closed connection ends in order, without another byte and without a reset.
    fn closed(client: &mut Client) -> Result<(), String> {
        match client.line() {
            Err(error) if error == "closed after \"\"" => Ok(()),
            other => Err(format!("not closed in order: {other:?}")),
        }
    }
}

/// How a request's bytes are cut into writes.
#[derive(Debug, Clone, Copy)]
enum Split {
    Whole,
    Bytes,
    Random(u64),
}

impl Split {
    fn pieces(self, wire: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![wire],
            Self::Bytes => wire.chunks(1).collect(),
            Self::Random(seed) => {
                let mut random = Random::new(seed);
                let mut pieces = Vec::new();
                let mut rest = wire;
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(rest.len().min(1 + random.below(wire.len() / 5 + 1)));
                    pieces.push(piece);
                    rest = after;
                }
                pieces
            }
        }
    }
}

fn all_cases() -> Vec<Case> {
    [heads::cases(), bodies::cases(), sequences::cases()].into_iter().flatten().collect()
}

/// Sends every case on a connection of its own, one piece each in turn, so that the server sees the pieces apart.
fn send_all(server: &Server, cases: &[Case], split: Split) -> Vec<Client> {
    let mut clients: Vec<Client> = cases.iter().map(|_| server.connect()).collect();
    let mut pieces: Vec<_> = cases.iter().map(|case| split.pieces(&case.wire).into_iter()).collect();
    let mut sending = true;
    while sending {
        sending = false;
        for (client, pieces) in clients.iter_mut().zip(&mut pieces) {
            if let Some(piece) = pieces.next() {
                sending = true;
                // A server that has refused the request may have gone; what it answered is read below.
                let _ = client.stream.write_all(piece);
            }
        }
    }
    for (client, case) in clients.iter_mut().zip(cases) {
        if case.expected().1 == "fin" {
            client.half_close();
        }
    }
    clients
}

#[test]
fn every_case_in_every_split_on_every_engine() {
    let cases = all_cases();
    assert!(cases.len() >= 120, "{} cases", cases.len());
    every_engine(|engine| check_every_case(engine, &Server::start(engine, &SETTINGS), &cases));
}

/// Sends the whole table in every split.
pub(crate) fn check_table(engine: &str, start: impl FnOnce(&[(&str, &str)]) -> Server) {
    check_every_case(engine, &start(&SETTINGS), &all_cases());
}

fn check_every_case(engine: &str, server: &Server, cases: &[Case]) {
    let mut problems = Vec::new();
    for split in [Split::Whole, Split::Bytes, Split::Random(1), Split::Random(2), Split::Random(3)] {
        let clients = send_all(server, cases, split);
        for (number, (case, client)) in cases.iter().zip(clients).enumerate() {
            if let Err(problem) = case.check(client, number) {
                let wire = case.wire.escape_ascii().to_string();
                problems.push(format!("{split:?} {:.200} -> {}: {problem}", wire, case.outcome));
            }
        }
    }
    assert!(problems.is_empty(), "{engine}: {} failures\n{}", problems.len(), problems.join("\n"));
}
