//! worker-pool under more work than it can do: what does not fit is refused at once, and no work is done for clients that are gone.

use std::time::{Duration, Instant};

use crate::common::{Client, Server};
use serde_json::Value;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A client whose request is sent and not yet answered.
fn asking(server: &Server) -> Client {
    let mut client = server.connect();
    client.send(GET);
    client
}

fn queue_is(depth: u64) -> impl Fn(&Value) -> bool {
    move |metrics| metrics["workers"]["busy"] == 1 && metrics["queue"]["depth"] == depth
}

#[test]
fn a_full_queue_answers_503_at_once_and_keeps_the_connection() {
    let settings = [("WORKERS", "1"), ("WORKER_QUEUE_SIZE", "2"), ("WORK", "sleep:2s"), ("READ_TIMEOUT", "60s")];
    let server = Server::start("worker-pool", &settings);
    let mut admitted = vec![asking(&server)];
    server.wait_for_metrics("the worker to be busy", queue_is(0));
    for depth in 1..=2 {
        admitted.push(asking(&server));
        server.wait_for_metrics("the request to be queued", queue_is(depth));
    }
    let mut refused = server.connect();
    for _ in 0..3 {
        let began = Instant::now();
        let response = refused.get("/", "").expect_error(503);
        assert!(began.elapsed() < Duration::from_secs(1), "it waited {:?}", began.elapsed());
        assert_eq!(response.header("retry-after"), Some("1"));
        assert!(!response.closes(), "{response:?}");
    }
    // Requests that need no worker are still served.
    refused.get("/health", "").expect(200);
    for client in &mut admitted {
        client.response().expect(200);
    }
    refused.get("/", "").expect(200);
    let metrics = server.metrics();
    assert_eq!((&metrics["queue"]["rejected"], &metrics["queue"]["capacity"]), (&3.into(), &2.into()), "{metrics:#}");
    assert_eq!((&metrics["completed_requests"], &metrics["error_count"]), (&4.into(), &3.into()), "{metrics:#}");
    assert_eq!(metrics["responses"]["5xx"], 3, "{metrics:#}");
}

#[test]
fn a_request_that_waits_past_its_deadline_gets_408_and_its_job_is_not_run() {
    let settings = [("WORKERS", "1"), ("WORK", "sleep:3s"), ("READ_TIMEOUT", "1s")];
    let server = Server::start("worker-pool", &settings);
    let mut first = asking(&server);
    server.wait_for_metrics("the worker to be busy", queue_is(0));
    let began = Instant::now();
    let mut queued: Vec<Client> = (0..5).map(|_| asking(&server)).collect();
    for client in &mut queued {
        let response = client.response().expect_error(408);
        assert!(response.closes(), "{response:?}");
        client.expect_close();
    }
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    first.response().expect(200);
    // Had one of those jobs been run, this request would still be waiting for the worker when its own deadline passes.
    first.get("/", "").expect(200);
    let metrics = server.metrics();
    assert_eq!((&metrics["completed_requests"], &metrics["error_count"]), (&2.into(), &5.into()), "{metrics:#}");
    assert_eq!((&metrics["workers"]["busy"], &metrics["queue"]["depth"]), (&0.into(), &0.into()), "{metrics:#}");
}

#[test]
fn every_request_of_a_rush_is_answered_and_counted() {
    let settings = [("WORKERS", "2"), ("WORKER_QUEUE_SIZE", "10"), ("WORK", "sleep:10ms")];
    let server = Server::start("worker-pool", &settings);
    let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
    let (mut done, mut refused) = (0, 0);
    for _ in 0..5 {
        for client in &mut clients {
            client.send(GET);
        }
        for client in &mut clients {
            match client.response().status {
                200 => done += 1,
                503 => refused += 1,
                other => panic!("status {other}"),
            }
        }
    }
    assert_eq!(done + refused, 500);
    assert!(done >= 60 && refused > 0, "{done} done, {refused} refused");
    let metrics = server.metrics();
    assert_eq!(metrics["completed_requests"], done, "{metrics:#}");
    assert_eq!(metrics["queue"]["rejected"], refused, "{metrics:#}");
    assert_eq!(metrics["in_flight_requests"], 0, "{metrics:#}");
}

#[test]
fn requests_whose_clients_are_gone_leave_the_queue() {
    let settings = [("WORKERS", "1"), ("WORKER_QUEUE_SIZE", "10"), ("WORK", "sleep:2s"), ("READ_TIMEOUT", "60s")];
    let server = Server::start("worker-pool", &settings);
    let mut first = asking(&server);
    server.wait_for_metrics("the worker to be busy", queue_is(0));
    let queued: Vec<Client> = (0..10).map(|_| asking(&server)).collect();
    server.wait_for_metrics("the queue to be full", queue_is(10));
    queued.into_iter().for_each(Client::reset);
    let metrics = server.wait_for_metrics("the queue to be empty", |metrics| metrics["queue"]["depth"] == 0);
    let mut next = asking(&server);
    first.response().expect(200);
    next.response().expect(200);
    let metrics = (metrics, server.metrics());
    assert_eq!(metrics.1["queue"]["rejected"], 0, "{metrics:#?}");
    assert_eq!((&metrics.1["completed_requests"], &metrics.1["error_count"]), (&2.into(), &10.into()), "{metrics:#?}");
}
