//! Rules and guarantees, on a database in a temporary directory.

mod files;
mod rules;

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::store::courses::{CourseRow, Import, StudentRow};
use crate::store::model::{Answer, Command, IdempotencyKey, Receipt, Registration};

/// The time that all registrations of these tests are made at.
const NOW: i64 = 1_788_242_400_000;

/// A database with courses `art` (2 seats) and `chess` (1 seat), open.
pub(super) struct Fixture {
    directory: TempDir,
    pub(super) database: Database,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let mut database = Database::open_or_create(&directory.path().join("r.db")).unwrap();
        let courses = vec![course("art", 2), course("chess", 1)];
        database.import(&Import { courses, students: Vec::new() }).unwrap().unwrap();
        database.set_opening(Some(NOW)).unwrap();
        Self { directory, database }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("r.db")
    }

    pub(super) fn apply(&mut self, command: Command) -> Answer {
        self.apply_all(&[command]).pop().unwrap()
    }

    /// One batch.
    pub(super) fn apply_all(&mut self, commands: &[Command]) -> Vec<Answer> {
        self.database.wait_for_turn().unwrap().apply(commands, NOW).unwrap().answers
    }

    /// The receipt of a new registration.
    pub(super) fn registered(&mut self, student: &str, course: &str) -> Receipt {
        match self.apply(wish(student, course)) {
            Answer::Registered(receipt) => receipt,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn export(&self) -> Vec<Receipt> {
        let mut all = Vec::new();
        let reader = ReadOnly::open(&self.path()).unwrap();
        let keep = |receipt| {
            all.push(receipt);
            Ok::<_, rusqlite::Error>(())
        };
        reader.export(keep).unwrap();
        all
    }
}

pub(super) fn course(id: &str, seats: u64) -> CourseRow {
    CourseRow { line: 2, id: id.into(), title: id.to_uppercase(), seats }
}

pub(super) fn student(id: &str, pin: Option<&str>) -> StudentRow {
    StudentRow { id: id.into(), name: id.to_uppercase(), pin: pin.map(Into::into) }
}

fn registration(student: &str, course: &str) -> Registration {
    Registration { student: student.into(), course: course.into(), pin: None, key: None, arrived_at: NOW }
}

pub(super) fn wish(student: &str, course: &str) -> Command {
    Command::Register(registration(student, course))
}

pub(super) fn wish_with_key(student: &str, course: &str, key: &str) -> Command {
    Command::Register(Registration { key: Some(IdempotencyKey::of(key.as_bytes())), ..registration(student, course) })
}

pub(super) fn wish_with_pin(student: &str, course: &str, pin: &str) -> Command {
    Command::Register(Registration { pin: Some(pin.into()), ..registration(student, course) })
}

pub(super) fn wish_at(student: &str, course: &str, arrived_at: i64) -> Command {
    Command::Register(Registration { arrived_at, ..registration(student, course) })
}
