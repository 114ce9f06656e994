//! Deadlines: a whole request within `READ_TIMEOUT` of its first byte, a whole response within `WRITE_TIMEOUT`, and
//! silence between requests for `IDLE_TIMEOUT` at most.

use std::cell::Cell;
use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::common::{Client, Server, every_engine};

/// What a deadline may be early by: clocks tick in steps.
const EARLY: Duration = Duration::from_millis(30);
/// What it may be late by on a busy machine; still less than a deadline that restarts with each byte would be.
const LATE: Duration = Duration::from_secs(4);

/// Asserts that `elapsed` is `timeout`, give or take.
#[track_caller]
fn assert_timely(elapsed: Duration, timeout: Duration) {
    assert!(elapsed + EARLY >= timeout, "{elapsed:?} is too early for {timeout:?}");
    assert!(elapsed <= timeout + LATE, "{elapsed:?} is too late for {timeout:?}");
}

/// Sends a byte every 40 ms, for as long as it is let, while `read` waits for what comes back.
fn while_dripping<T>(client: &mut Client, read: impl FnOnce(&mut Client) -> T) -> T {
    let mut sender = client.stream.try_clone().expect("clone");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Relaxed) && sender.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(40));
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read(client)));
        done.store(true, Relaxed);
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[test]
fn a_request_that_drips_in_is_given_up_at_an_absolute_deadline() {
    const TIMEOUT: Duration = Duration::from_millis(600);
    every_engine(|engine| {
        let server = Server::start(engine, &[("READ_TIMEOUT", "600ms")]);
        let length = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n";
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n";
        let starts = ["G", "GET / HTTP/1.1\r\nHost: a\r\nX: ", length, chunked];
        for start in starts {
            let mut client = server.connect();
            let began = Instant::now();
            client.send(start);
            while_dripping(&mut client, |client| {
                let response = client.response().expect_error(408);
                assert_timely(began.elapsed(), TIMEOUT);
                assert!(response.closes(), "{response:?}");
                client.expect_close();
            });
        }
        let metrics = server.metrics();
        assert_eq!(metrics["connections"]["timed_out"], starts.len(), "{metrics:#}");
        assert_eq!(metrics["total_requests"], 0, "a request that never arrived was counted: {metrics:#}");
    });
}

#[test]
fn a_request_that_stalls_is_given_up_too() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("READ_TIMEOUT", "800ms")]);
        for start in ["GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"] {
            let mut client = server.connect();
            client.get("/", "").expect(200);
            // Behind a whole request, the deadline is the second one's.
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            let began = Instant::now();
            client.send(start);
            client.response().expect(200);
            assert!(client.response().expect_error(408).closes());
            assert_timely(began.elapsed(), Duration::from_millis(800));
            client.expect_close();
        }
        let mut client = server.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
        client.response().expect(100);
        assert!(client.response().expect_error(408).closes());
        client.expect_close();
    });
}

#[test]
fn a_slow_client_within_the_deadline_is_served() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("READ_TIMEOUT", "10s"), ("IDLE_TIMEOUT", "1s")]);
        let mut client = server.connect();
        let request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 13\r\n\r\n{\"slow\":true}";
        for _ in 0..2 {
            for piece in request.chunks(4) {
                client.send(piece);
                // Longer in all than the idle timeout, which does not apply while a request is in progress.
                std::thread::sleep(Duration::from_millis(80));
            }
            client.response().expect(200);
        }
    });
}

#[test]
fn the_read_deadline_covers_neither_the_wait_before_nor_the_work_after() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("READ_TIMEOUT", "1s"), ("WORK", "sleep:1500ms")]);
        let mut client = server.connect();
        std::thread::sleep(Duration::from_millis(1200));
        client.get("/", "").expect(200);
        std::thread::sleep(Duration::from_millis(1200));
        client.post("/", "{}").expect(200);
    });
}

#[test]
fn idle_connections_are_closed_without_a_word() {
    const TIMEOUT: Duration = Duration::from_millis(1200);
    every_engine(|engine| {
        let server = Server::start(engine, &[("IDLE_TIMEOUT", "1200ms"), ("READ_TIMEOUT", "60s")]);
        let mut silent = server.connect();
        let began = Instant::now();
        silent.expect_close();
        assert_timely(began.elapsed(), TIMEOUT);

        let mut kept = server.connect();
        // Each request restarts the wait.
        for _ in 0..4 {
            kept.get("/", "").expect(200);
            std::thread::sleep(TIMEOUT / 3);
        }
        kept.get("/", "").expect(200);
        let began = Instant::now();
        kept.expect_close();
        assert_timely(began.elapsed(), TIMEOUT);
        let metrics = server.metrics();
        assert_eq!(metrics["connections"]["timed_out"], 2, "{metrics:#}");
        assert_eq!(metrics["error_count"], 0, "{metrics:#}");
    });
}

#[test]
fn work_longer_than_the_idle_timeout_is_answered() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("IDLE_TIMEOUT", "600ms"), ("WORK", "sleep:1500ms")]);
        let mut client = server.connect();
        client.get("/", "").expect(200);
    });
}

/// A client that asks and asks and never reads must cost neither memory nor a place for ever.
#[test]
fn a_client_that_never_reads_is_cut_off_and_its_answers_are_not_hoarded() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("WRITE_TIMEOUT", "700ms")]);
        server.connect().get("/compare3", "Connection: close\r\n").expect(200);
        let before = server.resident();
        let mut client = server.connect();
        let requests = "GET /compare3 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500);
        let error = loop {
            if let Err(error) = client.stream.write_all(requests.as_bytes()) {
                break error;
            }
        };
        assert!(
            matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            "the connection was not closed: {error}"
        );
        let grown = server.peak_resident().saturating_sub(before);
        assert!(grown < 24 << 20, "{grown} bytes for one client");
        let metrics = server.wait_for_metrics("the place to be free", |metrics| metrics["active_connections"] == 1);
        assert_eq!(metrics["connections"]["timed_out"], 1, "{metrics:#}");
        server.connect().get("/", "").expect(200);
    });
}

/// A client that takes some 20 kB, in tiny segments, until it reads.
fn reluctant(server: &Server) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("socket");
    socket.set_recv_buffer_size(2048).expect("receive buffer");
    socket.set_tcp_mss(88).expect("segment size");
    socket.connect(&server.address.into()).expect("connect");
    TcpStream::from(socket)
}

/// What such a client goes on to ask stays unread, and is no reason to look again.
#[test]
fn a_client_that_asks_and_does_not_read_costs_no_cpu() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("WRITE_TIMEOUT", "60s")]);
        let mut client = reluctant(&server);
        let requests = "GET /compare3 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(400);
        let asked = Cell::new(0);
        for _ in 0..2 {
            client.write_all(requests.as_bytes()).expect("send");
            server.wait_for_metrics("the socket to be full", |metrics| {
                let before = asked.replace(metrics["internal_requests"].as_u64().expect("a number"));
                before > 2 && asked.get() <= before + 1
            });
        }
        assert!(asked.get() < 400, "the client has read everything");
        let before = server.cpu_seconds();
        std::thread::sleep(Duration::from_secs(1));
        let used = server.cpu_seconds() - before;
        assert!(used < 0.1, "{used} s of CPU in a second in which nothing happened");
    });
}

/// What fits in the kernel's buffers is sent as far as the server can see; nobody may leave it there for minutes.
#[test]
fn a_client_that_does_not_read_small_responses_is_cut_off_too() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("WRITE_TIMEOUT", "1s")]);
        let mut client = reluctant(&server);
        client.write_all("GET /health HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100).as_bytes()).expect("send");
        server.wait_for_metrics("the answers", |metrics| metrics["internal_requests"].as_u64() >= Some(100));
        let began = Instant::now();
        server.wait_for_metrics("the place to be free", |metrics| metrics["active_connections"] == 1);
        assert_timely(began.elapsed(), Duration::from_secs(1));
    });
}

/// Empty lines begin no request (RFC 9112, section 2.2): no deadline of a request runs from them.
#[test]
fn an_empty_line_leaves_a_connection_idle() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("READ_TIMEOUT", "300ms"), ("IDLE_TIMEOUT", "60s")]);
        let mut client = server.connect();
        for line in ["\r\n", "\n", "\r"] {
            client.get("/", "").expect(200);
            client.send(line);
            std::thread::sleep(Duration::from_millis(900));
            assert_eq!(client.unread(), b"");
            if line == "\r" {
                client.send("\n");
            }
        }
        client.get("/", "").expect(200);
    });
}
