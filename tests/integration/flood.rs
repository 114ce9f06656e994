//! `fastgo flood` against small servers that behave well, ones that do not, and the engines.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Server, every_engine, wait_for};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Listens on a port of its own and gives every connection of the flood, with its number, a thread. Requests for
/// `/metrics` are answered 404, as by a server that is not fastgo.
fn serve(behave: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let behave = Arc::new(behave);
    thread::spawn(move || {
        // The first connection asks for /metrics; without figures no other one does.
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            let behave = Arc::clone(&behave);
            thread::spawn(move || {
                if number > 0 {
                    behave(number - 1, stream);
                } else if request(&mut stream) {
                    stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n").unwrap();
                }
            });
        }
    });
    address
}

/// Reads one request head; false at the end of the stream.
fn request(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    assert!(head.starts_with(b"GET "), "{}", String::from_utf8_lossy(&head));
    true
}

fn answer_forever(stream: &mut TcpStream, answer: &str) {
    while request(stream) && stream.write_all(answer.as_bytes()).is_ok() {}
}

fn fastgo() -> Command {
    Command::new(env!("CARGO_BIN_EXE_fastgo"))
}

fn flood(address: SocketAddr, arguments: &str) -> (Option<i32>, Value) {
    let output = fastgo()
        .args(["flood", &format!("http://{address}/"), "--json"])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    (output.status.code(), parsed(&output))
}

fn parsed(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn every_connection_is_answered_and_held_together() {
    let open = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));
    let peak_seen = Arc::clone(&peak);
    let address = serve(move |_, mut stream| {
        peak.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        answer_forever(&mut stream, OK);
        open.fetch_sub(1, Ordering::SeqCst);
    });
    let (code, report) = flood(address, "-c 60 --ramp 100ms --hold 100ms");
    assert_eq!(code, Some(0), "{report}");
    for name in ["connected", "answered", "peak_open"] {
        assert_eq!(report[name], 60, "{name} in {report}");
    }
    assert_eq!(peak_seen.load(Ordering::SeqCst), 60);
    assert_eq!(report["failures"], json!({}));
    let verdict = report["verdict"].as_str().unwrap();
    assert!(verdict.starts_with("Held 60 connections for 1") && verdict.ends_with(" ms. No failures."), "{verdict}");
    assert_eq!(report["server"], Value::Null, "only fastgo has figures of its own");
    assert_eq!(report["latency_ms"]["first"]["count"], 60);
    assert!(report["ramp_seconds"].as_f64().unwrap() >= 0.09, "{report}");
    assert!(report["hold_seconds"].as_f64().unwrap() >= 0.1, "{report}");
}

#[test]
fn a_low_descriptor_limit_is_met_with_more_processes() {
    let address = serve(|_, mut stream| answer_forever(&mut stream, OK));
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_fastgo"), "flood"])
        .args([&format!("http://{address}/"), "--json", "-c", "150", "--ramp", "100ms", "--hold", "0s"])
        .output()
        .unwrap();
    let report = parsed(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["processes"], 4);
    assert_eq!(report["answered"], 150);
    assert_eq!(report["peak_open"], 150);
    assert_eq!(report["latency_ms"]["first"]["count"], 150);
}

#[test]
fn a_hopeless_descriptor_limit_is_named() {
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 64 && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_fastgo"), "flood"])
        .args(["http://127.0.0.1:9/", "-c", "60000"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("64 open files") && said.contains("ulimit -Hn"), "{said}");
}

#[test]
fn failures_are_told_apart() {
    let closed_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reset = serve(|_, stream| {
        let socket = socket2::Socket::from(stream);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    });
    let silent = serve(|_, mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let busy = serve(|_, mut stream| {
        answer_forever(&mut stream, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n");
    });
    let busy_and_closing = serve(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    // Says that the connection stays, and closes it.
    let busy_and_gone = serve(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    });
    let half = serve(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    });
    let ssh = serve(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for (name, address) in [
        ("refused", closed_port),
        ("reset", reset),
        ("timeout", silent),
        ("status_503", busy),
        ("status_503", busy_and_closing),
        ("status_503", busy_and_gone),
        ("closed_early", half),
        ("bad_response", ssh),
    ] {
        let (code, report) = flood(address, "-c 3 --ramp 0s --hold 0s --timeout 500ms");
        assert_eq!(code, Some(1), "{name}: {report}");
        assert_eq!(report["failures"], json!({ name: 3 }), "one failure for each connection: {report}");
        assert_eq!(report["answered"], 0, "{name}: {report}");
        assert!(report["verdict"].as_str().unwrap().contains("3 failures: "), "{report}");
    }
}

#[test]
fn a_connection_that_does_not_hold_is_a_failure() {
    let address = serve(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(OK.as_bytes());
    });
    // With nothing left to hold, the hour is not waited for.
    let (code, report) = flood(address, "-c 3 --ramp 0s --hold 1h");
    assert_eq!(code, Some(1), "{report}");
    assert_eq!(report["failures"], json!({ "closed_early": 3 }), "{report}");
    assert_eq!(report["answered"], 3);
}

#[test]
fn a_full_accept_queue_shows_as_connect_timeouts() {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(1).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let (code, report) = flood(address, "-c 8 --ramp 0s --hold 0s --timeout 500ms");
    assert_eq!(code, Some(1));
    assert_eq!(report["failed"], 8, "{report}");
    assert!(report["failures"]["connect_timeout"].as_u64().unwrap() >= 1, "{report}");
}

#[test]
fn paced_latency_counts_from_the_due_instant() {
    // One connection, and a server that stalls once: half the requests fall due during the stall.
    let address = serve(|_, mut stream| {
        let mut served = 0;
        while request(&mut stream) {
            served += 1;
            if served == 10 {
                thread::sleep(Duration::from_millis(500));
            }
            if stream.write_all(OK.as_bytes()).is_err() {
                break;
            }
        }
    });
    let (code, report) = flood(address, "-c 1 --ramp 0s --hold 1s --rate 100");
    assert_eq!(code, Some(0), "{report}");
    let paced = &report["latency_ms"]["paced"];
    assert_eq!(paced["count"], 100, "{report}");
    assert!(paced["max"].as_f64().unwrap() >= 490.0, "{report}");
    assert!(paced["p90"].as_f64().unwrap() >= 200.0, "the stall was hidden: {report}");
}

#[test]
fn paced_requests_open_new_connections_when_the_server_closes() {
    let address = serve(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end");
    });
    let (code, report) = flood(address, "-c 4 --ramp 0s --hold 500ms --rate 100");
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["replaced_connections"], 50, "{report}");
    assert_eq!(report["answered"], 54, "{report}");
}

#[test]
fn a_paced_request_that_never_gets_a_connection_times_out() {
    let address = serve(|number, mut stream| {
        if number == 0 {
            request(&mut stream);
            let _ = stream.write_all(OK.as_bytes());
        }
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let (code, report) = flood(address, "-c 1 --ramp 0s --hold 300ms --rate 20 --timeout 400ms");
    assert_eq!(code, Some(1), "{report}");
    assert_eq!(report["answered"], 1);
    assert_eq!(report["unfinished"], 0);
    assert!(report["failures"]["timeout"].as_u64().unwrap() >= 1, "{report}");
    assert_eq!(report["failed"], 6, "{report}");
}

#[test]
fn chunked_answers_in_pieces_are_answers() {
    let address = serve(|_, mut stream| {
        stream.set_nodelay(true).unwrap();
        while request(&mut stream) {
            for piece in [
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Enc",
                "oding: chunked\r\n\r\n3",
                "\r\nabc\r\n0\r\n",
                "\r\n",
            ] {
                if stream.write_all(piece.as_bytes()).is_err() {
                    return;
                }
                thread::yield_now();
            }
        }
    });
    let (code, report) = flood(address, "-c 5 --ramp 0s --hold 200ms --rate 100");
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(report["replaced_connections"], 0);
}

#[test]
fn source_addresses_are_used_in_turn() {
    let peers = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&peers);
    let address = serve(move |_, mut stream| {
        seen.lock().unwrap().insert(stream.peer_addr().unwrap().ip().to_string());
        answer_forever(&mut stream, OK);
    });
    let (code, _) = flood(address, "-c 4 --ramp 0s --hold 0s --source 127.0.0.9,127.0.0.10");
    assert_eq!(code, Some(0));
    let peers = peers.lock().unwrap();
    assert_eq!(peers.iter().map(String::as_str).collect::<Vec<_>>(), ["127.0.0.10", "127.0.0.9"]);
}

#[test]
fn interrupting_prints_what_there_is() {
    let address = serve(|_, mut stream| answer_forever(&mut stream, OK));
    let mut child = fastgo()
        .args(["flood", &format!("http://{address}/"), "-c", "20", "--ramp", "0s", "--hold", "1h"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let progress = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find(|line| line.starts_with("hold"))
        .expect("it never came to the hold");
    assert!(progress.ends_with("/3600 s  open 20  answered 20  failed 0"), "{progress}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), None);
    assert_eq!(output.status.code(), Some(0));
    let summary = String::from_utf8(output.stdout).unwrap();
    assert!(summary.starts_with("Interrupted after ") && summary.contains("Held 20 connections for "), "{summary}");
    assert!(summary.contains("20 connection attempts, 20 connected, peak 20 open"), "{summary}");
    assert!(!summary.contains('\x1b'), "colour without a terminal: {summary:?}");
}

#[test]
fn bad_usage_exits_with_2() {
    for arguments in [
        "https://127.0.0.1/",
        "http://127.0.0.1:9/ --rate 0",
        "http://127.0.0.1:9/ --rate NaN",
        "http://127.0.0.1:9/ -c 0",
        "http://127.0.0.1:9/ --timeout 0s",
        "http://127.0.0.1:9/ --ramp soon",
        "http://127.0.0.1:9/ --ramp 1",
        "http://127.0.0.1:9/ --ramp 1000000years",
        "http://127.0.0.1:9/ --hold 31days",
        "http://127.0.0.1:9/ --timeout 18446744073709551615s",
        "http://127.0.0.1:9/ -c 10000001",
        "http://127.0.0.1:9/ --source ::1",
    ] {
        let output = fastgo().arg("flood").args(arguments.split_whitespace()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{arguments}");
    }
}

#[test]
fn the_longest_durations_are_accepted() {
    let closed_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, report) = flood(closed_port, "-c 1 --ramp 30days --hold 30days --timeout 30days");
    assert_eq!(code, Some(1));
    assert_eq!(report["failures"], json!({ "refused": 1 }), "{report}");
}

#[test]
fn the_memory_of_an_engine_is_reported_for_each_connection() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        // The engine measures itself once a second, and is asked once a second.
        let (code, report) = flood(server.address, "-c 500 --ramp 200ms --hold 4s");
        assert_eq!(code, Some(0), "{report}");
        let resident = report["server"]["resident_bytes"].as_f64().unwrap();
        let own = server.resident() as f64;
        assert!((own / 3.0..own * 3.0).contains(&resident), "{resident} of {own}");
        let each = report["server"]["bytes_per_connection"].as_f64().unwrap();
        assert!((0.0..100_000.0).contains(&each), "{report}");
        let verdict = report["verdict"].as_str().unwrap();
        assert!(verdict.contains("Held 500 connections for 4") && verdict.contains(" MiB, +"), "{verdict}");
    });
}

#[test]
fn a_named_load_is_a_run_of_the_engine() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let url = format!("http://{}/", server.address);
        let mut command = fastgo();
        command.args(["flood", &url, "-c", "30", "--ramp", "100ms", "--hold", "2s", "--run", "30 \"phones\""]);
        assert!(command.output().unwrap().status.success());
        let run = wait_for("the run's end", || {
            let runs = server.connect().get("/runs", "").expect(200).json();
            runs["runs"].get(0).cloned()
        });
        assert_eq!((&run["name"], &run["started_by"]), (&json!("30 \"phones\""), &json!("request")));
        assert_eq!(run["ended_by"], "request");
        assert_eq!(run["results"]["successful"], 30, "{run:#}");
    });
    let closed_port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = fastgo().args(["flood", &format!("http://{closed_port}/"), "-c", "1", "--run", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the server records no run"), "{said}");
}
