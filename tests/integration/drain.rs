//! SIGTERM and SIGINT: complete requests are answered, nothing waits longer than `SHUTDOWN_TIMEOUT`, and the exit
//! code shows whether anything was cut off.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::common::{Client, Response, Server, every_engine};
use rustix::process::Signal;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Asks for `/health` until the answer is that the server is draining, which must also end the connection.
fn wait_until_draining(client: &mut Client) -> Response {
    loop {
        let response = client.get("/health", "");
        if response.closes() {
            let response = response.expect(503);
            assert_eq!(response.json()["status"], "draining");
            return response;
        }
        response.expect(200);
    }
}

#[test]
fn requests_in_flight_are_answered_and_the_exit_is_clean() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[("WORK", "sleep:2s"), ("WORKERS", "120"), ("THREADS", "2")]);
        let mut watcher = server.connect();
        let mut clients: Vec<Client> = (0..120).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send(GET);
        }
        server.wait_for_metrics("requests to be in flight", |metrics| metrics["in_flight_requests"] != 0);
        server.signal(Signal::TERM);
        wait_until_draining(&mut watcher);
        watcher.expect_close();
        let mut announced = 0;
        for client in &mut clients {
            announced += usize::from(client.response().expect(200).closes());
            client.expect_close();
        }
        // On a busy machine some may have been answered before the signal was.
        assert!(announced > 0, "no response announced the end of its connection");
        assert_eq!(server.wait_for_exit().code(), Some(0));
        assert!(server.log().to_lowercase().contains("drain"), "{}", server.log());
    });
}

/// Clients that never pause: each asks again as soon as it is answered, until an answer says that it is the last.
#[test]
fn no_answer_is_lost_under_load() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[("WORK", "sleep:2ms"), ("WORKERS", "8"), ("THREADS", "8")]);
        let answered = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..24 {
                let (mut client, answered) = (server.connect(), &answered);
                scope.spawn(move || {
                    while !client.get("/", "").expect(200).closes() {
                        answered.fetch_add(1, Relaxed);
                    }
                    client.expect_close();
                });
            }
            let enough = || (answered.load(Relaxed) > 500).then_some(());
            crate::common::wait_for("the load to run", enough);
            server.signal(Signal::TERM);
        });
        assert_eq!(server.wait_for_exit().code(), Some(0));
    });
}

/// The process is stopped, so the kernel alone takes the connections and their requests; then it learns of the signal
/// and of them in the same moment.
#[test]
fn what_waits_in_the_backlog_is_served() {
    let path_of = |number| if number % 2 == 0 { "/" } else { "/health" };
    every_engine(|engine| {
        let mut server = Server::start(engine, &[]);
        server.connect().get("/", "").expect(200);
        server.signal(Signal::STOP);
        let mut clients: Vec<Client> = (0..60).map(|_| server.connect()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", path_of(number)));
        }
        server.signal(Signal::TERM);
        server.signal(Signal::CONT);
        for (number, client) in clients.iter_mut().enumerate() {
            let mut response = client.response();
            // Requests taken up before the signal was seen keep their connection.
            while !response.closes() {
                response = client.get(path_of(number), "");
            }
            // The signal may be seen between an answer and its header: healthy, and closing.
            assert!(response.status == 200 || (number % 2 == 1 && response.status == 503), "{response:?}");
            client.expect_close();
        }
        assert_eq!(server.wait_for_exit().code(), Some(0));
    });
}

#[test]
fn idle_connections_do_not_hold_it_up_and_half_a_request_may_be_finished() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[]);
        let mut idle: Vec<Client> = (0..40).map(|_| server.connect()).collect();
        for client in idle.iter_mut().skip(10) {
            client.get("/", "").expect(200);
        }
        server.wait_for_metrics("the idle to be parked", |metrics| metrics["idle_connections"] == 40);
        let mut half = server.connect();
        half.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{");
        let mut watcher = server.connect();
        watcher.get("/health", "").expect(200);
        let began = Instant::now();
        server.signal(Signal::INT);
        wait_until_draining(&mut watcher);
        half.send("}");
        assert!(half.response().expect(200).closes());
        for client in &mut idle {
            client.expect_close();
        }
        assert_eq!(server.wait_for_exit().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    });
}

#[test]
fn a_second_signal_ends_at_once() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[("WORK", "sleep:60s")]);
        let mut watcher = server.connect();
        let mut client = server.connect();
        client.send(GET);
        server.wait_for_metrics("the request to arrive", |metrics| metrics["in_flight_requests"] == 1);
        server.signal(Signal::TERM);
        wait_until_draining(&mut watcher);
        let began = Instant::now();
        server.signal(Signal::INT);
        assert_eq!(server.wait_for_exit().code(), Some(1));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    });
}

#[test]
fn work_longer_than_the_shutdown_timeout_is_cut_and_reported() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[("WORK", "sleep:60s"), ("SHUTDOWN_TIMEOUT", "500ms")]);
        let mut client = server.connect();
        client.send(GET);
        server.wait_for_metrics("the request to arrive", |metrics| metrics["in_flight_requests"] == 1);
        let began = Instant::now();
        server.signal(Signal::TERM);
        assert_eq!(server.wait_for_exit().code(), Some(1));
        let elapsed = began.elapsed();
        assert!(elapsed >= Duration::from_millis(450) && elapsed < Duration::from_secs(10), "{elapsed:?}");
    });
}

/// A client that has its last response and does not close is no reason to wait, nor is it cut off.
#[test]
fn connections_that_only_linger_are_no_failure() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[("SHUTDOWN_TIMEOUT", "500ms")]);
        let mut refused = server.connect();
        refused.send("GET / HTTP/1.1\r\n\r\n");
        refused.response().expect_error(400);
        server.signal(Signal::TERM);
        assert_eq!(server.wait_for_exit().code(), Some(0), "{}", server.log());
    });
}

#[test]
fn a_stream_asked_for_during_the_drain_is_refused() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[]);
        let mut late = server.connect();
        late.send("GET /sse/metrics HTTP/1.1\r\n");
        let mut watcher = server.connect();
        watcher.get("/health", "").expect(200);
        server.signal(Signal::TERM);
        wait_until_draining(&mut watcher);
        late.send("Host: a\r\n\r\n");
        let response = late.response().expect_error(503);
        assert!(response.closes() && response.header("retry-after").is_some(), "{response:?}");
        late.expect_close();
        assert_eq!(server.wait_for_exit().code(), Some(0));
    });
}
