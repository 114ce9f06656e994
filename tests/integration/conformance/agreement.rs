//! Damaged and pipelined requests, without a recorded answer: whatever it is, the three engines must give the
//! same bytes, however the request's bytes arrive.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use super::normal::normal;
use super::{Case, Split};
use crate::common::{Client, Random, Server, engines};

/// Cases in one run, the same ones each time; `FASTGO_DIFFERENTIAL_CASES` names another number for a long run
/// (`.ci/agreement`).
const CASES: usize = 750;
/// Cases that are open at the same time, on every engine: the connections wait for their pauses side by side.
const BATCH: usize = 250;
/// Longer than a connection stays busy after its last byte: it is parked when the next one comes.
const PARKED: Duration = Duration::from_millis(200);
/// Disagreements that are shown.
const SHOWN: usize = 20;

/// Bytes and words that mean something in HTTP/1.
const TOKENS: [&str; 30] = [
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ",",
    ";",
    "\0",
    "\u{ff}",
    "/",
    "?",
    "*",
    "%",
    "[",
    "0",
    "9",
    "a",
    "HEAD",
    "OPTIONS",
    "HTTP/1.0",
    "HTTP/1.1",
    "Host: b\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// How a case's bytes come to the server.
#[derive(Debug, Clone, Copy)]
enum Arrival {
    Whole,
    Split,
    /// Byte by byte: the first [`CASES`] only, because a long run would take hours.
    Bytes,
    /// A good request, a pause, half of the case, a pause, the other half.
    Parked,
}

/// Up to four of the cases in a row, hurt in a few places.
fn damage(cases: &[Case], random: &mut Random) -> Vec<u8> {
    let mut wire = cases[random.below(cases.len())].wire.clone();
    for _ in 0..random.below(4) {
        wire.extend_from_slice(&cases[random.below(cases.len())].wire);
    }
    for _ in 0..random.below(4) {
        let at = random.below(wire.len() + 1);
        let until = (at + random.below(6)).min(wire.len());
        let token = TOKENS[random.below(TOKENS.len())].as_bytes();
        match random.below(5) {
            0 => drop(wire.splice(at..until, token.iter().copied())),
            1 => drop(wire.splice(at..at, token.iter().copied())),
            2 => drop(wire.drain(at..until)),
            3 => wire.truncate(at),
            _ => {
                let copy = wire[at..until].to_vec();
                wire.splice(at..at, copy);
            }
        }
    }
    wire
}

/// What each of the cases gets until the server closes, after the last byte and the end of sending.
fn answers(server: &Server, wires: &[Vec<u8>], arrival: Arrival) -> Vec<String> {
    let mut clients: Vec<Client> = wires.iter().map(|_| server.connect()).collect();
    // A server that has refused the request may have gone; what it answered is read below.
    let write = |client: &mut Client, bytes: &[u8]| drop(client.stream.write_all(bytes));
    let mut seed = 0;
    match arrival {
        Arrival::Whole => clients.iter_mut().zip(wires).for_each(|(client, wire)| write(client, wire)),
        Arrival::Bytes | Arrival::Split => {
            for (client, wire) in clients.iter_mut().zip(wires) {
                seed += 1;
                let split = if matches!(arrival, Arrival::Bytes) { Split::Bytes } else { Split::Random(seed) };
                split.pieces(wire).into_iter().for_each(|piece| write(client, piece));
            }
        }
        Arrival::Parked => {
            for client in &mut clients {
                write(client, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
            }
            std::thread::sleep(PARKED);
            for (client, wire) in clients.iter_mut().zip(wires) {
                write(client, &wire[..wire.len() / 2]);
            }
            std::thread::sleep(PARKED);
            for (client, wire) in clients.iter_mut().zip(wires) {
                write(client, &wire[wire.len() / 2..]);
            }
        }
    }
    for client in &clients {
        let _ = client.stream.shutdown(Shutdown::Write);
    }
    clients.iter_mut().map(outcome).collect()
}

/// The answers, made comparable, and how the connection ended.
fn outcome(client: &mut Client) -> String {
    let mut bytes = Vec::new();
    let end = client.stream.read_to_end(&mut bytes);
    let end = end.map(|_| "the end").map_err(|error| error.kind());
    match normal(&bytes) {
        Ok(text) => format!("{text} {end:?}"),
        Err(problem) => format!("{problem} in {} {end:?}", bytes.escape_ascii()),
    }
}

#[test]
fn engines_give_the_same_bytes_to_damaged_and_pipelined_requests() {
    let cases = super::all_cases();
    let wanted = std::env::var("FASTGO_DIFFERENTIAL_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(CASES);
    let settings = [("MAX_HEADER_BYTES", "2KiB"), ("MAX_BODY_BYTES", "1KiB"), ("READ_TIMEOUT", "25s")];
    let servers: Vec<Server> = engines().map(|engine| Server::start(engine, &settings)).collect();
    let mut random = Random::new(600);
    let (mut tried, mut problems, mut disagreements) = (0, Vec::new(), 0);
    while tried < wanted {
        let wires: Vec<Vec<u8>> = (tried..wanted.min(tried + BATCH)).map(|_| damage(&cases, &mut random)).collect();
        let bytes = (tried < CASES).then_some(Arrival::Bytes);
        tried += wires.len();
        for arrival in [Arrival::Whole, Arrival::Split, Arrival::Parked].into_iter().chain(bytes) {
            let all: Vec<Vec<String>> = std::thread::scope(|scope| {
                let running: Vec<_> =
                    servers.iter().map(|server| scope.spawn(|| answers(server, &wires, arrival))).collect();
                running.into_iter().map(|thread| thread.join().expect("answers")).collect()
            });
            for (number, wire) in wires.iter().enumerate() {
                let different: Vec<&String> = all.iter().map(|answers| &answers[number]).collect();
                if different.iter().any(|answer| *answer != different[0]) {
                    disagreements += 1;
                    if problems.len() < SHOWN {
                        problems.push(format!("{arrival:?} {:.400}: {different:#?}", wire.escape_ascii().to_string()));
                    }
                }
            }
        }
    }
    assert_eq!(tried, wanted);
    assert!(disagreements == 0, "{disagreements} disagreements in {tried} cases; some:\n{}", problems.join("\n"));
}
