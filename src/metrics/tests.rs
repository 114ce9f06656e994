//! What a reading looks like once it is written.

use std::time::Duration;

use super::{Exposition, Metrics};
use crate::config::{EngineKind, Settings};
use crate::http::Method;

fn metrics() -> Metrics {
    let metrics = Metrics::new(Settings::default().resolve(EngineKind::HYPER, 0).unwrap(), None, None);
    for _ in 0..4 {
        metrics.counters.request_started();
    }
    metrics.counters.request_finished(Method::Get, 200, Duration::from_millis(20));
    metrics.counters.request_finished(Method::Post, 400, Duration::from_millis(1));
    metrics.counters.request_finished(Method::Get, 408, Duration::from_millis(1));
    metrics.sample();
    metrics
}

#[test]
fn json_has_the_names_of_the_contract() {
    let json: serde_json::Value = serde_json::from_str(&metrics().read().to_json()).unwrap();
    for name in [
        "server_type",
        "num_cpu",
        "active_connections",
        "total_requests",
        "completed_requests",
        "error_count",
        "error_rate_percent",
        "uptime_seconds",
        "requests_per_sec",
        "cpu_usage_percent",
        "memory_alloc_mb",
        "memory_sys_mb",
        "in_flight_requests",
        "num_tasks",
        "idle_connections",
        "open_fds",
        "max_fds",
        "work",
        "version",
        "internal_requests",
    ] {
        assert!(!json[name].is_null(), "{name}");
    }
    assert_eq!(json["total_requests"], 4);
    assert_eq!((&json["completed_requests"], &json["error_count"]), (&1.into(), &2.into()));
    assert_eq!(json["in_flight_requests"], 1);
    assert_eq!((&json["responses"]["4xx"], &json["responses"]["408"]), (&2.into(), &1.into()));
    assert_eq!(json["latency_ms"]["count"], 3);
    assert_eq!(json["latency_ms"]["since_start"]["count"], 3);
    assert!(json["latency_ms"]["max"].as_f64().unwrap() >= 20.0);
    assert!(json["workers"]["busy"].is_null());
    assert!(json["pi"].is_object());
}

#[test]
fn both_expositions_are_well_formed() {
    let metrics = metrics();
    let text = metrics.read().to_prometheus(Exposition::Text);
    assert!(text.contains("# TYPE http_requests_total counter\n"));
    assert!(text.contains("http_requests_total{engine=\"hyper\",method=\"GET\",route=\"/\",status=\"200\"} 1\n"));
    assert!(text.contains("http_request_duration_seconds_bucket{engine=\"hyper\",le=\"0.025\"} 3\n"));
    assert!(text.contains("http_request_duration_seconds_count{engine=\"hyper\"} 3\n"));
    assert!(!text.contains("# EOF"));
    let open = metrics.read().to_prometheus(Exposition::OpenMetrics);
    assert!(open.contains("# TYPE http_requests counter\n"));
    assert!(open.ends_with("# EOF\n"));
    let mut families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    let count = families.len();
    families.sort_unstable();
    families.dedup();
    assert_eq!(families.len(), count, "no family is declared twice");
}

#[test]
fn a_scrape_has_as_many_answers_as_latencies() {
    let metrics = metrics();
    metrics.counters.request_finished(Method::Get, 200, Duration::from_millis(20));
    let counts = || {
        let text = metrics.read().to_prometheus(Exposition::Text);
        let count = |series: &str| text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse::<u64>().ok());
        let answers = "http_requests_total{engine=\"hyper\",method=\"GET\",route=\"/\",status=\"200\"}";
        (count(answers), count("http_request_duration_seconds_count{engine=\"hyper\"}"))
    };
    assert_eq!(counts(), (Some(1), Some(3)), "the request after the sample is in neither");
    metrics.sample();
    assert_eq!(counts(), (Some(2), Some(4)));
}

#[test]
fn connections_turned_away_count_as_answers() {
    let metrics = metrics();
    let before = metrics.answers();
    metrics.counters.rejected.fetch_add(2, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(metrics.answers(), before + 2);
}
