//! What every request passes through: its head is parsed, its body decoded, its response written, all of it by a session.
//!
//! Each has a limit in instructions that fails the run, a quarter above what it took when the limit was set, on x86-64.

#![allow(missing_docs, reason = "the macros make modules and functions without documentation")]

use std::hint::black_box;

use fastgo::clock::Moment;
use fastgo::http::{
    BodyDecoder, Decoded, Envelope, Framing, Head, Incoming, JSON, Limits, Next, Parsed, Reject, Response, Session,
    parse_head,
};
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

const LIMITS: Limits = Limits { max_head_bytes: 16 * 1024, max_body_bytes: 1 << 20 };

const CURL: &[u8] =
    b"GET /health HTTP/1.1\r\nHost: raspberrypi.local:8080\r\nUser-Agent: curl/8.14.1\r\nAccept: */*\r\n\r\n";
const K6: &[u8] = b"POST / HTTP/1.1\r\nHost: raspberrypi.local:8080\r\nUser-Agent: Grafana k6/1.1.0\r\nContent-Length: 62\r\n\
    Content-Type: application/json\r\nX-Request-ID: 1f0c5d3a-7f86-4a7b-9a53-0d5b4d6e8a11\r\nAccept-Encoding: gzip\r\n\r\n";
const BROWSER: &[u8] = b"GET /compare3 HTTP/1.1\r\nHost: raspberrypi.local:8080\r\nConnection: keep-alive\r\n\
    Cache-Control: max-age=0\r\nUpgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux aarch64) \
    AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\nAccept: text/html,application/xhtml+xml,\
    application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate\r\n\
    Accept-Language: en-GB,en;q=0.9\r\nIf-None-Match: \"9a53-0d5b\"\r\n\r\n";

fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, instructions)]));
    config
}

#[library_benchmark]
#[bench::curl(args = (CURL), config = limit(3_700))]
#[bench::k6(args = (K6), config = limit(5_000))]
#[bench::browser(args = (BROWSER), config = limit(6_500))]
fn head(bytes: &[u8]) -> usize {
    match parse_head(black_box(bytes), &LIMITS) {
        Ok(Parsed::Complete(head)) => black_box(head).bytes,
        other => panic!("{other:?}"),
    }
}

/// 4 KiB in one chunk, or in chunks of one byte.
fn chunked(size: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..4096 / size {
        body.extend_from_slice(format!("{size:x}\r\n{}\r\n", "x".repeat(size)).as_bytes());
    }
    body.extend_from_slice(b"0\r\n\r\n");
    body
}

#[library_benchmark]
#[bench::one_chunk(args = (4096), setup = chunked, config = limit(1_250))]
#[bench::one_byte_chunks(args = (1), setup = chunked, config = limit(1_700_000))]
fn body(bytes: Vec<u8>) -> usize {
    let mut decoder = BodyDecoder::new(Framing::Chunked, &LIMITS);
    let mut rest = &bytes[..];
    let mut content = 0;
    loop {
        match decoder.next(&mut rest) {
            Ok(Decoded::Content(piece)) => content += black_box(piece).len(),
            Ok(Decoded::End) => return content,
            other => panic!("{other:?}"),
        }
    }
}

const BEGIN: Moment = Moment::from_millis(1_000);

/// A response as the engines send it, with room to write it to. The first one formats the date, which the others reuse.
fn response_and_room(body: usize) -> (Response, Vec<u8>) {
    let response = Response::ok(JSON, "x".repeat(body)).with("x-request-id", "1f0c5d3a-7f86-4a7b-9a53-0d5b4d6e8a11");
    let mut room = Vec::with_capacity(64 * 1024);
    response.write_to(&mut room, Envelope { http10: false, keep_alive: true, head_only: false });
    room.clear();
    (response, room)
}

#[library_benchmark]
#[bench::json(args = (120), setup = response_and_room, config = limit(1_250))]
#[bench::page(args = (32 * 1024), setup = response_and_room, config = limit(42_000))]
fn response((response, mut room): (Response, Vec<u8>)) -> usize {
    black_box(&response).write_to(&mut room, Envelope { http10: false, keep_alive: true, head_only: false });
    black_box(room).len()
}

/// The content's length is all that is kept of a request.
struct Counted(usize);

impl Incoming for Counted {
    fn begin(_: &Head<'_>) -> Result<Self, Reject> {
        Ok(Self(0))
    }

    fn receive(&mut self, piece: &[u8]) {
        self.0 += piece.len();
    }
}

/// A session that has answered such requests already, so that its buffers are as large as they become.
fn used_session(requests: &[u8]) -> (Session<Counted>, Vec<u8>, Response) {
    let (response, _) = response_and_room(120);
    let mut session = Session::new(BEGIN);
    answer(&mut session, requests, &response);
    (session, requests.to_vec(), response)
}

/// Receives, answers and sends; returns how many requests there were.
fn answer(session: &mut Session<Counted>, requests: &[u8], response: &Response) -> usize {
    let mut answered = 0;
    session.receive(requests);
    loop {
        match session.next(&LIMITS, BEGIN) {
            Next::Request(request) => {
                black_box(request.0);
                session.respond(response, BEGIN);
                answered += 1;
            }
            Next::Read => break,
            Next::Refused(status) => panic!("{status}"),
            Next::Close { .. } => panic!("closed"),
        }
    }
    session.sent(black_box(session.output()).len());
    answered
}

const POST: &[u8] =
    b"POST / HTTP/1.1\r\nHost: raspberrypi.local:8080\r\nUser-Agent: Grafana k6/1.1.0\r\nContent-Length: 19\r\n\
    Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n{\"student_id\":\"S1\"}";

#[library_benchmark]
#[bench::get(args = (CURL), setup = used_session, config = limit(5_100))]
#[bench::post(args = (POST), setup = used_session, config = limit(6_100))]
#[bench::pipelined(args = (&CURL.repeat(16)), setup = used_session, config = limit(67_000))]
fn session((mut session, requests, response): (Session<Counted>, Vec<u8>, Response)) -> usize {
    answer(black_box(&mut session), black_box(&requests), &response)
}

library_benchmark_group!(name = http, benchmarks = [head, body, response, session]);
main!(library_benchmark_groups = http);
