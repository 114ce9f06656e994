//! What each route answers: methods, status, headers and the shape of its JSON.

use crate::common::{Server, every_engine};
use serde_json::json;

#[test]
fn root_runs_the_work_and_echoes_the_request_id() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        let plain = client.get("/", "").expect(200);
        assert!(plain.header("x-request-id").is_none_or(|id| !id.is_empty()), "{plain:?}");
        let body = plain.json();
        assert_eq!(body["processed"], true);
        assert_eq!(body["server_type"], engine);
        assert!(body["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{body}");
        assert!(body["timestamp"].as_str().is_some_and(is_rfc3339), "{body}");
        assert!(body.get("received_bytes").is_none(), "{body}");

        let next = client.get("/", "").expect(200).json();
        assert_ne!(next["request_id"], body["request_id"], "each request has an id of its own");

        let named = client.get("/", "X-Request-ID: k6-42/a_b.c\r\n").expect(200);
        assert_eq!(named.header("x-request-id"), Some("k6-42/a_b.c"));
        assert_eq!(named.json()["request_id"], "k6-42/a_b.c");
    });
}

#[test]
fn a_request_id_cannot_break_the_answer() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for id in ["\"},{\"x\":\"", "</script>", "\\u0000", "a\tb", "ü€", &"i".repeat(4000)] {
            let response = client.get("/", &format!("X-Request-ID: {id}\r\n")).expect(200);
            assert_eq!(response.json()["processed"], true, "{id:?}");
        }
    });
}

#[test]
fn post_takes_the_registration_body() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        let registration = json!({
            "event_id": "evt-1", "user": {"name": "Zoë", "email": "zoe@example.org"}, "tickets": [1, 2], "agreed": true,
        });
        let body = registration.to_string();
        let answer = client.post("/", &body).expect(200).json();
        assert_eq!(answer["received_bytes"], body.len());
        assert_eq!(answer["processed"], true);
        assert_eq!(answer["server_type"], engine);
        for body in ["{}", "[]", " {\"a\" : null} \r\n", "0", "-1.5e3", "\"text\"", "true", "null"] {
            assert_eq!(client.post("/", body).expect(200).json()["received_bytes"], body.len(), "{body:?}");
        }
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nX-Request-ID: c\r\n\r\n");
        client.send("1\r\n{\r\n1;x=y\r\n}\r\n0\r\nX: y\r\n\r\n");
        let chunked = client.response().expect(200);
        assert_eq!(chunked.header("x-request-id"), Some("c"));
        assert_eq!(chunked.json()["received_bytes"], 2, "the content without its framing");
        let large = format!("\"{}\"", "x".repeat((1 << 20) - 2));
        assert_eq!(client.post("/", &large).expect(200).json()["received_bytes"], 1 << 20);
    });
}

#[test]
fn malformed_json_is_refused_and_the_connection_kept() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        let bodies: [&[u8]; 12] = [
            b"",
            b" ",
            b"{",
            b"{]",
            b"{}{}",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"[01]",
            b"nul",
            b"\"\x01\"",
            b"\"\xff\"",
            b"\xef\xbb\xbf{}",
        ];
        for body in bodies {
            let response = client.post("/", body).expect_error(400);
            assert!(!response.closes(), "{}", body.escape_ascii());
        }
        client.post("/", "{}").expect(200);
    });
}

/// A parser that recurses on nesting would overflow a coroutine's stack and end the process.
#[test]
fn deeply_nested_json_is_refused_with_a_message() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[]);
        let mut client = server.connect();
        client.post("/", "[".repeat(64) + &"]".repeat(64)).expect(200);
        let closed = "[".repeat(10_000) + &"]".repeat(10_000);
        let objects = "{\"a\":".repeat(10_000) + "1" + &"}".repeat(10_000);
        for body in [closed, objects, "[".repeat(10_000), "[{\"a\":".repeat(100_000)] {
            assert!(!client.post("/", body).expect_error(400).closes());
        }
        client.get("/", "").expect(200);
        assert!(server.is_running());
    });
}

#[test]
fn health_names_the_server_and_the_time() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let response = server.connect().get("/health", "").expect(200);
        let body = response.json();
        assert_eq!((&body["status"], &body["server"]), (&json!("healthy"), &json!(engine)));
        assert!(body["time"].as_str().is_some_and(is_rfc3339), "{body}");
    });
}

/// HEAD must send the header fields of GET and nothing after them (RFC 9110 §9.3.2).
#[test]
fn head_answers_as_get_does_without_the_body() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for path in ["/", "/health", "/dashboard", "/compare", "/compare3", "/metrics", "/nope", "/static/nope"] {
            let get = client.get(path, "X-Request-ID: same\r\n");
            client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\nX-Request-ID: same\r\n\r\n"));
            let head = client.head_response().expect(get.status);
            let names = |response: &crate::common::Response| -> Vec<String> {
                response.headers.iter().map(|(name, _)| name.clone()).collect()
            };
            assert_eq!(names(&head), names(&get), "{path}");
            // Two snapshots of the metrics need not have the same length.
            if path != "/metrics" {
                assert_eq!(head.header("content-length"), get.header("content-length"), "{path}");
            }
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        }
    });
}

#[test]
fn unknown_paths_and_methods_are_json_errors_and_405_says_what_is_allowed() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for path in
            ["/nope", "/health/", "/metrics/x", "/static/", "/static/nope.js", "/static/..%2fsrc", "/index.html"]
        {
            let response = client.get(path, "").expect_error(404);
            assert!(!response.closes(), "{path}");
        }
        for path in ["/", "/health", "/metrics", "/sse/metrics", "/dashboard", "/compare", "/compare3"] {
            for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "POST"] {
                if (path, method) == ("/", "POST") {
                    continue;
                }
                client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
                let response = client.response().expect_error(405);
                let allowed = if path == "/" { "GET, HEAD, POST" } else { "GET, HEAD" };
                assert_eq!(response.header("allow"), Some(allowed), "{method} {path}");
                assert!(!response.closes(), "{method} {path}");
            }
        }
    });
}

#[test]
fn http_1_0_is_answered_in_its_own_version() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for path in ["/", "/health", "/nope"] {
            client.send(format!("GET {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
            let kept = client.response();
            assert_eq!((kept.version.as_str(), kept.header("connection")), ("HTTP/1.0", Some("keep-alive")), "{path}");
        }
        client.send("GET / HTTP/1.0\r\n\r\n");
        let last = client.response().expect(200);
        assert_eq!((last.version.as_str(), last.header("connection")), ("HTTP/1.0", Some("close")));
        client.expect_close();
        let mut modern = server.connect();
        assert_eq!(modern.get("/", "").header("connection"), None, "HTTP/1.1 keeps without saying so");
    });
}

#[test]
fn dates_are_current() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        let before = std::time::SystemTime::now() - std::time::Duration::from_secs(2);
        let response = client.get("/health", "");
        let date = httpdate::parse_http_date(response.header("date").expect("a date")).expect("an IMF-fixdate");
        assert!(date >= before && date <= std::time::SystemTime::now(), "{response:?}");
    });
}

/// `2026-01-31T12:00:00Z`, with or without a fraction.
fn is_rfc3339(text: &str) -> bool {
    humantime::parse_rfc3339(text).is_ok()
}

#[test]
fn a_body_with_a_content_coding_is_415() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for (coding, status) in [("gzip", 415), ("br, gzip", 415), ("identity", 200)] {
            client.send(format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: {coding}\r\nContent-Length: 2\r\n\r\n{{}}"
            ));
            client.response().expect(status);
        }
    });
}
