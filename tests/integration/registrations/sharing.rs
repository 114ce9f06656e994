//! Several processes on one file.

use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::checker::{check, export};
use super::roles::{COURSES, Crowd, CrowdProcess};
use super::{open_registration, sqlite};

/// Each gets its turns, and all together keep the rules.
#[test]
fn processes_share_one_file_fairly() {
    let directory = TempDir::new().expect("directory");
    let database = directory.path().join("r.db");
    open_registration(&database, COURSES as u64, 50);
    let spawn = |seed| {
        let (database, sync) = (sqlite(&database), Duration::from_millis(5));
        CrowdProcess::spawn(&Crowd { database, seed, sync, survivors: None })
    };
    let processes: Vec<_> = (1..=3).map(spawn).collect();
    let answers = || processes.iter().map(CrowdProcess::acknowledged).collect::<Vec<_>>();
    crate::common::wait_for("all to work", || answers().iter().all(|&count| count > 100).then_some(()));
    let (before, started) = (answers(), Instant::now());
    std::thread::sleep(Duration::from_secs(3));
    let after = answers();
    let counts: Vec<usize> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    let elapsed = started.elapsed();
    let events: Vec<_> = processes.into_iter().flat_map(CrowdProcess::kill).collect();
    check(&export(&database), &events, 50);
    let all: usize = counts.iter().sum();
    println!("{counts:?} answers in {elapsed:?}");
    assert!(
        counts.iter().all(|count| count * 5 >= all),
        "of {all} answers one process got less than a fifth: {counts:?}"
    );
}
