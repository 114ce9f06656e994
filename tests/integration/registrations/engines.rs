//! Whole engines on a slow medium: a rush, more than can be carried, and many who only look.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use fastgo::store::admission::MAX_BATCH;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::checker::{check, export};
use super::open_registration;
use super::school::{Line, is_full, quantile, registered, serve_slowly};
use crate::common::{Client, Server, engines, every_engine};

/// The machine may be busy with other tests; one undisturbed run of a few is enough.
fn within(what: &str, tries: usize, measure: impl Fn() -> Result<String, String>) {
    let mut problems = Vec::new();
    for _ in 0..tries {
        match measure() {
            Ok(said) => return println!("{what}: {said}"),
            Err(problem) => problems.push(problem),
        }
    }
    panic!("{what}: {}", problems.join("; "));
}

#[test]
#[ignore = "needs a machine of its own: tests/registration-proofs"]
fn two_thousand_students_of_one_second_are_answered_within_two() {
    for engine in engines() {
        within(engine, 4, || {
            let directory = TempDir::new().expect("directory");
            let database = directory.path().join("r.db");
            open_registration(&database, 20, 25);
            let server = serve_slowly(engine, &database, Duration::from_millis(20), &[]);
            let took = rush(&server, |export, events| assert_eq!(check(export, events, 25), 2000), &database);
            let said = format!("2,000 students within 1 s, all answered after {took:?}");
            if took <= Duration::from_secs(2) { Ok(said) } else { Err(said) }
        });
    }
}

/// 2,000 students, spread over one second; the time from the first request to the last answer.
fn rush(server: &Server, check: impl Fn(&str, &[super::checker::Event]), database: &std::path::Path) -> Duration {
    const THREADS: usize = 20;
    const EACH: usize = 100;
    let (events, barrier) = (Mutex::new(Vec::new()), std::sync::Barrier::new(THREADS));
    let took = Mutex::new(Duration::ZERO);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (events, barrier, took) = (&events, &barrier, &took);
            scope.spawn(move || {
                let mut lines: Vec<_> = (0..EACH).map(|_| Line::to(server.address)).collect();
                let number = |turn: usize| turn * THREADS + thread;
                let wish = |turn| (format!("s{}", number(turn)), format!("c{}", number(turn) % 20));
                barrier.wait();
                let (started, mut own) = (Instant::now(), Vec::new());
                for (turn, line) in lines.iter_mut().enumerate() {
                    let due = Duration::from_micros(500) * number(turn) as u32;
                    std::thread::sleep(due.saturating_sub(started.elapsed()));
                    let (student, course) = wish(turn);
                    own.push(line.ask(&student, &course).expect("sent"));
                }
                for (turn, line) in lines.iter_mut().enumerate() {
                    let (student, course) = wish(turn);
                    let answer = line.answer().expect("an answer").expect(201);
                    own.push(registered(&answer, &student, &course));
                }
                let mut took = took.lock().expect("lock");
                *took = started.elapsed().max(*took);
                events.lock().expect("lock").extend(own);
            });
        }
    });
    let export = export(database);
    let enrolled = export.lines().filter(|line| line.contains(",enrolled,")).count();
    assert_eq!((enrolled, export.lines().count()), (500, 2001));
    check(&export, &events.lock().expect("lock"));
    took.into_inner().expect("lock")
}

#[test]
#[ignore = "needs a machine of its own: tests/registration-proofs"]
fn engines_carry_a_thousand_a_second_on_an_sd_card() {
    // At full length with a release build: HTTP and 200 clients take more than a busy debug build has.
    let bars = if is_full() { [(20, 1000.0), (2, 3000.0)] } else { [(20, 500.0), (2, 500.0)] };
    for engine in engines() {
        for (sync, least) in bars {
            within(engine, 4, || {
                let directory = TempDir::new().expect("directory");
                let database = directory.path().join("r.db");
                open_registration(&database, 20, 25);
                let server = serve_slowly(engine, &database, Duration::from_millis(sync), &[]);
                let alone = rate(&server, 1, "alone");
                let many = rate(&server, 200, "many");
                let said = format!("sync {sync} ms: {alone:.0}/s one at a time, {many:.0}/s from 200 clients");
                if many >= least && alone <= 1000.0 / sync as f64 { Ok(said) } else { Err(said) }
            });
        }
    }
}

/// Registrations a second from `clients` who each wait for the answer.
fn rate(server: &Server, clients: usize, name: &str) -> f64 {
    let (started, done) = (Instant::now(), AtomicUsize::new(0));
    let time = Duration::from_secs(2);
    std::thread::scope(|scope| {
        for client in 0..clients {
            let done = &done;
            scope.spawn(move || {
                let (mut line, mut turn) = (Line::to(server.address), 0);
                while started.elapsed() < time {
                    line.ask(&format!("{name}{client}-{turn}"), &format!("c{}", client % 20)).expect("sent");
                    line.answer().expect("an answer").expect(201);
                    done.fetch_add(1, Relaxed);
                    turn += 1;
                }
            });
        }
    });
    done.into_inner() as f64 / started.elapsed().as_secs_f64()
}

/// Ten times what the medium can carry: as much is carried as without, who was admitted is answered, the others know at once.
#[test]
#[ignore = "needs a machine of its own: tests/registration-proofs"]
fn ten_times_too_many_cost_no_throughput() {
    let time = Duration::from_secs(if is_full() { 60 } else { 8 });
    for engine in engines() {
        within(engine, if is_full() { 2 } else { 3 }, || overload(engine, time));
    }
}

fn overload(engine: &str, time: Duration) -> Result<String, String> {
    const SYNC: Duration = Duration::from_secs(1);
    // MAX_WAIT, the batch that has just begun, and copying from the log into the file, which takes two syncs more.
    const LONGEST: Duration = Duration::from_secs(7);
    const CLIENTS: usize = 1400;
    let directory = TempDir::new().expect("directory");
    let database = directory.path().join("r.db");
    open_registration(&database, 20, 25);
    let server = serve_slowly(engine, &database, SYNC, &[("MAX_WAIT", "3s")]);
    // From then on the server knows its medium.
    let mut first = Line::to(server.address);
    first.ask("first", "c0").expect("sent");
    first.answer().expect("an answer").expect(201);
    let (started, stop) = (Instant::now(), AtomicBool::new(false));
    let (admitted, refused) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let commits = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (stop, admitted, refused) = (&stop, &admitted, &refused);
            let student = move || {
                let mut line = Line::to(server.address);
                for turn in 0.. {
                    if stop.load(Relaxed) {
                        return;
                    }
                    let asked = Instant::now();
                    line.ask(&format!("s{client}-{turn}"), &format!("c{}", client % 20)).expect("sent");
                    let answer = line.answer().expect("an answer");
                    let times = if answer.status == 201 { admitted } else { refused };
                    assert!(answer.status == 201 || answer.text().contains("waiting"), "{answer:?}");
                    times.lock().expect("lock").push(asked.elapsed());
                    if answer.status == 503 {
                        assert!(answer.header("retry-after").is_some(), "{answer:?}");
                        // Sooner than it was asked to.
                        std::thread::sleep(Duration::from_millis(250));
                    }
                }
            };
            std::thread::Builder::new().stack_size(128 * 1024).spawn_scoped(scope, student).expect("thread");
        }
        std::thread::sleep(time);
        let commits = server.metrics()["store"]["commits"].as_f64().expect("commits");
        stop.store(true, Relaxed);
        commits
    });
    let elapsed = started.elapsed();
    let (mut admitted, mut refused) = (admitted.into_inner().expect("lock"), refused.into_inner().expect("lock"));
    let asked = (admitted.len() + refused.len()) as f64 / elapsed.as_secs_f64();
    let capacity = MAX_BATCH as f64 / SYNC.as_secs_f64();
    // Until the last commit that was counted; the batches after it were answered, too.
    let carried = admitted.len().min(commits as usize * MAX_BATCH) as f64;
    let full = carried / (commits * MAX_BATCH as f64);
    let longest = *admitted.iter().max().expect("some were admitted");
    let (longest, p99) = (longest.max(quantile(&mut admitted, 1.0)), quantile(&mut refused, 0.99));
    let said = format!(
        "{asked:.0}/s asked of {capacity:.0}/s for {time:?}: batches {:.0} % full, longest wait of an admitted {longest:?}, \
         refusals p99 {p99:?}",
        full * 100.0
    );
    let busy = commits * SYNC.as_secs_f64() / time.as_secs_f64();
    let fair = full >= 0.95 && busy >= 0.85 && longest <= LONGEST && p99 <= Duration::from_millis(50);
    let times = if is_full() { 10.0 } else { 5.0 };
    if fair && asked >= times * capacity { Ok(said) } else { Err(said) }
}

/// Looking is twelve times as frequent as registering, and does not delay it.
#[test]
#[ignore = "needs a machine of its own: tests/registration-proofs"]
fn a_flood_of_lookers_delays_no_registration() {
    for engine in engines() {
        within(engine, 4, || {
            let directory = TempDir::new().expect("directory");
            let database = directory.path().join("r.db");
            open_registration(&database, 20, 25);
            let server = serve_slowly(engine, &database, Duration::from_millis(20), &[]);
            let time = Duration::from_secs(if is_full() { 30 } else { 3 });
            let alone = steady(&server, time, "a", 0);
            let flooded = steady(&server, time, "b", 12);
            let said = format!(
                "100/s p99 {:?} alone, {:?} with {}/s who look; {} of {} registered",
                alone.p99, flooded.p99, flooded.looks, flooded.registered, flooded.asked
            );
            let all = flooded.registered as f64 >= 0.999 * flooded.asked as f64;
            if all && flooded.p99 <= alone.p99 * 2 && flooded.looks >= 1000 { Ok(said) } else { Err(said) }
        });
    }
}

struct Steady {
    asked: usize,
    registered: usize,
    p99: Duration,
    looks: usize,
}

/// 100 registrations a second, and `times` as many looks at courses and receipts.
fn steady(server: &Server, time: Duration, name: &str, times: u32) -> Steady {
    let (latencies, looks, stop) = (Mutex::new(Vec::new()), AtomicUsize::new(0), AtomicBool::new(false));
    let asked = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for looker in 0..times {
            let (looks, stop) = (&looks, &stop);
            scope.spawn(move || {
                let (mut client, started) = (server.connect(), Instant::now());
                let mut paths = ["/courses", "/registrations/1-00000000000000000000000000000000"].iter().cycle();
                for turn in 0_u32.. {
                    if stop.load(Relaxed) {
                        return;
                    }
                    std::thread::sleep((Duration::from_millis(10) * turn).saturating_sub(started.elapsed()));
                    let status = look(&mut client, paths.next().expect("a cycle"));
                    assert!([200, 404].contains(&status), "looker {looker}: {status}");
                    looks.fetch_add(1, Relaxed);
                }
            });
        }
        let students: Vec<_> = (0..20)
            .map(|student| {
                let (latencies, asked) = (&latencies, &asked);
                scope.spawn(move || {
                    let (mut line, started) = (Line::to(server.address), Instant::now());
                    for turn in 0_u32.. {
                        let due = Duration::from_millis(200) * turn + Duration::from_millis(10) * student;
                        if due >= time {
                            return;
                        }
                        std::thread::sleep(due.saturating_sub(started.elapsed()));
                        let sent = Instant::now();
                        line.ask(&format!("{name}{student}-{turn}"), &format!("c{}", turn % 20)).expect("sent");
                        asked.fetch_add(1, Relaxed);
                        if line.answer().expect("an answer").status == 201 {
                            latencies.lock().expect("lock").push(sent.elapsed());
                        }
                    }
                })
            })
            .collect();
        for student in students {
            student.join().expect("student");
        }
        stop.store(true, Relaxed);
    });
    let mut latencies = latencies.into_inner().expect("lock");
    Steady {
        asked: asked.into_inner(),
        registered: latencies.len(),
        p99: quantile(&mut latencies, 0.99),
        looks: (looks.into_inner() as f64 / time.as_secs_f64()) as usize,
    }
}

fn look(client: &mut Client, path: &str) -> u16 {
    client.get(path, "").status
}

/// The limits as they are out of the box: a school is one address.
#[test]
fn three_hundred_students_behind_one_address_all_register() {
    every_engine(|engine| {
        let directory = TempDir::new().expect("directory");
        let database = directory.path().join("r.db");
        open_registration(&database, 3, 50);
        let server = Server::start(engine, &[("DATABASE_URL", &super::sqlite(&database))]);
        std::thread::scope(|scope| {
            for student in 0..300 {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect();
                    let wish = json!({ "student_id": format!("s{student}"), "course_id": format!("c{}", student % 3) });
                    let first = client.post("/registrations", wish.to_string()).expect(201);
                    // A double tap, and a look at the receipt.
                    client.post("/registrations", wish.to_string()).expect(200);
                    let receipt: Value = first.json();
                    let path = format!("/registrations/{}", receipt["registration_id"].as_str().expect("an id"));
                    client.get(&path, "").expect(200);
                });
            }
        });
        assert_eq!(check(&export(&database), &[], 50), 300, "{engine}");
        assert_eq!(server.metrics()["rate_limited"], 0, "{engine}");
    });
}

/// Connections of one address are limited where that is asked for, and a proxy's clients are distinguished.
#[test]
fn addresses_and_proxies() {
    every_engine(|engine| {
        let limited = Server::start(engine, &[("MAX_CONNECTIONS_PER_ADDRESS", "2"), ("DATABASE_URL", "none")]);
        let mut first = limited.connect();
        first.get("/health", "").expect(200);
        let mut second = limited.connect();
        second.get("/health", "").expect(200);
        let mut third = limited.connect();
        assert_eq!(third.response().status, 503, "{engine}");
        drop(first);
        crate::common::wait_for("room for another", || {
            let mut another = limited.connect();
            another.send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
            another.read_response(false).is_ok_and(|answer| answer.status == 200).then_some(())
        });

        let directory = TempDir::new().expect("directory");
        let database = directory.path().join("r.db");
        open_registration(&database, 1, 50);
        let database = super::sqlite(&database);
        let rate = ("RATE_LIMIT_ADDRESS", "1/m:1");
        let proxied = Server::start(engine, &[("DATABASE_URL", &database), rate, ("TRUSTED_PROXY", "127.0.0.0/8")]);
        let post = |server: &Server, student: &str, forwarded: &str| {
            let body = json!({ "student_id": student, "course_id": "c0" }).to_string();
            let mut client = server.connect();
            client.send(format!(
                "POST /registrations HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {forwarded}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            client.response().status
        };
        assert_eq!(post(&proxied, "ann", "203.0.113.1"), 201, "{engine}");
        assert_eq!(post(&proxied, "ben", "203.0.113.2"), 201, "{engine}: another client of the proxy");
        assert_eq!(
            post(&proxied, "cleo", "203.0.113.9, 203.0.113.1"),
            429,
            "{engine}: what it wrote itself is ignored"
        );
        let direct = Server::start(engine, &[("DATABASE_URL", &database), rate]);
        assert_eq!(post(&direct, "dan", "203.0.113.3"), 201, "{engine}");
        assert_eq!(post(&direct, "eve", "203.0.113.4"), 429, "{engine}: nobody is trusted");
    });
}
