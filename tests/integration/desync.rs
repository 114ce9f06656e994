//! Requests that two servers in a row might cut differently: one answer at most, and what follows is never a request.

use std::io::Read;

use crate::common::{Random, Server, every_engine};

/// Everything the server sends until it closes, after `wire` and the end of sending.
fn exchange(server: &Server, wire: &[u8]) -> String {
    let mut client = server.connect();
    client.send(wire);
    client.half_close();
    let mut all = Vec::new();
    client.stream.read_to_end(&mut all).unwrap_or_else(|error| panic!("{error} after {}", all.escape_ascii()));
    String::from_utf8(all).expect("UTF-8")
}

/// The statuses in a text of whole responses; a body may name the protocol too, but without a status after it.
fn answers(text: &str) -> Vec<u16> {
    text.split("HTTP/1.1 ").skip(1).filter_map(|rest| rest.get(..3)?.parse().ok()).collect()
}

#[test]
fn conflicting_framing_is_answered_once_and_ends_the_connection() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        for fields in [
            // CL.TE and TE.CL, in either order and in every disguise that has worked somewhere.
            "Content-Length: 4\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 4",
            "Content-Length: 0\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
            "Transfer-Encoding: x\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: x, chunked\r\nContent-Length: 4",
            "Transfer-Encoding : chunked",
            "Transfer-Encoding\t: chunked",
            "Transfer-Encoding: chunked\r\n\tContent-Length: 4",
            " Transfer-Encoding: chunked",
            "X: y\rTransfer-Encoding: chunked",
            "Transfer-Encoding: \x0bchunked",
            "Transfer-Encoding: chunked\x00",
            "Transfer-Encoding: 'chunked'",
            "Transfer-Encoding: chunk",
            "Transfer-Encoding:\r\n chunked",
            // CL.CL.
            "Content-Length: 0\r\nContent-Length: 36",
            "Content-Length: 0, 36",
            "Content-Length: 36, 36",
            "Content-Length: 0\r\n 36",
            "Content-Length: +0",
            "Content-Length: 0x0",
            "Content-Length: 0 36",
            "Content-Length: \x0c0",
            "Content-Length : 0",
        ] {
            let wire = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\n{smuggled}{smuggled}");
            let text = exchange(&server, wire.as_bytes());
            let answers = answers(&text);
            assert!(matches!(answers[..], [400 | 501]), "{fields:?}: {text}");
            assert!(text.contains("\r\nconnection: close\r\n"), "{fields:?}: {text}");
        }
    });
}

#[test]
fn a_request_in_a_body_is_content() {
    let inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        for line in ["POST /", "POST /nope", "POST /health", "GET /", "GET /nope", "PUT /", "DELETE /metrics"] {
            let length = format!("{line} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{inner}", inner.len());
            let chunk = format!("{:x}\r\n{inner}\r\n0\r\n\r\n", inner.len());
            let chunked = format!("{line} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
            for wire in [length, chunked] {
                let text = exchange(&server, wire.as_bytes());
                assert_eq!(answers(&text).len(), 1, "{wire:?}: {text}");
            }
        }
        // A HEAD answer has no body that a careless server would let the next answer begin in.
        let heads = exchange(&server, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(3).as_bytes());
        assert_eq!((answers(&heads).len(), heads.contains('{')), (3, false), "{heads}");
        // Nor can an echoed value begin a header or an answer of its own.
        let injected = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: a%0d%0aX-Evil: 1\\r\\nX-Evil: 1\r\n\r\n";
        let text = exchange(&server, injected.as_bytes());
        assert!(!text.contains("\nX-Evil") && !text.contains("\nx-evil"), "{text}");
    });
}

#[test]
fn fifty_pipelined_requests_are_answered_in_order() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("WORK", "sleep:1ms")]);
        let mut random = Random::new(50);
        for split in [1 << 20, 1000, 37, 1] {
            let mut wire = String::new();
            for number in 0..50 {
                let id = format!("X-Request-ID: {number}\r\n");
                let request = match random.below(4) {
                    0 => format!("GET / HTTP/1.1\r\nHost: a\r\n{id}\r\n"),
                    1 => format!("POST / HTTP/1.1\r\nHost: a\r\n{id}Content-Length: 2\r\n\r\n{{}}"),
                    2 => format!(
                        "POST / HTTP/1.1\r\nHost: a\r\n{id}Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
                    ),
                    _ => format!("\r\nGET /?{number} HTTP/1.1\r\nHost: a\r\n{id}Content-Length: 5\r\n\r\nhello"),
                };
                wire.push_str(&request);
            }
            let mut client = server.connect();
            for piece in wire.as_bytes().chunks(split) {
                client.send(piece);
            }
            for number in 0..50 {
                let response = client.response().expect(200);
                assert_eq!(response.header("x-request-id"), Some(number.to_string().as_str()));
                assert!(!response.closes(), "{response:?}");
            }
            assert_eq!(client.unread(), b"");
            client.get("/", "Connection: close\r\n").expect(200);
            client.expect_close();
        }
    });
}

#[test]
fn nothing_after_an_error_is_answered() {
    let probe = "GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: after\r\n\r\n";
    every_engine(|engine| {
        let server = Server::start(engine, &[("MAX_BODY_BYTES", "100B")]);
        let before = server.metrics()["total_requests"].clone();
        for bad in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/3.0\r\nHost: a\r\n\r\n",
            "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n{}",
        ] {
            let text = exchange(&server, format!("{bad}{}", probe.repeat(5)).as_bytes());
            assert_eq!(answers(&text).len(), 1, "{bad:?}: {text}");
            assert!(!text.contains("after"), "{bad:?}: {text}");
        }
        let metrics = server.metrics();
        assert_eq!(metrics["total_requests"], before, "a request behind an error was run: {metrics:#}");
    });
}
