//! Where mutation starts: the conformance cases, and a few responses.

// The tables of the conformance tests, read for their bytes alone.
#[path = "../../tests/integration/conformance/bodies.rs"]
mod bodies;
#[path = "../../tests/integration/conformance/heads.rs"]
mod heads;
#[path = "../../tests/integration/conformance/sequences.rs"]
mod sequences;

/// Bytes of a request; what they should give is not used here.
struct Case {
    wire: Vec<u8>,
}

impl Case {
    fn new(wire: impl AsRef<[u8]>, _outcome: &'static str) -> Self {
        Self { wire: wire.as_ref().to_vec() }
    }
}

const RESPONSES: [&[u8]; 8] = [
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nlocation: /compare3\r\ncontent-length: 0\r\nkeep-alive: timeout=5\r\n\r\n",
];

/// The seeds of one target.
///
/// # Panics
/// When there is no target of this name.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let requests = || {
        let cases = [heads::cases(), bodies::cases(), sequences::cases()];
        cases.into_iter().flatten().map(|case| case.wire)
    };
    match target {
        "head" => requests().collect(),
        // Behind a byte that chooses the pieces.
        "session" => requests().map(|wire| [&[wire.len() as u8], &wire[..]].concat()).collect(),
        // What follows the head, behind a byte that chooses the framing.
        "body" => requests()
            .filter_map(|wire| {
                let end = wire.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
                Some([&[u8::from(wire.len() % 3 == 0)], &wire[end..]].concat())
            })
            .collect(),
        "reply" => RESPONSES.iter().map(|response| [b"x", *response].concat()).collect(),
        other => panic!("no target {other}"),
    }
}
