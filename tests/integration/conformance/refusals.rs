//! What a server must not add to a refusal, and what it must not refuse.

use std::io::Read;

use super::normal::normal;
use crate::common::{Server, engines, every_engine};

/// Everything the server sends until it closes.
fn exchange(server: &Server, wire: &str, then_finish: bool) -> Vec<u8> {
    let mut client = server.connect();
    client.send(wire);
    if then_finish {
        client.half_close();
    }
    let mut all = Vec::new();
    client.stream.read_to_end(&mut all).unwrap_or_else(|error| panic!("{error} after {}", all.escape_ascii()));
    all
}

/// RFC 9110, section 9.3.2: no content after HEAD, whatever the status; a client would read it as the next answer.
#[test]
fn a_refused_head_has_no_body() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("MAX_BODY_BYTES", "100B"), ("READ_TIMEOUT", "500ms")]);
        for (rest, status) in [
            ("/ HTTP/1.1\r\n\r\n", 400),
            ("/ HTTP/1.1\n\n", 400),
            ("/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
            ("/ HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n", 400),
            ("/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("/ HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
            ("/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
            ("/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
            ("/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n", 413),
            ("/ HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413),
            ("/ HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 2\r\n\r\n", 417),
            ("/ HTTP/3.0\r\nHost: a\r\n\r\n", 505),
            ("/ HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{", 408),
            ("/ HTTP/1.1\r\nHost: a\r\nX: ", 408),
        ] {
            let bytes = exchange(&server, &format!("HEAD {rest}"), false);
            let text = String::from_utf8(bytes).expect("UTF-8");
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "HEAD {rest:?}: {text}");
            assert!(text.ends_with("\r\n\r\n") && text.matches("\r\n\r\n").count() == 1, "HEAD {rest:?}: {text}");
        }
    });
}

/// RFC 9110, section 9.3.7: `*` is the server as a whole.
#[test]
fn options_of_the_server_are_answered() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        client.send("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response();
        assert!([200, 204].contains(&response.status), "{response:?}");
        let allowed = response.header("allow").unwrap_or_else(|| panic!("no Allow in {response:?}"));
        assert!(["GET", "HEAD", "POST"].iter().all(|method| allowed.contains(method)), "{allowed}");
        client.get("/health", "").expect(200);
    });
}

/// RFC 9112, section 3.2: a Host that is no `uri-host [":" port]` is refused, also where the target names it.
#[test]
fn a_host_that_is_none_is_refused() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        for host in ["a%zz", "%", "a%2", "[1]", "[1.2.3]", "[::::]", "[::1", "::1", "a b", "a:b", "a/b", "a@b"] {
            for wire in [
                format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n"),
                format!("GET http://{host}/health HTTP/1.1\r\nHost: a\r\n\r\n"),
            ] {
                if host == "a/b" && wire.contains("http://") {
                    continue; // a host and a path
                }
                let bytes = exchange(&server, &wire, true);
                assert!(bytes.starts_with(b"HTTP/1.1 400 "), "{wire:?}: {}", bytes.escape_ascii());
            }
        }
        for host in ["a", "a.b:80", "127.0.0.1", "[::1]", "[::1]:8080", "a%41", "a-b_c~d", "a:"] {
            let wire = format!("GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let bytes = exchange(&server, &wire, true);
            assert!(bytes.starts_with(b"HTTP/1.1 200 "), "{wire:?}: {}", bytes.escape_ascii());
        }
    });
}

#[test]
fn the_head_of_a_stream_is_the_same_on_every_engine() {
    let wire = "HEAD /sse/metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    let answers: Vec<(&str, String)> = engines()
        .map(|engine| (engine, exchange(&Server::start(engine, &[]), wire, true)))
        .map(|(engine, bytes)| (engine, normal(&bytes).unwrap_or_else(|error| panic!("{engine}: {error}"))))
        .collect();
    assert!(answers.windows(2).all(|pair| pair[0].1 == pair[1].1), "{answers:#?}");
    // A stream has no length that GET could announce.
    assert!(!answers[0].1.contains("content-length"), "{answers:#?}");
}
