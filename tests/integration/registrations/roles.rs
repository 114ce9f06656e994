//! Processes that use the store: this test binary, started again in a role.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use fastgo::store::model::{Answer, Reason, Status};
use fastgo::store::settings::Location;
use rustix::time::{ClockId, clock_gettime};

use super::checker::Event;
use super::{cancel, carry_out, medium, start_in, wish};
use crate::common::Random;

/// The environment variable that gives this binary a role.
const ROLE: &str = "FASTGO_TEST_ROLE";

/// Clients of one process.
const CLIENTS: u64 = 32;

/// Students and courses that they register.
pub(super) const STUDENTS: usize = 2000;
pub(super) const COURSES: usize = 20;

/// Clients that register and give back without end.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    /// As `--database` takes it.
    pub(super) database: String,
    pub(super) seed: u64,
    pub(super) sync: Duration,
    /// Where to keep what survives a power cut.
    pub(super) survivors: Option<PathBuf>,
}

/// A [`Crowd`] in a process of its own.
pub(super) struct CrowdProcess {
    child: Child,
    collector: Option<JoinHandle<()>>,
    events: Arc<Mutex<Vec<Event>>>,
    acknowledged: Arc<AtomicUsize>,
}

impl CrowdProcess {
    pub(super) fn spawn(crowd: &Crowd) -> Self {
        let survivors = crowd.survivors.as_deref().unwrap_or(Path::new("-"));
        let role = [crowd.database.clone(), crowd.seed.to_string(), crowd.sync.as_micros().to_string()].join(" ");
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "registrations::roles::store_process", "--nocapture", "--test-threads=1"])
            .env(ROLE, format!("{role} {}", survivors.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("spawn");
        let (events, acknowledged) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        let (all, count) = (Arc::clone(&events), Arc::clone(&acknowledged));
        let collector = std::thread::spawn(move || {
            for event in stdout.lines().map_while(Result::ok).filter_map(|line| parse(&line)) {
                count.fetch_add(usize::from(matches!(event, Event::Registered { .. })), Relaxed);
                all.lock().expect("lock").push(event);
            }
        });
        Self { child, collector: Some(collector), events, acknowledged }
    }

    /// Answers that clients have got.
    pub(super) fn acknowledged(&self) -> usize {
        self.acknowledged.load(Relaxed)
    }

    /// Kills it and gives everything that its clients sent and received.
    pub(super) fn kill(mut self) -> Vec<Event> {
        self.end();
        std::mem::take(&mut self.events.lock().expect("lock"))
    }

    fn end(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(collector) = self.collector.take() {
            collector.join().expect("collector");
        }
    }
}

impl Drop for CrowdProcess {
    fn drop(&mut self) {
        self.end();
    }
}

/// The body of such a process; as a test it has nothing to do.
#[test]
fn store_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let [database, seed, sync, survivors] = *role.split(' ').collect::<Vec<_>>() else { panic!("{role}") };
    medium::set_delay(Duration::from_micros(sync.parse().expect("sync")));
    if survivors != "-" {
        medium::keep_survivors(Path::new(survivors));
    }
    // The test harness has begun a line.
    say("");
    let store = Arc::new(start_in(&Location::parse(database).expect("a database")));
    let seed: u64 = seed.parse().expect("seed");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let store = Arc::clone(&store);
            std::thread::spawn(move || run_client(&store, Random::new(seed * CLIENTS + client)))
        })
        .collect();
    for client in clients {
        client.join().expect("client");
    }
}

fn run_client(store: &fastgo::store::Store, mut random: Random) {
    loop {
        let (student, course) = (format!("s{}", random.below(STUDENTS)), format!("c{}", random.below(COURSES)));
        say(&format!("asked {} {student} {course}", micros()));
        // Who repeats does not wait for the first answer.
        let early = (random.below(8) == 0).then(|| {
            let (sender, receiver) = mpsc::channel();
            store.submit(wish(&student, &course), move |outcome| sender.send(outcome).unwrap_or(()));
            receiver
        });
        let outcome = carry_out(store, wish(&student, &course));
        drop(early);
        let receipt = match outcome {
            Ok(Answer::Registered(receipt) | Answer::Known(receipt)) => receipt,
            Ok(Answer::Cancelled(_)) => continue,
            // The database server is being replaced.
            Err(unavailable) if unavailable.reason == Reason::Unreachable => {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            other => panic!("{other:?}"),
        };
        let (id, enrolled) = (receipt.id, receipt.status == Status::Enrolled);
        say(&format!("registered {} {student} {course} {id} {enrolled}", micros()));
        if random.below(10) == 0 {
            say(&format!("giving-back {id}"));
            match cancel(store, id) {
                Ok(Answer::Cancelled(_)) => say(&format!("given-back {id}")),
                Err(unavailable) if unavailable.reason == Reason::Unreachable => {}
                other => panic!("{id} cannot be cancelled: {other:?}"),
            }
        }
    }
}

/// One line is one write, which a pipe takes whole or not at all.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // An error means that the parent has gone, and this process is about to be killed.
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

fn parse(line: &str) -> Option<Event> {
    let words: Vec<&str> = line.split(' ').collect();
    Some(match *words {
        ["asked", at, student, course] => {
            Event::Asked { at: at.parse().ok()?, student: student.into(), course: course.into() }
        }
        ["registered", at, student, course, id, enrolled] => Event::Registered {
            at: at.parse().ok()?,
            student: student.into(),
            course: course.into(),
            id: id.into(),
            enrolled: enrolled.parse().ok()?,
        },
        ["giving-back", id] => Event::GivingBack { id: id.into() },
        ["given-back", id] => Event::GivenBack { id: id.into() },
        _ => return None,
    })
}

/// Microseconds of a clock that all processes share.
pub(super) fn micros() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1000
}
