//! Traces: W3C trace context in and out on every engine, what a collector receives, and what happens when there is none.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{PATIENCE, Server, every_engine};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A listener that takes OTLP requests, checks their form, and hands over their spans, each with its service.
struct Collector {
    address: SocketAddr,
    spans: Receiver<Value>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = listener.local_addr().expect("address");
        let (sender, spans) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                for span in receive(stream.expect("a connection")) {
                    if sender.send(span).is_err() {
                        return;
                    }
                }
            }
        });
        Self { address, spans }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `count` spans, in any order.
    fn take(&self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.spans.recv_timeout(PATIENCE).expect("a span")).collect()
    }
}

/// Reads one request, answers it, and gives its spans.
fn receive(mut stream: TcpStream) -> Vec<Value> {
    let mut reader = BufReader::new(stream.try_clone().expect("clone"));
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a line");
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_ascii_lowercase());
    }
    assert_eq!(head[0], "post /v1/traces http/1.1");
    assert!(head.contains(&"content-type: application/json".to_owned()), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("a body");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").expect("answer");
    let request: Value = serde_json::from_slice(&body).expect("JSON");
    let resource = &request["resourceSpans"][0];
    let attributes = resource["resource"]["attributes"].as_array().expect("attributes");
    let service = attributes.iter().find(|one| one["key"] == "service.name").expect("a service")["value"].clone();
    let spans = resource["scopeSpans"][0]["spans"].as_array().expect("spans").clone();
    spans
        .into_iter()
        .map(|mut span| {
            span["service"] = service["stringValue"].clone();
            span
        })
        .collect()
}

fn demo(database: &Path) -> String {
    let location = format!("sqlite:{}", database.display());
    let status = Command::new(env!("CARGO_BIN_EXE_fastgo"))
        .args(["registrations", "demo", "--courses", "1", "--database", &location])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.expect("run").success());
    location
}

fn register(server: &Server, student: &str, headers: &str) -> crate::common::Response {
    let courses = server.connect().get("/courses", "").expect(200).json();
    let course = &courses["courses"][0]["id"];
    let body = json!({ "student_id": student, "course_id": course }).to_string();
    let mut client = server.connect();
    let length = body.len();
    client.send(format!("POST /registrations HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{headers}\r\n{body}"));
    client.response()
}

fn nanos(value: &Value) -> u64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_registration_is_one_trace_from_the_client_to_the_medium() {
    every_engine(|engine| {
        let directory = TempDir::new().expect("directory");
        let database = demo(&directory.path().join("r.db"));
        let collector = Collector::start();
        let endpoint = collector.endpoint();
        let settings =
            [("DATABASE_URL", &*database), ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), ("LOG", "fastgo=debug")];
        let server = Server::start(engine, &settings);
        let response = register(&server, "ann", &format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n")).expect(201);
        let sent = response.header("traceparent").expect("the trace goes on").to_owned();
        let parts: Vec<&str> = sent.split('-').collect();
        assert_eq!((parts[0], parts[1], parts[3]), ("00", TRACE, "01"), "{engine}: {sent}");
        assert_ne!(parts[2], PARENT);

        let spans: HashMap<String, Value> = collector
            .take(4)
            .into_iter()
            .map(|span| (span["name"].as_str().expect("a name").to_owned(), span))
            .collect();
        let [request, queue, batch, commit] =
            ["POST /registrations", "queue", "batch", "commit"].map(|name| spans.get(name).expect(name));
        for span in spans.values() {
            assert_eq!((&span["traceId"], &span["service"]), (&json!(TRACE), &json!(format!("fastgo-{engine}"))));
            assert!(nanos(&span["startTimeUnixNano"]) <= nanos(&span["endTimeUnixNano"]), "{span}");
        }
        assert_eq!((&request["spanId"], &request["parentSpanId"]), (&json!(parts[2]), &json!(PARENT)));
        for (child, parent) in [(queue, request), (batch, request), (commit, batch)] {
            assert_eq!(child["parentSpanId"], parent["spanId"], "{engine}: {child}");
            assert!(nanos(&child["startTimeUnixNano"]) >= nanos(&parent["startTimeUnixNano"]), "{child} in {parent}");
            assert!(nanos(&child["endTimeUnixNano"]) <= nanos(&parent["endTimeUnixNano"]), "{child} in {parent}");
        }
        assert!(nanos(&queue["endTimeUnixNano"]) <= nanos(&commit["startTimeUnixNano"]));
        assert_eq!(request["attributes"][2]["value"]["intValue"], "201");
        assert!(server.wait_for_log("answered 201").contains(&format!("trace_id={TRACE}")));
        let metrics = server.wait_for_metrics("the export", |metrics| metrics["traces"]["exported"] == 4);
        assert_eq!(metrics["traces"]["dropped"], 0);
    });
}

#[test]
fn work_and_refusals_are_traced_and_pages_are_not() {
    every_engine(|engine| {
        let directory = TempDir::new().expect("directory");
        let database = demo(&directory.path().join("r.db"));
        let collector = Collector::start();
        let endpoint = collector.endpoint();
        let mut server =
            Server::start(engine, &[("DATABASE_URL", &*database), ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
        for path in ["/health", "/metrics", "/courses", "/dashboard", "/nowhere"] {
            let response = server.connect().get(path, &format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n"));
            assert_eq!(response.header("traceparent"), None, "{engine}: {path}");
        }
        // No client sent a trace: each request begins one.
        let first = server.connect().get("/", "").expect(200).header("traceparent").expect("a trace").to_owned();
        let second = server.connect().get("/", "").expect(200).header("traceparent").expect("a trace").to_owned();
        assert_ne!(first[3..35], second[3..35]);
        // A client that does not want its trace recorded.
        let unsampled = server.connect().get("/", &format!("traceparent: 00-{TRACE}-{PARENT}-00\r\n")).expect(200);
        let unsampled = unsampled.header("traceparent").expect("it goes through");
        assert!(unsampled.starts_with(&format!("00-{TRACE}-")) && unsampled.ends_with("-00"), "{unsampled}");
        // Malformed: as if it had not been sent.
        let malformed = server.connect().get("/", &format!("traceparent: 00-{TRACE}-{PARENT}\r\n")).expect(200);
        assert_ne!(&malformed.header("traceparent").expect("a new trace")[3..35], TRACE);
        let refused = server.connect().post("/registrations", "{}").expect(400);
        assert!(refused.header("traceparent").is_some());
        let missing = server.connect().get("/registrations/1-00000000000000000000000000000000", "").expect(404);
        assert!(missing.header("traceparent").is_some());

        // What waits is sent before the process ends.
        server.signal(Signal::TERM);
        assert!(server.wait_for_exit().success());
        let spans: Vec<Value> =
            std::iter::from_fn(|| collector.spans.recv_timeout(Duration::from_secs(1)).ok()).collect();
        let count = |name: &str| spans.iter().filter(|span| span["name"] == name).count();
        assert_eq!((count("GET /"), count("POST /registrations"), count("GET /registrations/{id}")), (3, 1, 1));
        assert_eq!(count("queue"), if engine == "worker-pool" { 3 } else { 0 }, "{engine}: {spans:?}");
        assert!(spans.iter().all(|span| span["traceId"] != TRACE));
    });
}

#[test]
fn without_a_collector_setting_a_trace_only_goes_through() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("DATABASE_URL", "none")]);
        assert_eq!(server.connect().get("/", "").expect(200).header("traceparent"), None);
        let response = server.connect().get("/", &format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n")).expect(200);
        assert!(response.header("traceparent").expect("it goes on").starts_with(&format!("00-{TRACE}-")), "{engine}");
        let metrics = server.metrics();
        assert_eq!(metrics["traces"]["exported"], Value::Null, "{engine}");
    });
}

/// One collector that refuses connections, and one that accepts them and never answers.
#[test]
fn a_dead_collector_holds_nobody_up() {
    every_engine(|engine| {
        let silent = TcpListener::bind("127.0.0.1:0").expect("bind");
        let gone = {
            let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
            listener.local_addr().expect("address")
        };
        for address in [silent.local_addr().expect("address"), gone] {
            let endpoint = format!("http://{address}");
            let settings = [("DATABASE_URL", "none"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint)];
            let mut server = Server::start(engine, &settings);
            let mut client = server.connect();
            // More spans than the buffer holds, whatever the collector does meanwhile.
            let mut batch = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(50);
            for _ in 0..400 {
                client.send(&batch);
                for _ in 0..50 {
                    client.response().expect(200);
                }
            }
            batch.clear();
            server.wait_for_metrics("dropped spans", |metrics| metrics["traces"]["dropped"].as_u64() > Some(1000));
            let start = Instant::now();
            server.signal(Signal::TERM);
            assert!(server.wait_for_exit().success(), "{engine}");
            assert!(start.elapsed() < Duration::from_secs(10), "{engine}: the end took {:?}", start.elapsed());
        }
    });
}

#[test]
fn a_share_of_the_requests_is_traced() {
    let collector = Collector::start();
    let endpoint = collector.endpoint();
    let settings =
        [("DATABASE_URL", "none"), ("OTEL_EXPORTER_OTLP_ENDPOINT", &*endpoint), ("OTEL_TRACES_SAMPLER_ARG", "0.2")];
    let server = Server::start("hyper", &settings);
    let mut client = server.connect();
    let traced = (0..1000).filter(|_| client.get("/", "").expect(200).header("traceparent").is_some()).count();
    assert!((120..290).contains(&traced), "{traced} of 1000");
    // Nothing is traced by default, and a client decides for itself.
    client.get("/", &format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n")).expect(200);
    assert_eq!(collector.take(traced + 1).iter().filter(|span| span["traceId"] == TRACE).count(), 1);
}
