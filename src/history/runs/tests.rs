//! Runs from made-up seconds.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::super::fields::{FIELDS, Values, index};
use super::kept::{Kept, RunFiles};
use super::recorder::{Cause, Course, Recorder};
use super::{Identity, Run, clean_name, summary};

fn identity() -> Identity {
    Identity { engine: "may", settings: json!({ "work": "none" }), board: Some("Raspberry Pi 5".into()) }
}

/// A server whose seconds a test makes up.
struct Server {
    recorder: Recorder,
    time: u32,
    values: Values,
    latencies: Histogram<u64>,
    ended: Vec<Course>,
}

impl Server {
    fn new() -> Self {
        let mut values = [0.0; FIELDS.len()];
        values[index("memory_alloc_mb")] = 10.0;
        values[index("pi.temperature_c")] = 50.0;
        let latencies = Histogram::new_with_bounds(1, 600_000_000, 3).unwrap();
        let mut server = Self { recorder: Recorder::default(), time: 1000, values, latencies, ended: Vec::new() };
        server.seconds(1, 0, 0, 1.0);
        server
    }

    fn set(&mut self, field: &str, value: f64) {
        let at = FIELDS.iter().position(|one| one.name == field).unwrap();
        self.values[at] = value;
    }

    /// Lets seconds pass with so many good and failed (503) answers each, all of one latency; with 0 without latencies.
    fn seconds(&mut self, seconds: u32, good: u32, failed: u32, millis: f64) {
        for _ in 0..seconds {
            self.time += 1;
            self.latencies.reset();
            if millis > 0.0 {
                self.latencies.record_n((millis * 1000.0) as u64, u64::from(good + failed)).unwrap();
            }
            for (field, rise) in [
                ("total_requests", good + failed),
                ("completed_requests", good),
                ("error_count", failed),
                ("responses.5xx", failed),
            ] {
                let at = FIELDS.iter().position(|one| one.name == field).unwrap();
                self.values[at] += f64::from(rise);
            }
            self.set("latency_ms.count", f64::from(good + failed));
            self.set("latency_ms.max", millis);
            self.ended.extend(self.recorder.record(f64::from(self.time), &self.values, &self.latencies, |start| start));
        }
    }

    fn only_run(&mut self) -> Course {
        assert_eq!(self.ended.len(), 1);
        self.ended.remove(0)
    }
}

#[test]
fn the_first_second_of_a_process_counts() {
    let mut server = Server::new();
    server.recorder = Recorder::default();
    server.set("uptime_seconds", 1.0);
    server.recorder.ask_start(5, None);
    server.set("total_requests", 300.0);
    server.set("completed_requests", 280.0);
    server.seconds(1, 0, 0, 1.0);
    server.recorder.ask_stop();
    server.seconds(1, 20, 0, 1.0);
    let run = summary(&server.only_run(), &identity(), false);
    assert_eq!((&run["results"]["requests"], &run["results"]["successful"]), (&json!(320), &json!(300)));
}

#[test]
fn a_load_becomes_a_run_from_its_first_second_to_its_last() {
    let mut server = Server::new();
    server.seconds(100, 1, 0, 1.0);
    let start = server.time;
    server.set("active_connections", 40.0);
    server.seconds(10, 99, 1, 20.0);
    server.set("pi.temperature_c", 71.5);
    server.set("memory_alloc_mb", 14.0);
    server.seconds(10, 200, 0, 40.0);
    let end = server.time;
    server.set("active_connections", 1.0);
    server.seconds(4, 1, 0, 999.0);
    assert!(server.ended.is_empty(), "a pause of four seconds is part of a run");
    server.seconds(1, 1, 0, 999.0);
    let run = server.only_run();
    assert_eq!((run.start, run.end, run.started_by, run.ended_by), (start, end, Cause::Load, Cause::Load));
    let run = summary(&run, &identity(), false);
    let results = &run["results"];
    assert_eq!(
        (&results["requests"], &results["successful"], &results["errors"]["5xx"]),
        (&json!(3000), &json!(2990), &json!(10))
    );
    assert_eq!(results["successful_per_sec"], json!({ "mean": 149.5, "peak": 200 }));
    assert_eq!(results["peak_connections"], 40);
    assert_eq!(results["memory_mb"], json!({ "start": 10, "peak": 14 }));
    assert_eq!(run["board"]["temperature_max_c"], 71.5);
    assert_eq!(run["seconds"], 20);
    // 1,000 answers of 20 ms and 2,000 of 40 ms; the slow ones after the end are not in it.
    let near = |value: &Value, expected: f64| (value.as_f64().unwrap() / expected - 1.0).abs() < 0.01;
    let latency = &results["latency_ms"];
    assert!(near(&latency["p50"], 40.0) && near(&latency["p99"], 40.0) && near(&latency["max"], 40.0), "{latency}");
}

#[test]
fn a_moment_of_load_or_a_steady_trickle_is_no_run() {
    let mut server = Server::new();
    for _ in 0..20 {
        server.seconds(2, 500, 0, 1.0);
        server.seconds(10, 0, 0, 1.0);
    }
    server.seconds(600, 4, 0, 1.0);
    server.seconds(60, 9, 0, 1.0);
    assert!(server.ended.is_empty() && server.recorder.active().is_none());
    server.seconds(10, 100, 0, 1.0);
    assert!(server.recorder.active().is_some());
}

#[test]
fn held_connections_and_stuck_requests_keep_a_run_going() {
    let mut server = Server::new();
    server.set("active_connections", 3000.0);
    server.seconds(5, 0, 0, 1.0);
    server.set("active_connections", 8000.0);
    server.seconds(10, 500, 0, 1.0);
    server.seconds(60, 0, 0, 1.0);
    assert!(server.ended.is_empty(), "5,000 connections are held");
    server.set("active_connections", 3100.0);
    server.set("in_flight_requests", 50.0);
    server.seconds(60, 0, 0, 1.0);
    assert!(server.ended.is_empty(), "requests are waiting");
    server.set("in_flight_requests", 0.0);
    server.seconds(5, 0, 0, 1.0);
    assert_eq!(server.only_run().end, server.time - 5, "what was open before the run is no load");
}

#[test]
fn a_run_is_started_and_stopped_on_request() {
    let mut server = Server::new();
    assert_eq!(server.recorder.ask_stop(), None);
    server.recorder.ask_start(77, Some("first".into()));
    assert_eq!(server.recorder.starting(), Some((77, Some("first"))));
    let start = server.time;
    server.seconds(30, 0, 0, 1.0);
    server.seconds(5, 100, 0, 1.0);
    server.seconds(30, 0, 0, 1.0);
    assert!(server.ended.is_empty(), "silence does not end it");
    server.recorder.ask_start(99, None);
    server.seconds(1, 10, 0, 1.0);
    let first = server.only_run();
    assert_eq!((first.start, first.end, first.ended_by), (start, start + 65, Cause::Next));
    assert_eq!(summary(&first, &identity(), false)["name"], "first");
    assert_eq!(server.recorder.ask_stop(), Some(99));
    server.seconds(1, 7, 0, 1.0);
    let second = server.only_run();
    assert_eq!(second.ended_by, Cause::Request);
    assert_eq!(summary(&second, &identity(), false)["results"]["requests"], 17, "the second of the stop counts");
    assert_eq!(server.recorder.ask_stop(), None);

    // Both within one second: neither run is lost.
    server.recorder.ask_start(100, None);
    server.seconds(1, 1, 0, 1.0);
    server.recorder.ask_start(101, None);
    assert_eq!(server.recorder.ask_stop(), Some(101));
    server.seconds(1, 1, 0, 1.0);
    assert_eq!(server.ended.iter().map(|run| run.id).collect::<Vec<_>>(), [100, 101]);
}

#[test]
fn a_forgotten_run_ends_with_its_last_load() {
    let mut server = Server::new();
    server.recorder.ask_start(1, None);
    server.seconds(20, 100, 0, 1.0);
    let end = server.time;
    server.seconds(600, 0, 0, 1.0);
    let run = server.only_run();
    assert_eq!((run.end, run.ended_by), (end, Cause::Idle));
}

#[test]
fn an_endless_load_is_cut_into_days_of_few_rows() {
    let mut server = Server::new();
    server.seconds(90_000, 10, 0, 0.0);
    let run = server.only_run();
    assert_eq!((run.end - run.start, run.ended_by), (86_400, Cause::Limit));
    let run = Run::new(&run, &identity());
    let whole: Value = serde_json::from_str(&run.whole.text().unwrap()).unwrap();
    let rows = whole["rows"].as_array().unwrap();
    assert!((120..=240).contains(&rows.len()), "{} rows", rows.len());
    assert_eq!(rows[5].as_array().unwrap().len(), 1 + whole["fields"].as_array().unwrap().len());
    for row in rows {
        assert_eq!((&row[1], &row[3]), (&json!(10), &json!(0)), "{row}");
    }
}

#[test]
fn names_are_short_and_printable() {
    assert_eq!(clean_name("  k6 \n quick\u{7} "), Some("k6   quick".into()));
    assert_eq!(clean_name(" \t "), None);
    assert_eq!(clean_name(&"ä".repeat(200)).unwrap().chars().count(), 80);
}

fn made_up(id: u32) -> Run {
    let mut server = Server::new();
    server.recorder.ask_start(id, Some("<b>\"name\"</b>".into()));
    server.seconds(5, 10, 0, 1.0);
    server.recorder.ask_stop();
    server.seconds(1, 10, 0, 1.0);
    Run::new(&server.only_run(), &identity())
}

#[test]
fn the_last_hundred_runs_are_kept_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let files = RunFiles(directory.path().to_owned());
    let mut kept = Kept::default();
    for id in 1..=120 {
        let run = Run { id, ..made_up(id) };
        files.write(id, &run.whole).unwrap();
        kept.insert(run);
    }
    assert_eq!(kept.summaries().len(), 100);
    assert!(kept.get(20).is_none() && kept.get(21).is_some());
    for id in kept.deleted.drain(..) {
        files.remove(id).unwrap();
    }
    assert!(kept.delete(50) && !kept.delete(50));
    files.remove(50).unwrap();

    std::fs::write(directory.path().join("60.json.gz"), b"torn").unwrap();
    let whole = std::fs::read(directory.path().join("61.json.gz")).unwrap();
    std::fs::write(directory.path().join("61.json.gz"), &whole[..whole.len() - 9]).unwrap();
    std::fs::rename(directory.path().join("62.json.gz"), directory.path().join("63.json.gz")).unwrap();
    let (runs, damaged) = files.read().unwrap();
    assert_eq!(
        (runs.len(), damaged.len()),
        (95, 3),
        "two damaged, one under another's name, one deleted, one replaced"
    );
    let run = runs.iter().find(|run| run.id == 100).unwrap();
    assert_eq!(run.whole.text().unwrap(), kept.get(100).unwrap().whole.text().unwrap());
    assert_eq!(run.summary.text().unwrap(), kept.get(100).unwrap().summary.text().unwrap());
}
