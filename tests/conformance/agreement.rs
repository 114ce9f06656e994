//! Damaged requests, whose right answer nobody wrote down: whatever it is, the three engines must agree on it.

use std::io::{Read, Write};

use super::common::{Random, Server, connect, engines};
use super::{Case, Split};

/// Damaged requests in one run, the same ones each time.
const DAMAGED: usize = 600;

/// Bytes and words that mean something in HTTP/1.
const TOKENS: [&str; 24] = [
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
    "0",
    "9",
    "a",
    "HTTP/1.0",
    "HTTP/1.1",
    "Host: b\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// One or two of the cases, hurt in a few places.
fn damage(cases: &[Case], random: &mut Random) -> Vec<u8> {
    let mut wire = cases[random.below(cases.len())].wire.clone();
    if random.below(3) == 0 {
        wire.extend_from_slice(&cases[random.below(cases.len())].wire);
    }
    for _ in 0..=random.below(3) {
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

/// The status lines and connection headers that come back until the server closes, after the last byte was sent.
fn verdict(server: &Server, wire: &[u8], split: Split) -> String {
    let mut client = connect(server.address);
    for piece in split.pieces(wire) {
        // A server that has refused the request may have gone; what it answered is read below.
        let _ = client.stream.write_all(piece);
    }
    let _ = client.stream.shutdown(std::net::Shutdown::Write);
    let mut all = Vec::new();
    let end = client.stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all);
    let tells = |line: &&str| line.starts_with("HTTP/1.") || line.starts_with("connection:");
    // A line may follow a body, which has no line end of its own.
    let lines: Vec<&str> =
        text.split("\r\n").map(|line| line.rsplit('}').next().unwrap_or(line)).filter(tells).collect();
    format!("{} {:?}", lines.join(" | "), end.map(|_| "the end").map_err(|error| error.kind()))
}

#[test]
fn engines_agree_on_damaged_requests() {
    let cases = super::all_cases();
    let settings = [("MAX_HEADER_BYTES", "2KiB"), ("MAX_BODY_BYTES", "1KiB"), ("READ_TIMEOUT", "10s")];
    let servers: Vec<Server> = engines().map(|engine| Server::start(engine, &settings)).collect();
    let mut random = Random::new(600);
    let damaged: Vec<Vec<u8>> = (0..DAMAGED).map(|_| damage(&cases, &mut random)).collect();
    let judge = |server: &Server| -> Vec<String> {
        let judged = damaged.iter().enumerate();
        judged.map(|(number, wire)| verdict(server, wire, Split::Random(number as u64))).collect()
    };
    let verdicts: Vec<Vec<String>> = std::thread::scope(|scope| {
        let running: Vec<_> = servers.iter().map(|server| scope.spawn(|| judge(server))).collect();
        running.into_iter().map(|thread| thread.join().expect("verdicts")).collect()
    });
    let mut problems = Vec::new();
    for (number, wire) in damaged.iter().enumerate() {
        let different: Vec<&String> = verdicts.iter().map(|verdicts| &verdicts[number]).collect();
        if different.iter().any(|verdict| *verdict != different[0]) {
            problems.push(format!("{:.400}: {different:#?}", wire.escape_ascii().to_string()));
        }
    }
    assert!(problems.is_empty(), "{} disagreements\n{}", problems.len(), problems.join("\n"));
}
