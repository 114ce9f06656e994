//! What the operator does: import, opening and closing, made-up courses, backup.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::batch::promote;
use super::{Database, OpenError};
use crate::store::courses::{CourseRow, Import, LineProblem};
use crate::store::model::hashed_pin;

impl Database {
    /// Imports all or, where there are problems, nothing. Registration is closed afterwards, made-up courses are gone,
    /// and seats that were added have gone to the waiting list.
    pub(in crate::store) fn import(&mut self, import: &Import) -> rusqlite::Result<Result<(), Vec<LineProblem>>> {
        let (turn, transaction) = self.begin()?;
        remove_demo(&transaction)?;
        let problems = import_courses(&transaction, &import.courses)?;
        if !problems.is_empty() {
            return Ok(Err(problems));
        }
        let salt = transaction.query_row("SELECT pin_salt FROM registration_day", [], |row| row.get(0))?;
        let mut put = transaction.prepare("INSERT OR REPLACE INTO students (id, name, pin) VALUES (?, ?, ?)")?;
        for student in &import.students {
            let pin = student.pin.as_deref().map(|pin| hashed_pin(&salt, &student.id, pin));
            put.execute(params![student.id, student.name, pin])?;
        }
        drop(put);
        transaction.execute("UPDATE registration_day SET opens_at = NULL", [])?;
        transaction.commit()?;
        drop(turn);
        self.shorten_log();
        Ok(Ok(()))
    }

    /// Makes demonstration courses, open at once, in place of earlier ones. `false`: there are real
    /// courses, and nothing was done.
    pub(in crate::store) fn make_demo(&mut self, courses: &[CourseRow], now: i64) -> rusqlite::Result<bool> {
        let (turn, transaction) = self.begin()?;
        remove_demo(&transaction)?;
        let real = "SELECT EXISTS (SELECT 1 FROM courses) OR EXISTS (SELECT 1 FROM students)";
        if transaction.query_row(real, [], |row| row.get(0))? {
            return Ok(false);
        }
        import_courses(&transaction, courses)?;
        transaction.execute("UPDATE courses SET demo = 1", [])?;
        transaction.execute("UPDATE registration_day SET opens_at = ?", [now])?;
        transaction.commit()?;
        drop(turn);
        self.shorten_log();
        Ok(true)
    }

    /// Opens registration at a time in milliseconds since 1970, or closes it.
    pub(in crate::store) fn set_opening(&mut self, opens_at: Option<i64>) -> rusqlite::Result<()> {
        let (turn, transaction) = self.begin()?;
        transaction.execute("UPDATE registration_day SET opens_at = ?", [opens_at])?;
        transaction.commit()?;
        drop(turn);
        self.shorten_log();
        Ok(())
    }

    /// Copies the log into the database, so that a copy of the file alone has everything that was imported.
    fn shorten_log(&self) {
        // What was imported is safe in the log, too.
        let _ = self.checkpoint();
    }

    /// Writes a copy of one moment to a new file, while others go on registering.
    pub(in crate::store) fn backup(&self, to: &Path) -> Result<(), OpenError> {
        // SQLite accepts an empty file as its target; made here so that an existing one is never overwritten.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let written = to.to_str().ok_or_else(|| io::Error::other("its name is not UTF-8")).and_then(|name| {
            self.connection.execute("VACUUM INTO ?", [name]).map_err(io::Error::other)?;
            File::open(to)?.sync_all()?;
            let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty());
            File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
        });
        if let Err(error) = written {
            // An unfinished copy must not be taken for a backup.
            let _ = fs::remove_file(to);
            return Err(error.into());
        }
        Ok(())
    }
}

fn remove_demo(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    let registrations = "FROM registrations WHERE course IN (SELECT course FROM courses WHERE demo)";
    transaction.execute_batch(&format!(
        "DELETE FROM idempotency_keys WHERE sequence IN (SELECT sequence {registrations}); \
         DELETE {registrations}; DELETE FROM courses WHERE demo;"
    ))
}

fn import_courses(transaction: &Transaction<'_>, courses: &[CourseRow]) -> rusqlite::Result<Vec<LineProblem>> {
    let mut problems = Vec::new();
    let mut existing = transaction.prepare("SELECT course, taken FROM courses WHERE id = ?")?;
    let mut insert = transaction.prepare("INSERT INTO courses (id, title, seats) VALUES (?, ?, ?)")?;
    let mut update = transaction.prepare("UPDATE courses SET title = ?, seats = ? WHERE course = ?")?;
    for CourseRow { line, id, title, seats } in courses {
        let before = existing.query_row([id], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, u64>(1)?))).optional()?;
        match before {
            None => {
                insert.execute(params![id, title, seats])?;
            }
            Some((_, taken)) if taken > *seats => {
                problems
                    .push((*line, format!("course {id}: {taken} seats are taken already, so there cannot be {seats}")));
            }
            Some((course, _)) => {
                update.execute(params![title, seats, course])?;
                promote(transaction, course)?;
            }
        }
    }
    Ok(problems)
}
