//! Media that fail: refused clearly, nothing lost, and working again as soon as the medium does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use fastgo::store::Store;
use fastgo::store::breaker::State;
use fastgo::store::model::{Answer, Reason, Unavailable};
use tempfile::TempDir;

use super::checker::export;
use super::{carry_out, medium, open_registration, register, start, wish};
use crate::common::in_process_of_its_own;

/// Tries until a registration succeeds, and gives the time that took.
fn until_it_works(store: &Store, student: &str) -> Duration {
    let started = Instant::now();
    loop {
        match carry_out(store, wish(student, "c0")) {
            Ok(Answer::Registered(_) | Answer::Known(_)) => return started.elapsed(),
            Ok(other) => panic!("{other:?}"),
            Err(Unavailable { retry_after, .. }) => {
                assert!(retry_after <= Duration::from_secs(3), "{retry_after:?}");
                assert!(started.elapsed() < Duration::from_secs(20), "still refused");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn students(database: &Path) -> Vec<String> {
    export(database).lines().skip(1).map(|line| line.split(',').nth(2).expect("student").to_owned()).collect()
}

#[test]
fn a_failed_sync_is_never_retried_on_the_same_handle() {
    if !in_process_of_its_own("registrations::damage::a_failed_sync_is_never_retried_on_the_same_handle") {
        return;
    }
    let directory = TempDir::new().expect("directory");
    let database = directory.path().join("r.db");
    open_registration(&database, 1, 5);
    let store = start(&database);
    // The reader has the file open as well. A file that nobody has open is recovered by who opens it next, and a registration
    // whose sync failed could then be found in the log and count, although it was refused.
    crate::common::wait_for("the list", || (store.courses().courses.len() == 1).then_some(()));
    register(&store, "before", "c0");
    medium::fail_next_sync();
    let failed = carry_out(&store, wish("during", "c0")).unwrap_err();
    assert!(matches!(failed.reason, Reason::Failed(_)), "{failed:?}");
    assert_eq!(store.figures().breaker, State::Open);
    let refused = carry_out(&store, wish("after", "c0")).unwrap_err();
    assert_eq!(refused.reason, failed.reason, "refused at once while the breaker is open");
    let took = until_it_works(&store, "after");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(store.figures().breaker, State::Closed);
    assert!(!medium::synced_after_failure(), "a second sync may report success for what was dropped");
    register(&store, "during", "c0");
    drop(store);
    assert!(!medium::synced_after_failure());
    assert_eq!(students(&database), ["before", "after", "during"]);
}

#[test]
fn a_full_disk_is_reported_and_works_again_when_there_is_space() {
    let Some(disk) = Disk::mount("4m") else { return };
    let database = disk.path.join("r.db");
    open_registration(&database, 1, 10_000);
    let store = start(&database);
    let mut acknowledged = vec!["first".to_owned()];
    register(&store, "first", "c0");
    let ballast = disk.path.join("ballast");
    let mut size = 1 << 19;
    // Takes what is left, down to the last page.
    fs::write(&ballast, []).expect("ballast");
    while size >= 4096 {
        let mut content = fs::read(&ballast).expect("ballast");
        content.resize(content.len() + size, 0);
        if fs::write(&ballast, &content).is_err() {
            content.truncate(content.len() - size);
            fs::write(&ballast, &content).expect("what fitted before");
            size /= 2;
        }
    }
    let refused = (0..2000).find_map(|number| {
        let student = format!("s{number}");
        match carry_out(&store, wish(&student, "c0")) {
            Ok(_) => {
                acknowledged.push(student);
                None
            }
            Err(refused) => Some(refused),
        }
    });
    let refused = refused.expect("a full disk");
    assert_eq!(refused.reason, Reason::DiskFull);
    assert!(refused.reason.to_string().contains("full"));
    assert_eq!(store.courses().courses.len(), 1, "what is known is still shown");

    fs::remove_file(&ballast).expect("remove");
    let took = until_it_works(&store, "last");
    assert!(took < Duration::from_secs(2), "{took:?}");
    acknowledged.push("last".into());
    for number in 0..300 {
        acknowledged.push(format!("t{number}"));
        register(&store, &format!("t{number}"), "c0");
    }
    drop(store);
    assert_eq!(students(&database), acknowledged);
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let directory = TempDir::new().expect("directory");
    let database = directory.path().join("r.db");
    open_registration(&database, 1, 5);
    drop(start(&database));
    let good = fs::read(&database).expect("read");
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(directory.path().join(format!("r.db{suffix}")));
    }
    for bad in [&good[..good.len() / 2], b"", b"no database at all, but a letter to the headmaster"] {
        fs::write(&database, bad).expect("write");
        let store = start(&database);
        let refused = carry_out(&store, wish("a", "c0")).unwrap_err();
        assert_eq!(refused.reason, Reason::Damaged);
        for action in [&["open"][..], &["status"], &["export"], &["demo"], &["backup", "/tmp/never-written.db"]] {
            let output = Command::new(env!("CARGO_BIN_EXE_fastgo"))
                .arg("registrations")
                .args(action)
                .args(["--database", &format!("sqlite:{}", database.display())])
                .output()
                .expect("run");
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{action:?}: {error}");
            assert!(error.contains("damaged") && error.contains("r.db"), "{action:?}: {error}");
        }
        assert!(fs::read(&database).expect("read") == bad, "the file was changed");
        // A good file in its place is found without a restart.
        fs::write(directory.path().join("good"), &good).expect("write");
        fs::rename(directory.path().join("good"), &database).expect("rename");
        until_it_works(&store, "a");
        drop(store);
        for suffix in ["", "-wal", "-shm"] {
            let _ = fs::remove_file(directory.path().join(format!("r.db{suffix}")));
        }
    }
}

/// Restoring a backup, or a first import, needs no restart of the servers; and nothing is acknowledged into a file that
/// no process can see any more.
#[test]
fn a_database_may_appear_and_be_replaced_while_the_server_runs() {
    let directory = TempDir::new().expect("directory");
    let (database, other) = (directory.path().join("r.db"), directory.path().join("other.db"));
    let store = start(&database);
    assert_eq!(carry_out(&store, wish("a", "c0")), Ok(Answer::UnknownCourse));
    assert!(store.courses().courses.is_empty());
    open_registration(&database, 1, 5);
    register(&store, "a", "c0");
    crate::common::wait_for("the list", || (store.courses().enrolled() == 1).then_some(()));

    open_registration(&other, 2, 5);
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(directory.path().join(format!("r.db{suffix}")));
        let _ = fs::rename(
            directory.path().join(format!("other.db{suffix}")),
            directory.path().join(format!("r.db{suffix}")),
        );
    }
    fs::rename(&other, &database).expect("rename");
    register(&store, "b", "c1");
    crate::common::wait_for("the list", || (store.courses().courses.len() == 2).then_some(()));
    assert_eq!(students(&database), ["b"]);
}

/// A small file system of its own, for as long as the test takes.
struct Disk {
    path: PathBuf,
    _directory: TempDir,
}

impl Disk {
    /// `None` without the right to mount one, which CI has.
    fn mount(size: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can mount a small disk");
            return None;
        }
        let directory = TempDir::new().expect("directory");
        let path = directory.path().to_owned();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "fastgo-test"])
            .arg(&path)
            .status()
            .expect("mount");
        assert!(status.success(), "mount failed");
        Some(Self { path, _directory: directory })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(&self.path).status();
        assert!(std::thread::panicking() || unmounted.is_ok_and(|status| status.success()), "umount failed");
    }
}
