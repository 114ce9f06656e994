//! Samples and runs over real requests, restarts and damaged files, on every engine.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::common::{Client, Response, Server, every_engine, wait_for};

fn start(engine: &str, state: &Path) -> Server {
    Server::start(engine, &[("STATE_DIRECTORY", state.to_str().expect("UTF-8"))])
}

fn stop(mut server: Server) {
    server.signal(Signal::TERM);
    assert!(server.wait_for_exit().success());
}

fn get(server: &Server, path: &str) -> Value {
    server.connect().get(path, "Connection: close\r\n").expect(200).json()
}

fn rows(history: &Value) -> &Vec<Value> {
    history["rows"].as_array().expect("rows")
}

fn wait_for_rows(server: &Server, least: usize) -> Value {
    wait_for("rows of history", || {
        Some(get(server, "/history?window=15m")).filter(|history| rows(history).len() >= least)
    })
}

fn column(history: &Value, name: &str) -> usize {
    let fields = history["fields"].as_array().expect("fields");
    1 + fields.iter().position(|field| field == name).unwrap_or_else(|| panic!("{name} in {fields:?}"))
}

fn requests(client: &mut Client, count: usize) {
    for _ in 0..count {
        client.get("/", "").expect(200);
    }
}

/// Keeps up a load until `done` gives something.
fn load_until<T>(server: &Server, mut done: impl FnMut() -> Option<T>) -> T {
    let mut client = server.connect();
    wait_for("the end of the load", || {
        requests(&mut client, 5);
        std::thread::sleep(Duration::from_millis(20));
        done()
    })
}

fn post(server: &Server, fields: &str, body: &str) -> Response {
    let mut client = server.connect();
    let length = body.len();
    let host = server.address;
    client.send(format!("POST /runs HTTP/1.1\r\nHost: {host}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"));
    client.response()
}

fn finished(server: &Server, id: &str) -> Value {
    wait_for("the run", || {
        let response = server.connect().get(&format!("/runs/{id}"), "Connection: close\r\n");
        (response.status == 200).then(|| response.json())
    })
}

/// Every file below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("directory") {
        let path = entry.expect("entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn every_field_is_one_of_metrics() {
    every_engine(|engine| {
        let state = tempfile::tempdir().expect("directory");
        let server = start(engine, state.path());
        let history = wait_for_rows(&server, 2);
        let metrics = server.metrics();
        assert_eq!((&history["engine"], &history["step_seconds"]), (&json!(engine), &json!(1)));
        for (at, field) in history["fields"].as_array().expect("fields").iter().enumerate() {
            let name = field.as_str().expect("a name");
            let value = name.split('.').try_fold(&metrics, |value, key| value.get(key));
            let board_lacks = name.starts_with("pi.") && value.is_none_or(Value::is_null);
            assert!(board_lacks || value.is_some(), "{name} is not in {metrics:#}");
            let kept = &rows(&history)[1][at + 1];
            assert_eq!(kept.is_null(), value.is_none_or(Value::is_null), "{name}: {kept} for {value:?}");
        }
        let times: Vec<u64> = rows(&history).iter().map(|row| row[0].as_u64().expect("a time")).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    });
}

#[test]
fn windows_and_errors() {
    every_engine(|engine| {
        let state = tempfile::tempdir().expect("directory");
        let server = start(engine, state.path());
        wait_for_rows(&server, 1);
        for (query, step) in [("", 1), ("?window=15m", 1), ("?window=1h", 10), ("?x=y&window=24h", 10)] {
            assert_eq!(get(&server, &format!("/history{query}"))["step_seconds"], step, "{query}");
        }
        let mut client = server.connect();
        for bad in ["/history?window=5m", "/history?window=", "/history?window=15M"] {
            client.get(bad, "").expect_error(400);
        }
        let packed = client.get("/history?window=15m", "Accept-Encoding: gzip\r\n").expect(200);
        assert_eq!(packed.header("content-encoding"), Some("gzip"));
        let mut text = String::new();
        flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).expect("gzip");
        assert!(!rows(&serde_json::from_str(&text).expect("JSON")).is_empty());
        client.send("HEAD /history HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head_response().expect(200).header("content-type"), Some("application/json"));
        client.send("POST /history HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        client.response().expect_error(405);
        client.get("/runs/1", "").expect_error(404);
        for path in ["/runs/", "/runs/x", "/runs/+1", "/runs/1/2", "/runs/99999999999"] {
            client.get(path, "").expect_error(404);
        }
        client.send("DELETE /runs/1 HTTP/1.1\r\nHost: a\r\n\r\n");
        client.response().expect_error(404);
        let page = client.get("/runs", "Accept: text/html,application/xhtml+xml\r\n").expect(200);
        assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        assert!(page.header("content-security-policy").is_some_and(|policy| policy.contains("script-src 'self'")));
    });
}

#[test]
fn samples_and_runs_survive_a_restart() {
    every_engine(|engine| {
        let state = tempfile::tempdir().expect("directory");
        let server = start(engine, state.path());
        let id = post(&server, "", r#"{"action":"start","name":"before"}"#).expect(200).json()["id"].clone();
        load_until(&server, || (rows(&get(&server, "/history")).len() >= 4).then_some(()));
        let before = get(&server, "/history");
        stop(server);

        let server = start(engine, state.path());
        let after = wait_for_rows(&server, rows(&before).len() + 2);
        for (old, kept) in rows(&before).iter().zip(rows(&after)) {
            assert_eq!(old, kept);
        }
        assert!(!rows(&get(&server, "/history?window=24h")).is_empty());
        let uptime = column(&after, "uptime_seconds");
        let uptimes: Vec<f64> = rows(&after).iter().map(|row| row[uptime].as_f64().expect("uptime")).collect();
        assert!(uptimes.windows(2).any(|pair| pair[1] < pair[0]), "the restart shows: {uptimes:?}");
        let runs = get(&server, "/runs");
        let run = &runs["runs"][0];
        assert_eq!((&run["id"], &run["name"], &run["ended_by"]), (&id, &json!("before"), &json!("shutdown")));
        assert!(run["results"]["requests"].as_u64().expect("requests") >= 15, "{run:#}");
    });
}

#[test]
fn an_interrupted_process_or_a_damaged_file_costs_no_start() {
    every_engine(|engine| {
        let state = tempfile::tempdir().expect("directory");
        let server = start(engine, state.path());
        wait_for_rows(&server, 3);
        stop(server);
        let samples = files(state.path()).into_iter().find(|path| path.extension().is_some_and(|end| end == "samples"));
        let samples = samples.expect("a file of samples");
        let mut content = fs::read(&samples).expect("samples");
        let middle = content.len() / 2;
        content[middle] ^= 0xff;
        content.extend_from_slice(b"FGH\x01 and then the power went");
        fs::write(&samples, content).expect("write");
        fs::write(state.path().join(engine).join("runs/1234.json.gz"), b"\x1f\x8b torn").expect("write");

        let server = start(engine, state.path());
        server.wait_for_log("ignored what is damaged in");
        wait_for_rows(&server, 2);
        assert_eq!(get(&server, "/runs")["runs"], json!([]));
        assert_eq!(server.log().lines().filter(|line| line.contains("damaged")).count(), 1);
        stop(server);
    });
}

#[test]
fn without_a_usable_directory_all_is_in_memory() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        server.wait_for_log("kept in memory only");
        wait_for_rows(&server, 1);
        let file = tempfile::NamedTempFile::new().expect("file");
        let blocked = start(engine, file.path());
        blocked.wait_for_log("keeping history in memory");
        wait_for_rows(&blocked, 1);
        stop(blocked);

        let state = tempfile::tempdir().expect("directory");
        let owner = start(engine, state.path());
        wait_for_rows(&owner, 1);
        let second = start(engine, state.path());
        second.wait_for_log("another process uses");
        stop(second);
        stop(owner);
    });
}

#[test]
fn a_load_is_a_run() {
    every_engine(|engine| {
        let state = tempfile::tempdir().expect("directory");
        let server = start(engine, state.path());
        // Right after a sample, so that the run begins with one of an idle server, not while a request is counted.
        wait_for_rows(&server, 1);
        load_until(&server, || get(&server, "/runs")["active"]["id"].is_string().then_some(()));
        let active = get(&server, "/runs")["active"].clone();
        assert_eq!((&active["state"], &active["started_by"]), (&json!("active"), &json!("load")));
        let id = active["id"].as_str().expect("an id");
        let run = finished(&server, id);
        let (summary, results) = (&run["run"], &run["run"]["results"]);
        assert_eq!((&summary["engine"], &summary["ended_by"]), (&json!(engine), &json!("load")));
        assert_eq!(summary["settings"]["work"], "none");
        assert!(summary["settings"]["limits"]["max_connections"].is_u64(), "{summary:#}");
        assert!(results["requests"].as_u64().expect("requests") > 15, "{results:#}");
        assert_eq!((&results["successful"], &results["errors"]["total"]), (&results["requests"], &json!(0)));
        assert!(results["latency_ms"]["p99"].as_f64() >= results["latency_ms"]["p50"].as_f64());
        assert!(results["cpu_us_per_request"].as_f64().expect("CPU") > 1.0, "{results:#}");
        let rows = rows(&run);
        assert!(rows.len() >= 3, "{run:#}");
        assert_eq!(rows[0].as_array().expect("a row").len(), run["fields"].as_array().expect("fields").len() + 1);
        let listed = get(&server, "/runs");
        assert_eq!((&listed["active"], &listed["runs"][0]), (&Value::Null, summary));

        let mut client = server.connect();
        client.send(format!("DELETE /runs/{id} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.response().expect(200);
        client.get(&format!("/runs/{id}"), "").expect_error(404);
        wait_for("the file to go", || files(&state.path().join(engine).join("runs")).is_empty().then_some(()));
    });
}

#[test]
fn only_this_servers_pages_start_runs() {
    every_engine(|engine| {
        let state = tempfile::tempdir().expect("directory");
        let directory = state.path().to_str().expect("UTF-8");
        let peers = "worker-pool=8080,may=8081,hyper=8082,other=8099";
        let server = Server::start(engine, &[("STATE_DIRECTORY", directory), ("FASTGO_PEERS", peers)]);
        let start = r#"{"action":"start","name":"k6 \"quick\" <b>"}"#;
        let own = server.address.port();
        for foreign in [
            "Origin: http://evil.example\r\n".to_owned(),
            "Origin: null\r\n".to_owned(),
            "Sec-Fetch-Site: cross-site\r\n".to_owned(),
            format!("Origin: http://evil.example:{own}\r\n"),
            "Origin: http://127.0.0.1:9\r\nSec-Fetch-Site: same-site\r\n".to_owned(),
        ] {
            post(&server, &foreign, start).expect_error(403);
        }
        assert_eq!(get(&server, "/runs")["active"], Value::Null);
        post(&server, "", r#"{"action":"stop"}"#).expect_error(409);
        for bad in ["", "{", "[]", r#"{"action":"pause"}"#, r#"{"name":"x"}"#, r#"{"action":"start","name":3}"#] {
            post(&server, "", bad).expect_error(400);
        }
        let long = format!(r#"{{"action":"start","name":"{}"}}"#, "x".repeat(5000));
        post(&server, "", &long).expect_error(413);
        // A page of its own, one of another engine beside it, and a program.
        for fields in [format!("Origin: http://127.0.0.1:{own}\r\n"), "Origin: http://127.0.0.1:8099\r\n".to_owned()] {
            let started = post(&server, &fields, start).expect(200).json();
            assert_eq!(started["state"], "starting");
            let active = get(&server, "/runs")["active"].clone();
            assert_eq!((&active["id"], &active["name"]), (&started["id"], &json!("k6 \"quick\" <b>")));
            assert_eq!(post(&server, &fields, r#"{"action":"stop"}"#).expect(200).json()["id"], started["id"]);
            let run = finished(&server, started["id"].as_str().expect("an id"));
            assert_eq!((&run["run"]["started_by"], &run["run"]["ended_by"]), (&json!("request"), &json!("request")));
        }
        // Deleting asks first, from a page.
        let mut client = server.connect();
        for (origin, status) in [("http://127.0.0.1:8099", 204), ("http://evil.example", 403)] {
            client.send(format!("OPTIONS /runs/1 HTTP/1.1\r\nHost: 127.0.0.1:{own}\r\nOrigin: {origin}\r\n\r\n"));
            assert_eq!(client.response().status, status, "{origin}");
            client.send(format!("DELETE /runs/1 HTTP/1.1\r\nHost: 127.0.0.1:{own}\r\nOrigin: {origin}\r\n\r\n"));
            client.response().expect_error(if status == 204 { 404 } else { 403 });
        }
    });
}
