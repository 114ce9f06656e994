//! The registration routes, the same on every engine, and all engines on one file.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::checker::export;
use super::open_registration;
use crate::common::{Client, Response, Server, every_engine};

fn serve(engine: &str, database: &Path) -> Server {
    let database = format!("sqlite:{}", database.display());
    Server::start(engine, &[("DATABASE_URL", &database), ("RATE_LIMIT_STUDENT", "off"), ("RATE_LIMIT_ADDRESS", "off")])
}

fn ask(client: &mut Client, method: &str, path: &str, headers: &str, body: &str) -> Response {
    let length = body.len();
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{headers}\r\n{body}"));
    client.response()
}

fn post(client: &mut Client, student: &str, course: &str, headers: &str) -> Response {
    let body = json!({ "student_id": student, "course_id": course }).to_string();
    ask(client, "POST", "/registrations", headers, &body)
}

#[test]
fn a_student_registers_is_remembered_and_gives_the_seat_back() {
    every_engine(|engine| {
        let directory = TempDir::new().expect("directory");
        let database = directory.path().join("r.db");
        open_registration(&database, 2, 1);
        let server = serve(engine, &database);
        let mut client = server.connect();
        let client = &mut client;
        let key = "Idempotency-Key: k1\r\n";
        let first = post(client, "ann", "c0", key);
        assert_eq!(first.status, 201, "{engine}: {first:?}");
        let receipt: Value = first.json();
        let id = receipt["registration_id"].as_str().expect("an id").to_owned();
        assert_eq!((&receipt["status"], &receipt["position"]), (&"enrolled".into(), &Value::Null));
        let path = format!("/registrations/{id}");
        assert_eq!(first.header("location"), Some(&*path));
        for repeated in [post(client, "ann", "c0", key), post(client, "ann", "c0", "")] {
            assert_eq!((repeated.status, repeated.json()), (200, receipt.clone()));
        }
        assert_eq!(post(client, "ann", "c1", key).status, 422);
        let second: Value = post(client, "ben", "c0", "").json();
        assert_eq!((&second["status"], &second["position"]), (&"waiting".into(), &1.into()));

        for (method, path, body, status) in [
            ("POST", "/registrations", "{}", 400),
            ("POST", "/registrations", &*" ".repeat(5000), 413),
            ("POST", "/registrations", "{\"student_id\":\"ann\",\"course_id\":\"no\"}", 404),
            ("GET", "/registrations", "", 405),
            ("PUT", "/registrations/1-0", "", 405),
            ("GET", "/registrations/1-00000000000000000000000000000000", "", 404),
            ("DELETE", "/registrations/nonsense", "", 404),
        ] {
            let response = ask(client, method, path, "", body);
            assert_eq!(response.status, status, "{engine}: {method} {path}: {response:?}");
            assert!(response.json()["error"].is_string());
        }
        assert_eq!(client.get(&path, "").expect(200).json(), receipt);
        let cancelled = ask(client, "DELETE", &path, "", "");
        assert_eq!((cancelled.status, &cancelled.json()["status"]), (200, &"cancelled".into()));
        assert_eq!(client.get(&path, "").status, 410);
        assert_eq!(post(client, "ann", "c0", key).status, 410, "a late repetition takes nothing");
        let path = format!("/registrations/{}", second["registration_id"].as_str().expect("an id"));
        assert_eq!(client.get(&path, "").expect(200).json()["status"], "enrolled", "promoted");

        let start = Instant::now();
        let courses = loop {
            let courses = client.get("/courses", "").expect(200).json();
            if courses["courses"][0]["waiting"] == 0 || start.elapsed() > crate::common::PATIENCE {
                break courses;
            }
        };
        assert_eq!(courses["registration"]["open"], true);
        let expected = json!({ "id": "c0", "title": "Course 0", "seats": 1, "taken": 1, "waiting": 0 });
        assert_eq!(courses["courses"][0], expected, "{courses}");
        let metrics = server.metrics();
        let store = &metrics["store"];
        assert_eq!((&store["backend"], &store["breaker"]), (&"sqlite".into(), &"closed".into()), "{store}");
        assert!(store["commits"].as_u64() > Some(2) && store["commit_ms"]["p99"].as_f64() > Some(0.0), "{store}");
        assert!(metrics["admission"]["admitted"].as_u64() > Some(2), "{metrics}");
    });
}

#[test]
fn before_the_opening_and_without_a_database() {
    every_engine(|engine| {
        let directory = TempDir::new().expect("directory");
        let database = directory.path().join("r.db");
        open_registration(&database, 1, 1);
        let location = format!("sqlite:{}", database.display());
        let status = Command::new(env!("CARGO_BIN_EXE_fastgo"))
            .args(["registrations", "open", "--at", "2999-01-01T08:00:00Z", "--database", &location])
            .status();
        assert!(status.expect("run").success());
        let closed = post(&mut serve(engine, &database).connect(), "ann", "c0", "");
        assert_eq!((closed.status, &closed.json()["opens_at"]), (403, &"2999-01-01T08:00:00.000Z".into()));

        let server = Server::start(engine, &[("DATABASE_URL", "none")]);
        for path in ["/courses", "/sse/courses", "/registrations/1-0"] {
            assert_eq!(server.connect().get(path, "").status, 404, "{engine}: {path}");
        }
        assert_eq!(post(&mut server.connect(), "ann", "c0", "").status, 404);
        assert_eq!(server.metrics()["store"]["commits"], Value::Null);
    });
}

#[test]
fn one_student_who_asks_too_often_is_told_to_wait() {
    every_engine(|engine| {
        let directory = TempDir::new().expect("directory");
        let database = directory.path().join("r.db");
        open_registration(&database, 1, 1);
        let database = format!("sqlite:{}", database.display());
        let server = Server::start(engine, &[("DATABASE_URL", &database), ("RATE_LIMIT_STUDENT", "1/m:3")]);
        let mut client = server.connect();
        let statuses: Vec<u16> = (0..4).map(|_| post(&mut client, "ann", "c0", "").status).collect();
        assert_eq!(statuses, [201, 200, 200, 429], "{engine}");
        let refused = post(&mut client, "ann", "c0", "");
        let wait: u64 = refused.header("retry-after").expect("a time").parse().expect("seconds");
        assert!((30..=60).contains(&wait), "{wait}");
        assert_eq!(post(&mut client, "ben", "c0", "").status, 201, "{engine}: others go on");
        assert_eq!(server.metrics()["rate_limited"], 2);
    });
}

/// 300 students at once, spread over all engines.
#[test]
fn all_engines_share_one_file() {
    let directory = TempDir::new().expect("directory");
    let database = directory.path().join("r.db");
    open_registration(&database, 3, 50);
    let servers: Vec<Server> = crate::common::engines().map(|engine| serve(engine, &database)).collect();
    std::thread::scope(|scope| {
        for student in 0..300 {
            let server = &servers[student % servers.len()];
            scope.spawn(move || {
                let response = post(&mut server.connect(), &format!("s{student}"), &format!("c{}", student % 3), "");
                assert_eq!(response.status, 201, "{response:?}");
            });
        }
    });
    let export = export(&database);
    assert_eq!(export.lines().filter(|line| line.contains(",enrolled,")).count(), 150);
    assert_eq!(super::checker::check(&export, &[], 50), 300);
}
