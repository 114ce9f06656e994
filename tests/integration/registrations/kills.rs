//! Engines that are killed while students register: three processes on one file, over HTTP.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::checker::{Event, check, export};
use super::open_registration;
use super::roles::{COURSES, STUDENTS};
use super::school::{Line, is_full, registered, serve};
use crate::common::{ENGINES, Random, Server, wait_for};

const SEATS: usize = 25;
const CLIENTS: u64 = 24;

#[test]
fn engines_that_are_killed_lose_nothing_that_was_acknowledged() {
    let kills = if is_full() { 200 } else { 12 };
    let directory = TempDir::new().expect("directory");
    let database = directory.path().join("r.db");
    open_registration(&database, COURSES as u64, SEATS as u64);
    let mut servers: Vec<Server> = ENGINES.iter().map(|engine| serve(engine, &database)).collect();
    let addresses = Mutex::new(servers.iter().map(|server| server.address).collect::<Vec<_>>());
    let (stop, acknowledged, mut random) = (AtomicBool::new(false), AtomicUsize::new(0), Random::new(5));
    let events: Vec<Event> = std::thread::scope(|scope| {
        let (addresses, stop, acknowledged) = (&addresses, &stop, &acknowledged);
        let client = |seed| scope.spawn(move || student(Random::new(seed), addresses, stop, acknowledged));
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        for kill in 0..kills {
            let victim = kill % servers.len();
            let before = acknowledged.load(Relaxed);
            wait_for("answers", || (acknowledged.load(Relaxed) >= before + 40).then_some(()));
            std::thread::sleep(Duration::from_micros(random.below(30_000) as u64));
            servers[victim].signal(Signal::KILL);
            servers[victim] = serve(ENGINES[victim], &database);
            addresses.lock().expect("lock")[victim] = servers[victim].address;
        }
        stop.store(true, Relaxed);
        clients.into_iter().flat_map(|client| client.join().expect("client")).collect()
    });
    drop(servers);
    let registrations = check(&export(&database), &events, SEATS);
    let acknowledged = acknowledged.into_inner();
    println!("{kills} kills, {acknowledged} answers, {registrations} registrations");
    assert!(acknowledged >= kills * 40);
}

/// Registers, repeats and gives back, on whichever engine, until it has to stop.
fn student(
    mut random: Random,
    addresses: &Mutex<Vec<SocketAddr>>,
    stop: &AtomicBool,
    acknowledged: &AtomicUsize,
) -> Vec<Event> {
    let mut lines: Vec<Line> = addresses.lock().expect("lock").iter().map(|&address| Line::to(address)).collect();
    let mut events = Vec::new();
    while !stop.load(Relaxed) {
        let engine = random.below(lines.len());
        lines[engine].moved(addresses.lock().expect("lock")[engine]);
        let line = &mut lines[engine];
        let (student, course) = (format!("s{}", random.below(STUDENTS)), format!("c{}", random.below(COURSES)));
        let Some(asked) = line.ask(&student, &course) else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        events.push(asked);
        // Who goes away without waiting does not know what came of it.
        if random.below(16) == 0 {
            line.hang_up();
            continue;
        }
        let Some(answer) = line.answer() else { continue };
        match answer.status {
            200 | 201 => {}
            // It was given back.
            410 => continue,
            _ => panic!("{answer:?}"),
        }
        let answered = registered(&answer, &student, &course);
        acknowledged.fetch_add(1, Relaxed);
        let Event::Registered { id, .. } = &answered else { unreachable!("it is what a receipt says") };
        let id = id.clone();
        events.push(answered);
        if random.below(10) == 0 {
            events.push(Event::GivingBack { id: id.clone() });
            if let Some(answer) = line.give_back(&id) {
                assert_eq!(answer.status, 200, "{answer:?}");
                events.push(Event::GivenBack { id });
            }
        }
    }
    events
}
