use super::*;

const LIMITS: Limits = Limits { max_head_bytes: 16 * 1024, max_body_bytes: 1024 };
const TIMEOUTS: Timeouts =
    Timeouts { read: Duration::from_secs(1), write: Duration::from_secs(2), idle: Duration::from_secs(4) };
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A request that remembers what the session gave it.
#[derive(Debug)]
struct Asked {
    line: String,
    body: Vec<u8>,
}

impl Incoming for Asked {
    fn begin(head: &Head<'_>) -> Result<Self, Reject> {
        if head.path == "/refused" {
            return Err(Reject::new(403, "refused by the application"));
        }
        Ok(Self { line: format!("{:?} {}", head.method, head.path), body: Vec::new() })
    }

    fn receive(&mut self, piece: &[u8]) {
        self.body.extend_from_slice(piece);
    }

    fn held(&self) -> usize {
        self.body.capacity()
    }
}

fn at(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn session() -> Session<Asked> {
    Session::new(at(0))
}

/// Answers what has arrived; true once the session closes.
fn answer(session: &mut Session<Asked>, now: Moment) -> bool {
    loop {
        match session.next(&LIMITS, now) {
            Next::Read => return false,
            Next::Close { .. } => return true,
            Next::Refused(_) => {}
            Next::Request(asked) => {
                let body = format!("{} {}", asked.line, asked.body.escape_ascii());
                session.respond(&Response::ok("text/plain", body), now);
            }
        }
    }
}

/// Everything that is sent for `pieces` that arrive one after another, dates left out, and whether the session closes.
fn exchange<'a>(session: &mut Session<Asked>, pieces: impl IntoIterator<Item = &'a [u8]>) -> (String, bool) {
    session.reset(at(0));
    let mut closes = false;
    for piece in pieces {
        if !closes {
            session.receive(piece);
            closes = answer(session, at(0));
        }
    }
    (sent(session), closes)
}

/// The output without its dates.
fn sent(session: &Session<Asked>) -> String {
    let text = String::from_utf8(session.output().to_vec()).unwrap();
    let lines = text.split("\r\n").filter(|line| !line.starts_with("date: "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Pipelined input of every kind, and how many final responses it gets.
const INPUTS: [(&str, usize); 18] = [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1),
    ("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nHEAD /b HTTP/1.1\nHost: a\n\n\r\n", 2),
    ("GET /1 HTTP/1.2\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n", 3),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhe\r\n03\r\nllo\r\n0\r\nA: b\r\n\r\n",
        1,
    ),
    (
        "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        2,
    ),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        2,
    ),
    ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\nGET /never HTTP/1.0\r\n\r\n", 2),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n", 1),
    ("HEAD /refused HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n", 1),
    ("HEAD / HTTP/1.1\r\n\r\n", 1),
    ("HEAD / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 1),
    ("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n", 1),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n", 2),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nBREW / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/2.0\r\nHost: a\r\n\r\n", 2),
    ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 1),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT", 1),
];

#[test]
fn responses_do_not_depend_on_where_the_input_is_split() {
    let mut session = session();
    for (input, responses) in INPUTS {
        let input = input.as_bytes();
        let whole = exchange(&mut session, [input]);
        let count = whole.0.matches("HTTP/1.").count() - whole.0.matches(" 100 Continue").count();
        assert_eq!(count, responses, "{}: {}", input.escape_ascii(), whole.0);
        assert_eq!(exchange(&mut session, input.chunks(1)), whole, "{} in bytes", input.escape_ascii());
        for first in 0..=input.len() {
            let (head, tail) = input.split_at(first);
            assert_eq!(
                exchange(&mut session, [head, tail]),
                whole,
                "{} | {}",
                head.escape_ascii(),
                tail.escape_ascii()
            );
            // A session of the connection's own goes on where this one was.
            session.reset(at(0));
            session.receive(head);
            let closes = answer(&mut session, at(0));
            let mut own = session.split_off(at(0));
            own.receive(tail);
            let closes = closes || answer(&mut own, at(0));
            assert_eq!((sent(&own), closes), whole, "{} || {}", head.escape_ascii(), tail.escape_ascii());
            assert!(session.is_idle());
        }
        for second in (2..input.len()).step_by(5) {
            for first in (1..second).step_by(3) {
                let pieces = [&input[..first], &input[first..second], &input[second..]];
                assert_eq!(exchange(&mut session, pieces), whole, "{} at {first}, {second}", input.escape_ascii());
            }
        }
    }
}

#[test]
fn a_deadline_runs_from_the_first_byte_of_what_it_is_for() {
    let mut session = session();
    assert_eq!(session.deadline(&TIMEOUTS), at(4_000));
    // Empty lines begin no request (RFC 9112 §2.2).
    session.receive(b"\r\n");
    answer(&mut session, at(100));
    assert_eq!(session.deadline(&TIMEOUTS), at(4_000));
    for (piece, now) in
        [(&b"POST / HTTP/1.1\r\n"[..], 200), (b"Host: a\r\nContent-Length: 2\r\n\r\n", 700), (b"{", 900)]
    {
        session.receive(piece);
        assert!(!answer(&mut session, at(now)));
        assert_eq!(session.deadline(&TIMEOUTS), at(1_200), "an absolute deadline");
    }
    session.receive(b"}");
    answer(&mut session, at(1_000));
    session.blocked(at(1_100));
    session.sent(1);
    session.blocked(at(1_500));
    assert_eq!(session.deadline(&TIMEOUTS), at(3_100), "a byte that is read moves no deadline");
    assert_eq!(session.expire(), Expired::Response);
    session.sent(session.output().len());
    assert_eq!((session.deadline(&TIMEOUTS), session.expire()), (at(5_000), Expired::Idle));
}

#[test]
fn a_request_that_is_late_or_in_the_way_is_refused_as_its_method_wants() {
    for (input, has_body) in [
        (&b"GET /"[..], true),
        (b"HEAD /", false),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", true),
        (b"HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", false),
    ] {
        for status in [408, 503] {
            let mut session = session();
            session.receive(input);
            assert!(!answer(&mut session, at(0)));
            if status == 408 {
                assert_eq!(session.expire(), Expired::Request);
            } else {
                session.refuse(&Response::error(status, "no"));
            }
            let text = String::from_utf8(session.output().to_vec()).unwrap();
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")) && text.contains("connection: close"), "{text}");
            assert_eq!(text.contains("{\"error\""), has_body, "{text}");
            assert!(matches!(session.next(&LIMITS, at(0)), Next::Close { linger: true }));
        }
    }
}

/// Without a limit on how often a head is parsed, this would look at four thousand million bytes.
#[test]
fn a_head_that_trickles_in_is_not_parsed_anew_for_each_piece() {
    let limits = Limits { max_head_bytes: 1 << 20, ..LIMITS };
    let mut session = session();
    let began = std::time::Instant::now();
    session.receive(b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
    for _ in 0..9_000 {
        session.receive(&[b'x'; 100]);
        assert!(matches!(session.next(&limits, at(0)), Next::Read));
    }
    session.receive(b"\r\n\r\n");
    assert!(matches!(session.next(&limits, at(0)), Next::Request(_)));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn buffers_are_as_large_as_what_has_arrived() {
    let mut session = session();
    session.receive(&GET[..20]);
    assert!(!answer(&mut session, at(0)));
    assert!(session.split_off(at(0)).buffered() <= 32, "half a head");
    session.receive(&[b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", &[b'x'; 500][..]].concat());
    assert!(!answer(&mut session, at(0)));
    let own = session.split_off(at(0));
    assert!(own.unfinished() == 0 && own.buffered() <= 512, "the application has the body: {}", own.buffered());
    // A long response leaves the session that many connections share as small as it was.
    session.receive(GET);
    let Next::Request(_) = session.next(&LIMITS, at(0)) else { panic!("a request") };
    session.respond(&Response::ok("text/plain", vec![b'x'; 1 << 20]), at(0));
    session.reset(at(0));
    assert!(session.buffered() <= 2 * KEPT_BYTES, "{}", session.buffered());
}

/// The input after a request that ends the connection could reset the response.
#[test]
fn lingering_is_for_those_who_may_still_send() {
    for (input, lingers) in [
        (&b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"[..], false),
        (b"GET / HTTP/1.0\r\n\r\n", false),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nmore", true),
        (b"GET / HTTP/1.1\r\n\r\n", true),
    ] {
        let mut session = session();
        session.receive(input);
        assert!(answer(&mut session, at(0)));
        assert_eq!(session.closing(), Some(lingers), "{}", input.escape_ascii());
    }
    let mut session = session();
    session.receive(GET);
    let Next::Request(_) = session.next(&LIMITS, at(0)) else { panic!("a request") };
    session.close_after_response();
    session.respond(&Response::ok("text/plain", ""), at(0));
    assert_eq!(session.closing(), Some(true), "the server closes, and the client does not know it yet");
}
