//! Registrations: durable on a slow, full, failing or suddenly dead medium, in order, shared by several processes.

mod checker;
mod commands;
mod crash;
mod damage;
mod engines;
mod kills;
mod medium;
#[cfg(feature = "postgres")]
mod postgres;
mod roles;
mod routes;
mod school;
mod sharing;
mod speed;

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use fastgo::store::model::{Answer, Command, IdempotencyKey, Receipt, Registration, RegistrationId, Unavailable};
use fastgo::store::settings::Location;
use fastgo::store::{CourseRow, Import, Store, clock};

/// A database with `courses` courses of `seats` seats, named `c0`, `c1` and so on, open.
fn open_registration(path: &Path, courses: u64, seats: u64) {
    open_registration_in(&Location::Sqlite(path.to_owned()), courses, seats);
}

fn open_registration_in(location: &Location, courses: u64, seats: u64) {
    let rows = (0..courses).map(|course| CourseRow {
        line: course + 2,
        id: format!("c{course}"),
        title: format!("Course {course}"),
        seats,
    });
    let mut database = location.administration(true).expect("create");
    database.import(&Import { courses: rows.collect(), students: Vec::new() }).expect("import").expect("no problems");
    database.set_opening(Some(0)).expect("open");
}

/// The file as `--database` takes it.
fn sqlite(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

fn start(path: &Path) -> Store {
    start_in(&Location::Sqlite(path.to_owned()))
}

fn start_in(location: &Location) -> Store {
    Store::start(location, 8, Duration::from_secs(10)).expect("threads").expect("a database")
}

/// A wish with a key of its own, so that it can be repeated.
fn wish(student: &str, course: &str) -> Command {
    Command::Register(Registration {
        student: student.into(),
        course: course.into(),
        pin: None,
        key: Some(IdempotencyKey::of(format!("{student} {course}").as_bytes())),
        arrived_at: clock::now(),
    })
}

/// Submits a command and waits for its outcome.
fn carry_out(store: &Store, command: Command) -> Result<Answer, Unavailable> {
    let (sender, receiver) = mpsc::sync_channel(1);
    store.submit(command, move |outcome| sender.send(outcome).expect("a receiver"));
    receiver.recv().expect("an answer")
}

/// The receipt of a registration that was made or known.
fn receipt(answer: Answer) -> Receipt {
    match answer {
        Answer::Registered(receipt) | Answer::Known(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

fn register(store: &Store, student: &str, course: &str) -> Receipt {
    receipt(carry_out(store, wish(student, course)).expect("an outcome"))
}

fn cancel(store: &Store, id: RegistrationId) -> Result<Answer, Unavailable> {
    carry_out(store, Command::Cancel(id))
}
