//! Many at once: every request gets its own answer, and work in progress leaves room for the rest.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use crate::common::{Client, Random, Server, every_engine};

#[test]
fn two_thousand_requests_at_once_are_all_answered() {
    const REQUESTS: usize = 2000;
    every_engine(|engine| {
        // The pool needs a worker for each request in flight; the other engines have none.
        let server = Server::start(engine, &[("WORK", "sleep:3s"), ("WORKERS", "1000"), ("THREADS", "2")]);
        let mut clients: Vec<Client> = (0..REQUESTS).map(|_| server.connect()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {number}\r\n\r\n"));
        }
        server.wait_for_metrics("all to be admitted", |metrics| metrics["total_requests"] == REQUESTS);
        for (number, client) in clients.iter_mut().enumerate() {
            let response = client.response().expect(200);
            assert_eq!(response.header("x-request-id"), Some(number.to_string().as_str()));
        }
        let metrics = server.metrics();
        assert_eq!(metrics["completed_requests"], REQUESTS, "{metrics:#}");
    });
}

/// Answers on many connections at once, of every kind and in every order, in pieces: each must get its own.
#[test]
fn answers_are_never_mixed_up() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("WORK", "sleep:1ms"), ("WORKERS", "4"), ("THREADS", "4")]);
        std::thread::scope(|scope| {
            for thread in 0..16 {
                let server = &server;
                scope.spawn(move || {
                    let mut random = Random::new(thread);
                    let mut client = server.connect();
                    for number in 0..80 {
                        ask_something(&mut client, &mut random, &format!("{thread}-{number}"));
                    }
                });
            }
        });
        let metrics = server.metrics();
        assert_eq!(metrics["in_flight_requests"], 0, "{metrics:#}");
        assert_eq!(metrics["responses"]["5xx"], 0, "{metrics:#}");
    });
}

/// One request of a kind that `random` chooses, and a look at whether the answer belongs to it.
fn ask_something(client: &mut Client, random: &mut Random, id: &str) {
    let content = format!("[\"{id}\",\"{}\"]", "x".repeat(random.below(3000)));
    let head = |line: &str| format!("{line} HTTP/1.1\r\nHost: a\r\nX-Request-ID: {id}\r\n");
    let kind = random.below(6);
    let request = match kind {
        0 => head("GET /") + "\r\n",
        1 => head("POST /") + &format!("Content-Length: {}\r\n\r\n{content}", content.len()),
        2 => {
            head("POST /") + &format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{content}\r\n0\r\n\r\n", content.len())
        }
        3 => head("HEAD /") + "\r\n",
        4 => head("GET /nope") + "\r\n",
        _ => head("GET /dashboard") + "\r\n",
    };
    let (first, second) = request.split_at(random.below(request.len()));
    client.send(first);
    client.send(second);
    let response = if kind == 3 { client.head_response() } else { client.response() };
    match kind {
        0..=3 => {
            assert_eq!(response.header("x-request-id"), Some(id), "{response:?}");
            let response = response.expect(200);
            if kind != 3 {
                let body = response.json();
                assert_eq!(body["request_id"], id);
                let received = body["received_bytes"].as_u64();
                assert_eq!(received, (kind != 0).then_some(content.len() as u64));
            }
        }
        4 => drop(response.expect_error(404)),
        _ => assert_eq!(response.expect(200).header("content-type"), Some("text/html; charset=utf-8")),
    }
}

#[test]
fn cpu_work_burns_cpu_and_leaves_room_for_the_rest() {
    const REQUESTS: usize = 4;
    every_engine(|engine| {
        let mut settings = vec![("WORK", "cpu:200ms"), ("WORKERS", "2"), ("THREADS", "2")];
        settings.extend([("READ_TIMEOUT", "60s"), ("WRITE_TIMEOUT", "60s")]);
        let server = Server::start(engine, &settings);
        let mut watcher = server.connect();
        watcher.get("/health", "").expect(200);
        let before = server.cpu_seconds();
        let mut clients: Vec<Client> = (0..REQUESTS).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        // All threads are busy, and yet this is answered before any of the work is done.
        watcher.get("/health", "").expect(200);
        let metrics = watcher.get("/metrics", "").json();
        assert_eq!(metrics["completed_requests"], 0, "nothing else was served meanwhile: {metrics:#}");
        for client in &mut clients {
            client.response().expect(200);
        }
        let used = server.cpu_seconds() - before;
        assert!((0.75..4.0).contains(&used), "{REQUESTS} × 200 ms of CPU took {used} s");
    });
}

/// Clients that send requests without end and read every response.
#[test]
fn pipelining_without_end_leaves_room_for_the_rest() {
    const PIPELINED: &str = "HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n";
    every_engine(|engine| {
        let server = Server::start(engine, &[("THREADS", "2")]);
        let greedy: Vec<Client> = (0..4).map(|_| server.connect()).collect();
        std::thread::scope(|scope| {
            for client in &greedy {
                // Both end with the connection.
                scope.spawn(|| while (&client.stream).write_all(PIPELINED.repeat(100).as_bytes()).is_ok() {});
                scope.spawn(|| while (&client.stream).read(&mut [0; 16_384]).is_ok_and(|count| count > 0) {});
            }
            server.wait_for_metrics("the flood", |metrics| metrics["internal_requests"].as_u64() > Some(2000));
            let mut waits: Vec<Duration> = (0..10)
                .map(|_| {
                    let began = Instant::now();
                    server.connect().get("/health", "Connection: close\r\n").expect(200);
                    began.elapsed()
                })
                .collect();
            for client in &greedy {
                client.stream.shutdown(Shutdown::Both).expect("shutdown");
            }
            waits.sort_unstable();
            assert!(waits[5] < Duration::from_secs(1), "{engine}: {waits:?}");
        });
        server.connect().get("/", "").expect(200);
    });
}
