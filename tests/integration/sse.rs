//! `/sse/metrics`: history at once, a sample a second, resumption, and an orderly end.

use std::time::{Duration, Instant};

use crate::common::{Client, Server, every_engine};
use rustix::process::Signal;
use serde_json::Value;

/// One event of the stream, as the HTML standard parses it.
#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    id: Option<u64>,
    data: String,
    retry: Option<u64>,
}

impl Event {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}

/// Subscribes, checks the header, and leaves the stream at its first event.
fn subscribe(server: &Server, fields: &str) -> Client {
    let mut client = server.connect();
    client.send(format!("GET /sse/metrics HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n{fields}\r\n"));
    let header = client.read_header().expect("a header").expect(200);
    assert_eq!(header.header("content-type"), Some("text/event-stream"));
    assert_eq!(header.header("cache-control"), Some("no-cache"));
    assert_eq!((header.header("content-length"), header.header("transfer-encoding")), (None, None));
    assert!(header.closes(), "{header:?}");
    client
}

/// The next event that carries data; `None` when the stream ends in order.
fn next_event(client: &mut Client) -> Option<Event> {
    let mut event = Event::default();
    loop {
        let line = match client.line() {
            Ok(line) => line,
            Err(error) if error == "closed after \"\"" => return None,
            Err(error) => panic!("{error} in {event:?}"),
        };
        let (field, value) = line.split_once(": ").unwrap_or((&line, ""));
        match field {
            "" if event.data.is_empty() => {}
            "" => return Some(event),
            "event" => value.clone_into(&mut event.name),
            "data" => event.data.push_str(value),
            "id" => event.id = Some(value.parse().expect("a number")),
            "retry" => event.retry = Some(value.parse().expect("a number")),
            _ => panic!("{line:?}"),
        }
    }
}

/// The next sample; a heartbeat, whose turn depends on the time of the start, is passed over.
fn next_sample(client: &mut Client) -> Event {
    loop {
        let event = next_event(client).expect("a sample");
        if event.name != "heartbeat" {
            return event;
        }
    }
}

fn history(client: &mut Client) -> (Vec<Value>, Event) {
    let event = next_event(client).expect("a history");
    assert_eq!(event.name, "history");
    let samples = event.json().as_array().expect("an array").clone();
    (samples, event)
}

#[test]
fn history_comes_at_once_and_then_a_sample_a_second() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let began = Instant::now();
        for _ in 0..10 {
            history(&mut subscribe(&server, ""));
        }
        assert!(began.elapsed() < Duration::from_secs(5), "they waited for a sample each: {:?}", began.elapsed());
        let mut client = subscribe(&server, "");
        let (samples, first) = history(&mut client);
        assert_eq!(first.retry, Some(2000));
        for sample in &samples {
            assert_eq!(sample["server_type"], engine);
        }
        let mut last = first.id.unwrap_or(0);
        let began = Instant::now();
        for _ in 0..4 {
            let event = next_sample(&mut client);
            assert_eq!(event.name, "", "a plain message");
            let id = event.id.expect("an id");
            assert!(id > last, "{id} after {last}");
            last = id;
            let sample = event.json();
            assert_eq!(sample["server_type"], engine);
            assert!(sample["sse_subscribers"].as_u64() >= Some(1), "{sample:#}");
            assert!(sample["pi"].is_object() && sample["latency_ms"]["count"] == 0, "{sample:#}");
            assert!(sample["latency_ms"]["p99"].is_null(), "no requests, no latency: {sample:#}");
        }
        let elapsed = began.elapsed();
        assert!(
            elapsed > Duration::from_millis(2800) && elapsed < Duration::from_secs(8),
            "4 samples took {elapsed:?}"
        );
        let metrics = server.metrics();
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        for sample in &samples {
            assert_eq!(names(sample), names(&metrics), "a sample is what /metrics returns");
        }
    });
}

#[test]
fn last_event_id_resumes_after_what_was_seen() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = subscribe(&server, "");
        history(&mut client);
        let seen: Vec<Event> = (0..3).map(|_| next_sample(&mut client)).collect();
        drop(client);
        let stamp = |event: &Event| event.json()["time_unix_ms"].as_u64().expect("a time");
        let id = seen[0].id.expect("an id");

        let (missed, event) = history(&mut subscribe(&server, &format!("Last-Event-ID: {id}\r\n")));
        let times: Vec<u64> = missed.iter().map(|sample| sample["time_unix_ms"].as_u64().expect("a time")).collect();
        assert_eq!(times[..2], [stamp(&seen[1]), stamp(&seen[2])], "exactly what came after {id}");
        assert!(event.id >= seen[2].id, "{event:?}");

        // An id that means nothing here, as after a restart, gives the whole history.
        let full = history(&mut subscribe(&server, "")).0.len();
        assert!(full >= 3, "{full}");
        for id in ["nonsense", "-1", "18446744073709551616"] {
            let again = history(&mut subscribe(&server, &format!("Last-Event-ID: {id}\r\n"))).0.len();
            assert!(again >= full, "{again} of {full} after {id:?}");
        }
    });
}

#[test]
fn many_subscribers_get_the_same_samples_and_leave_no_trace() {
    const SUBSCRIBERS: usize = 200;
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut clients: Vec<Client> = (0..SUBSCRIBERS).map(|_| subscribe(&server, "")).collect();
        let newest = clients.iter_mut().map(|client| history(client).1.id).max().flatten().unwrap_or(0);
        server.wait_for_metrics("all to be subscribed", |metrics| metrics["sse_subscribers"] == SUBSCRIBERS);
        let mut expected = None;
        for client in &mut clients {
            let event = loop {
                let event = next_sample(client);
                if event.id > Some(newest) {
                    break event;
                }
            };
            let expected = expected.get_or_insert_with(|| (event.id, event.data.clone()));
            assert_eq!((event.id, &event.data), (expected.0, &expected.1));
        }
        for (number, client) in clients.into_iter().enumerate() {
            if number % 2 == 0 { drop(client) } else { client.reset() }
        }
        server.wait_for_metrics("all to be gone", |metrics| {
            metrics["sse_subscribers"] == 0 && metrics["active_connections"] == 1
        });
        server.connect().get("/", "").expect(200);
    });
}

#[test]
fn head_and_http_1_0_work_as_for_any_resource() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        client.send("HEAD /sse/metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let head = client.head_response().expect(200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        client.expect_close();

        let mut old = server.connect();
        old.send("GET /sse/metrics HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        let header = old.read_header().expect("a header").expect(200);
        assert_eq!(header.version, "HTTP/1.0");
        assert!(header.closes(), "{header:?}");
        history(&mut old);
        next_event(&mut old).expect("a sample");
    });
}

#[test]
fn streams_end_in_order_when_the_server_drains() {
    every_engine(|engine| {
        let mut server = Server::start(engine, &[]);
        let mut clients: Vec<Client> = (0..20).map(|_| subscribe(&server, "")).collect();
        for client in &mut clients {
            history(client);
        }
        server.signal(Signal::TERM);
        for client in &mut clients {
            while next_event(client).is_some() {}
        }
        assert_eq!(server.wait_for_exit().code(), Some(0));
    });
}

/// Comments are invisible to JavaScript, so the page needs an event to distinguish a quiet stream from a broken one.
#[test]
fn a_heartbeat_comes_every_15_seconds_and_deadlines_leave_the_stream_alone() {
    every_engine(|engine| {
        let settings = [("READ_TIMEOUT", "1s"), ("IDLE_TIMEOUT", "1s"), ("WRITE_TIMEOUT", "2s")];
        let server = Server::start(engine, &settings);
        let mut client = subscribe(&server, "");
        history(&mut client);
        let began = Instant::now();
        let heartbeat = loop {
            let event = next_event(&mut client).expect("a stream without end");
            if event.name == "heartbeat" {
                break event;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "no heartbeat");
        };
        assert_eq!((heartbeat.data.as_str(), heartbeat.id), ("{}", None));
    });
}
