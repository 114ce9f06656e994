//! The reference engine: what the published `may_minihttp` does, on loopback, alive whatever Content-Length says.

use std::process::Command;

use crate::common::Server;
use rustix::process::Signal;

fn start() -> Server {
    Server::start("stock-may", &[])
}

#[test]
fn the_three_routes_answer() {
    let server = start();
    let mut client = server.connect();
    let body = client.get("/", "").expect(200).json();
    assert_eq!((&body["processed"], &body["server_type"]), (&true.into(), &"stock-may".into()), "{body}");
    let body = client.get("/health", "").expect(200).json();
    assert_eq!((&body["status"], &body["server"]), (&"healthy".into(), &"stock-may".into()), "{body}");
    let body = client.get("/metrics", "").expect(200).json();
    assert_eq!(body["server_type"], "stock-may");
    assert_eq!(body["total_requests"], 1, "{body:#}");
    client.get("/nope", "").expect(404);
}

#[test]
fn post_is_answered_with_the_bytes_received() {
    let server = start();
    let body = server.connect().post("/", "{\"a\":1}").expect(200).json();
    assert_eq!(body["received_bytes"], 7, "{body}");
    server.connect().post("/", "{").expect(400);
}

#[test]
fn malformed_lengths_do_not_end_it() {
    let mut server = start();
    for length in ["-1", "abc", "5, 5", "18446744073709551616", "", "+5", "0x5", "1.5", "\u{662}"] {
        let mut client = server.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello"));
        client.half_close();
        // Refused or closed: either will do, as long as the process lives.
        if let Ok(response) = client.read_response(false) {
            assert_eq!(response.status, 400, "{length:?}");
        }
        assert!(server.is_running(), "{length:?}");
        server.connect().get("/health", "").expect(200);
    }
}

#[test]
fn it_listens_on_loopback_unless_told_otherwise_and_ends_on_a_signal() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    command.args(["serve", "stock-may", "--port", "0"]).env_clear();
    let mut server = Server::spawn(&mut command);
    assert!(server.address.ip().is_loopback(), "{}", server.address);
    server.connect().get("/health", "").expect(200);
    server.signal(Signal::TERM);
    assert_eq!(server.wait_for_exit().code(), Some(0));
}
