//! `/metrics` in its three formats: the names of the contract, what the counters count, and text that scrapers accept.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::{Server, every_engine};
use serde_json::{Value, json};

/// Names whose values are numbers on every machine.
const NUMBERS: &str = "
    time_unix_ms uptime_seconds num_cpu active_connections idle_connections in_flight_requests num_tasks sse_subscribers
    total_requests completed_requests error_count error_rate_percent internal_requests requests_per_sec
    requests_per_sec_avg cpu_usage_percent memory_alloc_mb memory_sys_mb open_fds max_fds
    latency_ms.count latency_ms.since_start.count
    queue.depth queue.capacity queue.rejected workers.total responses.2xx responses.3xx responses.4xx responses.5xx
    bytes.read bytes.written connections.accepted connections.rejected connections.timed_out
    limits.max_connections limits.queue_size limits.workers limits.read_timeout_ms limits.write_timeout_ms
    limits.idle_timeout_ms limits.shutdown_timeout_ms limits.max_header_bytes limits.max_body_bytes pi.page_size";

/// Percentiles, which are null as long as there is nothing to take them of.
const PERCENTILES: [&str; 6] = ["p50", "p90", "p95", "p99", "p999", "max"];

/// Names that are null where the board has nothing to say.
const VITALS: &str = "
    model temperature_c temperature_limit_c throttled under_voltage cpu_freq_mhz cpu_freq_max_mhz cores_percent load
    memory swap psi sockets listen_overflows listen_drops retransmits_per_sec net disk fan";

/// What Prometheus 3 sends.
const PROMETHEUS_ACCEPT: &str = "Accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
    text/plain;version=0.0.4;q=0.3,*/*;q=0.2\r\n";

/// The value at a dotted path.
fn at<'json>(json: &'json Value, path: &str) -> &'json Value {
    path.split('.').fold(json, |value, name| value.get(name).unwrap_or_else(|| panic!("no {path} in {json:#}")))
}

#[test]
fn json_holds_every_name_of_the_contract() {
    every_engine(|engine| {
        let mut settings = vec![("WORK", "sleep:1ms"), ("MAX_CONNECTIONS", "500"), ("READ_TIMEOUT", "7s")];
        settings.extend([("WORKERS", "5"), ("THREADS", "3")]);
        let server = Server::start(engine, &settings);
        let metrics = server.metrics();
        for name in NUMBERS.split_whitespace() {
            assert!(at(&metrics, name).is_number(), "{name} in {metrics:#}");
        }
        for name in PERCENTILES {
            assert!(at(&metrics, &format!("latency_ms.{name}")).is_null(), "{name} in {metrics:#}");
            assert!(at(&metrics, &format!("latency_ms.since_start.{name}")).is_null(), "{name} in {metrics:#}");
        }
        for name in VITALS.split_whitespace() {
            at(&metrics, &format!("pi.{name}"));
        }
        assert_eq!(at(&metrics, "server_type"), engine);
        assert_eq!(at(&metrics, "version"), env!("CARGO_PKG_VERSION"));
        assert_eq!(at(&metrics, "work"), "sleep:1ms");
        assert_eq!(at(&metrics, "draining"), false);
        assert_eq!(at(&metrics, "limits.max_connections"), 500);
        assert_eq!(at(&metrics, "limits.read_timeout_ms"), 7000);
        let pooled = engine == "worker-pool";
        assert_eq!(at(&metrics, "limits.threads"), 3);
        assert_eq!(at(&metrics, "limits.workers"), if pooled { 5 } else { 0 });
        assert_eq!(at(&metrics, "workers.total"), if pooled { 5 } else { 0 });
        assert_eq!(at(&metrics, "workers.busy"), &if pooled { json!(0) } else { Value::Null });
        assert_eq!(at(&metrics, "queue.capacity"), if pooled { 10_000 } else { 0 });
    });
}

#[test]
fn counters_count_requests_to_root_and_tell_the_rest_apart() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("WORK", "sleep:20ms")]);
        let mut client = server.connect();
        for _ in 0..10 {
            client.get("/", "").expect(200);
        }
        client.post("/", "{}").expect(200);
        client.post("/", "{").expect(400);
        for path in ["/health", "/health", "/nope", "/dashboard"] {
            client.get(path, "");
        }
        let metrics = server.metrics();
        assert_eq!(at(&metrics, "total_requests"), 12);
        assert_eq!(at(&metrics, "completed_requests"), 11);
        assert_eq!(at(&metrics, "error_count"), 1);
        let rate = at(&metrics, "error_rate_percent").as_f64().expect("rate");
        assert!((rate - 100.0 / 12.0).abs() < 0.01, "{rate}");
        assert!(at(&metrics, "internal_requests").as_u64() >= Some(4), "{metrics:#}");
        assert_eq!(at(&metrics, "in_flight_requests"), 0);
        assert_eq!(at(&metrics, "active_connections"), 2, "this one and the one that asks");
        assert_eq!(at(&metrics, "connections.accepted"), 2);
        assert_eq!(at(&metrics, "responses.4xx"), 1);
        assert!(at(&metrics, "bytes.read").as_u64() > Some(400), "{metrics:#}");
        assert!(at(&metrics, "bytes.written").as_u64() > Some(1000), "{metrics:#}");
        assert!(at(&metrics, "memory_alloc_mb").as_f64() > Some(0.5), "{metrics:#}");
        // The sampler closes a second at a time.
        let settled = |metrics: &Value| at(metrics, "latency_ms.since_start.count") == 12;
        let metrics = server.wait_for_metrics("12 latencies", settled);
        let p50 = at(&metrics, "latency_ms.since_start.p50").as_f64().expect("p50");
        assert!((20.0..500.0).contains(&p50), "work of 20 ms took {p50} ms");
        for name in PERCENTILES {
            assert!(at(&metrics, &format!("latency_ms.since_start.{name}")).is_number(), "{name} in {metrics:#}");
        }
        let max = at(&metrics, "latency_ms.since_start.max").as_f64().expect("max");
        assert!(max >= p50, "{metrics:#}");
    });
}

#[test]
fn the_format_follows_accept() {
    const JSON: &str = "application/json";
    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for (accept, expected) in [
            ("", JSON),
            ("Accept: */*\r\n", JSON),
            ("Accept: application/json\r\n", JSON),
            ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n", JSON),
            ("Accept: image/png\r\n", JSON),
            ("Accept: text/plain\r\n", TEXT),
            ("Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1\r\n", TEXT),
            ("Accept: application/openmetrics-text; version=1.0.0\r\n", OPEN),
            (PROMETHEUS_ACCEPT, OPEN),
        ] {
            let response = client.get("/metrics", accept).expect(200);
            assert_eq!(response.header("content-type"), Some(expected), "{accept:?}");
        }
    });
}

#[test]
fn prometheus_and_openmetrics_texts_are_well_formed() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut client = server.connect();
        for _ in 0..5 {
            client.get("/", "").expect(200);
        }
        server.wait_for_metrics("the second to be over", |metrics| at(metrics, "latency_ms.since_start.count") == 5);
        let text = client.get("/metrics", "Accept: text/plain\r\n").expect(200);
        let classic = Exposition::parse(text.text(), false);
        let open = client.get("/metrics", PROMETHEUS_ACCEPT).expect(200);
        let open = Exposition::parse(open.text(), true);
        for exposition in [&classic, &open] {
            assert!(exposition.samples.len() > 30, "{} samples", exposition.samples.len());
            let fives = exposition
                .samples
                .iter()
                .filter(|(name, value)| name.contains("route=\"/\"") && (**value - 5.0).abs() < 0.1);
            assert!(fives.count() > 0, "no counter of the five requests to /: {:#?}", exposition.samples);
        }
    });
}

/// The samples of a text exposition, parsed by the rules of both formats that a scraper checks.
struct Exposition {
    samples: BTreeMap<String, f64>,
}

impl Exposition {
    fn parse(text: &str, open: bool) -> Self {
        let body = if open { text.strip_suffix("# EOF\n").expect("ends with # EOF") } else { text };
        assert!(!body.contains("# EOF") && body.ends_with('\n'), "{body}");
        let mut types: BTreeMap<&str, &str> = BTreeMap::new();
        let mut helped = BTreeSet::new();
        let mut samples = BTreeMap::new();
        let mut family = "";
        let mut finished: BTreeSet<&str> = BTreeSet::new();
        for line in body.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (kind, name, rest) = (words.next(), words.next().expect("name"), words.next().expect("text"));
                if name != family {
                    assert!(finished.insert(family) && !finished.contains(name), "{name} is not in one block");
                    family = name;
                }
                match kind {
                    Some("HELP") => assert!(helped.insert(name) && !rest.is_empty(), "{line}"),
                    Some("TYPE") => assert!(types.insert(name, rest).is_none(), "{line}"),
                    Some("UNIT") if open => assert!(name.ends_with(&format!("_{rest}")), "{line}"),
                    _ => panic!("{line}"),
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').expect("a value");
            let name = series.split('{').next().expect("name");
            assert!(is_name(name), "{line}");
            let suffixes: &[&str] = match types.get(family).copied() {
                Some("counter") if open => &["_total", "_created"],
                Some("counter" | "gauge") => &[""],
                Some("summary") => &["", "_sum", "_count"],
                Some("histogram") => &["_bucket", "_sum", "_count"],
                Some("info") if open => &["_info"],
                other => panic!("{line}: type {other:?}"),
            };
            let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{line} under {family}"));
            assert!(suffixes.contains(&suffix) && helped.contains(family), "{line} under {family}");
            check_labels(&series[name.len()..]);
            let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
        }
        Self { samples }
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// `{name="value",…}` or nothing; the values here hold no quotes.
fn check_labels(labels: &str) {
    let Some(inner) = labels.strip_prefix('{') else { return assert!(labels.is_empty(), "{labels}") };
    let inner = inner.strip_suffix('}').unwrap_or_else(|| panic!("{labels}"));
    for label in inner.split("\",") {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("{labels}"));
        assert!(is_name(name) && !value.trim_end_matches('"').contains('"'), "{labels}");
    }
}

/// A response that could not be sent is no response: the request counts as an error, and as none of a status.
#[test]
fn requests_whose_clients_left_are_counted_as_abandoned() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("WORK", "sleep:20ms")]);
        for _ in 0..10 {
            let mut client = server.connect();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
            client.response().expect(200);
            client.reset();
        }
        let metrics = server.wait_for_metrics("all to be over", |metrics| {
            metrics["in_flight_requests"] == 0 && metrics["active_connections"] == 1
        });
        let number = |path: &str| at(&metrics, path).as_u64().expect("a number");
        assert_eq!(number("total_requests"), number("completed_requests") + number("error_count"), "{metrics:#}");
        assert_eq!(number("responses.5xx"), 0, "{metrics:#}");
        assert!((10..200).contains(&number("completed_requests")), "{metrics:#}");
    });
}
