//! A whole connection: the same requests, responses and end, however its bytes arrive.

use std::time::Duration;

use fastgo::clock::Moment;
use fastgo::http::{Expired, Head, Incoming, Limits, Next, Reject, Response, Session, Timeouts};

use crate::{choice, pieces};

const LIMITS: Limits = Limits { max_head_bytes: 1024, max_body_bytes: 4096 };
const TIMEOUTS: Timeouts =
    Timeouts { read: Duration::from_secs(2), write: Duration::from_secs(3), idle: Duration::from_secs(4) };
const BEGIN: Moment = Moment::from_millis(1_000);

/// A request as the session hands it over.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Incoming for Request {
    fn begin(head: &Head<'_>) -> Result<Self, Reject> {
        if head.path == "/refused" {
            return Err(Reject::new(404, "refused"));
        }
        Ok(Self { head: format!("{head:?}"), body: Vec::new() })
    }

    fn receive(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }

    fn held(&self) -> usize {
        self.body.capacity()
    }
}

/// What a connection has come to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    requests: Vec<Request>,
    refused: Option<u16>,
    sent: Vec<u8>,
    closed: bool,
    idle: bool,
}

/// Serves `data` at once, in pieces and byte by byte; its first byte chooses the pieces.
///
/// # Panics
/// When these differ, or the session promises what it does not keep.
pub fn run(data: &[u8]) {
    let (seed, data) = choice(data);
    let whole = serve(std::iter::once(data), false);
    assert_eq!(whole, serve(pieces(data, seed), false));
    assert_eq!(whole, serve(pieces(data, seed), true));
    assert_eq!(whole, serve(data.chunks(1), false));
}

/// Feeds a session; `moves`: into a session of its own after each piece, as a connection that waits is.
fn serve<'a>(pieces: impl Iterator<Item = &'a [u8]>, moves: bool) -> Outcome {
    let mut session = Session::<Request>::new(BEGIN);
    let mut outcome = Outcome { requests: Vec::new(), refused: None, sent: Vec::new(), closed: false, idle: false };
    for piece in pieces {
        if outcome.closed {
            break;
        }
        session.receive(piece);
        decode(&mut session, &mut outcome);
        if moves {
            session = session.split_off(BEGIN);
        }
        assert!(
            session.buffered() <= 4 * (LIMITS.max_head_bytes + 4096 + 8192 + piece.len()),
            "{}",
            session.buffered()
        );
        outcome.sent.extend_from_slice(session.output());
        session.sent(session.output().len());
        assert_eq!(session.closing().is_some(), outcome.closed);
    }
    outcome.idle = session.is_idle();
    if !outcome.closed {
        expire(&mut session);
    }
    outcome.sent = without_dates(&outcome.sent);
    outcome
}

/// Takes everything that the session has received so far.
fn decode(session: &mut Session<Request>, outcome: &mut Outcome) {
    loop {
        match session.next(&LIMITS, BEGIN) {
            Next::Read => return,
            Next::Request(request) => {
                assert!(request.body.len() as u64 <= LIMITS.max_body_bytes);
                let response = Response::ok("text/plain", request.body.clone());
                outcome.requests.push(request);
                session.respond(&response, BEGIN);
            }
            Next::Refused(status) => {
                assert!((400..=505).contains(&status) && outcome.refused.is_none());
                outcome.refused = Some(status);
            }
            Next::Close { .. } => {
                outcome.closed = true;
                return;
            }
        }
    }
}

/// Nothing more comes: after the deadline a request that has begun is answered with a 408, and nothing else is.
fn expire(session: &mut Session<Request>) {
    let limit = session.deadline(&TIMEOUTS);
    assert!(limit == BEGIN + TIMEOUTS.read || limit == BEGIN + TIMEOUTS.idle);
    match session.expire() {
        Expired::Request => {
            assert_eq!(limit, BEGIN + TIMEOUTS.read);
            assert!(session.output().starts_with(b"HTTP/1.1 408 "));
            assert!(matches!(session.next(&LIMITS, BEGIN), Next::Close { .. }));
        }
        Expired::Idle => assert!(session.output().is_empty()),
        Expired::Response => panic!("everything was sent"),
    }
}

/// Without the values of `Date`, which may differ by a second.
fn without_dates(sent: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"\r\ndate: ";
    let mut rest = sent;
    let mut kept = Vec::new();
    while let Some(at) = rest.windows(NAME.len()).position(|window| window == NAME) {
        kept.extend_from_slice(&rest[..at]);
        rest = &rest[at + NAME.len()..];
        let end = rest.iter().position(|&byte| byte == b'\r').unwrap_or(rest.len());
        rest = &rest[end..];
    }
    [&kept, rest].concat()
}
