//! Processes that are killed and power that is cut, in the middle of whatever they do.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use super::checker::{check, export, export_from};
use super::roles::{COURSES, Crowd, CrowdProcess};
use super::{open_registration, sqlite};
use crate::common::{Random, wait_for};

const SEATS: usize = 25;

/// Three processes on one file, 201 kills.
#[test]
fn killed_processes_lose_nothing_that_was_acknowledged() {
    let directory = TempDir::new().expect("directory");
    let database = directory.path().join("r.db");
    open_registration(&database, COURSES as u64, SEATS as u64);
    let mut random = Random::new(1);
    let (mut events, mut acknowledged, mut seed) = (Vec::new(), 0, 0);
    for round in 0..67 {
        let mut processes = Vec::new();
        for _ in 0..3 {
            seed += 1;
            let (database, sync) = (sqlite(&database), Duration::from_millis(1));
            processes.push(CrowdProcess::spawn(&Crowd { database, seed, sync, survivors: None }));
        }
        // The first must do something, so that every round kills a process at work.
        wait_for("an answer", || (processes[0].acknowledged() > 0).then_some(()));
        for process in processes {
            sleep(Duration::from_micros(random.below(30_000) as u64));
            acknowledged += process.acknowledged();
            events.extend(process.kill());
        }
        if round % 11 == 0 {
            check(&export(&database), &events, SEATS);
        }
    }
    let registrations = check(&export(&database), &events, SEATS);
    assert!(acknowledged > 5000 && registrations > 2000, "{acknowledged} answers, {registrations} registrations");
}

/// After each cut there is only what had been synced.
#[test]
fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let directory = TempDir::new().expect("directory");
    let (running, survivors) = (directory.path().join("running"), directory.path().join("survivors"));
    for directory in [&running, &survivors] {
        fs::create_dir(directory).expect("directory");
    }
    let database = running.join("r.db");
    open_registration(&database, COURSES as u64, SEATS as u64);
    let mut random = Random::new(2);
    let (mut events, mut acknowledged) = (Vec::new(), 0);
    for seed in 1..=30 {
        for file in fs::read_dir(&running).expect("list") {
            let file = file.expect("entry");
            fs::copy(file.path(), survivors.join(file.file_name())).expect("copy");
        }
        // Shared memory between processes is never on the medium.
        let _ = fs::remove_file(survivors.join("r.db-shm"));
        let (database, sync) = (sqlite(&database), Duration::from_millis(2));
        let crowd = Crowd { database, seed, sync, survivors: Some(survivors.clone()) };
        let process = CrowdProcess::spawn(&crowd);
        wait_for("an answer", || (process.acknowledged() > 0).then_some(()));
        sleep(Duration::from_micros(random.below(100_000) as u64));
        acknowledged += process.acknowledged();
        events.extend(process.kill());
        fs::remove_dir_all(&running).expect("remove");
        fs::rename(&survivors, &running).expect("rename");
        fs::create_dir(&survivors).expect("directory");
        let _ = fs::remove_file(running.join("unfinished"));
        check(&export_from(&crowd.database), &events, SEATS);
    }
    assert!(acknowledged > 1000, "{acknowledged} answers");
}
