//! What only reads: the course list, receipts, and every registration for an export.

use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::batch::{FOUND, found};
use super::schema::{APPLICATION_ID, MIGRATIONS, pragma};
use super::{BUSY_TIMEOUT, OpenError, check_header, configure, flags, identity};
use crate::store::courses::{Course, CourseList};
use crate::store::model::{Answer, Receipt, RegistrationId, Status};

/// An open database that is only read.
#[derive(Debug)]
pub(in crate::store) struct ReadOnly {
    connection: Connection,
    path: PathBuf,
    file: (u64, u64),
}

impl ReadOnly {
    /// Opens the database at `path`. One that a newer fastgo made, or that awaits a migration, is refused.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, OpenError> {
        let file = identity(path)?;
        check_header(path)?;
        let connection = Connection::open_with_flags(path, flags())?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // Otherwise the last reader to leave would write the log into the database.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        configure(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        if pragma::<i32>(&connection, "application_id")? != APPLICATION_ID {
            return Err(OpenError::Foreign);
        }
        let (version, known) = (pragma(&connection, "user_version")?, MIGRATIONS.len() as i64);
        if version != known {
            return Err(OpenError::Newer { version, known });
        }
        Ok(Self { connection, path: path.to_owned(), file })
    }

    /// Whether the file at the path is still the one that is open.
    pub(in crate::store) fn is_current(&self) -> bool {
        identity(&self.path).is_ok_and(|file| file == self.file)
    }

    /// Changes whenever another connection, of this process or another, has committed.
    pub(in crate::store) fn version(&self) -> rusqlite::Result<i64> {
        pragma(&self.connection, "data_version")
    }

    /// All courses as they are now.
    pub(in crate::store) fn courses(&self) -> rusqlite::Result<CourseList> {
        // One statement reads one moment; two would need a transaction.
        let query = "SELECT opens_at, c.id, c.title, c.seats, c.taken, c.waiting, \
                     EXISTS (SELECT 1 FROM students WHERE pin IS NOT NULL) \
                     FROM registration_day LEFT JOIN courses c ORDER BY c.id";
        let mut statement = self.connection.prepare(query)?;
        let mut rows = statement.query([])?;
        let mut list = CourseList::default();
        while let Some(row) = rows.next()? {
            (list.opens_at, list.needs_pin) = (row.get(0)?, row.get(6)?);
            if let Some(id) = row.get(1)? {
                let (title, seats, taken, waiting) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
                list.courses.push(Course { id, title, seats, taken, waiting });
            }
        }
        Ok(list)
    }

    /// Students on the imported list; 0 when everybody may register.
    pub(in crate::store) fn students(&self) -> rusqlite::Result<u64> {
        self.connection.query_row("SELECT count(*) FROM students", [], |row| row.get(0))
    }

    /// The registration with this id as it is now.
    pub(in crate::store) fn find(&self, id: RegistrationId) -> rusqlite::Result<Answer> {
        let query = format!("{FOUND} WHERE r.sequence = ?");
        let found = self.connection.query_row(&query, [id.sequence], found).optional()?;
        let Some(found) = found.filter(|found| found.receipt.id == id) else {
            return Ok(Answer::UnknownRegistration);
        };
        let mut receipt = found.receipt;
        if receipt.status == Status::Cancelled {
            return Ok(Answer::Cancelled(receipt));
        }
        if receipt.status == Status::Waiting {
            let query = "SELECT count(*) FROM registrations WHERE course = ? AND status = 1 AND sequence <= ?";
            let position = self.connection.query_row(query, [found.course, id.sequence], |row| row.get(0))?;
            receipt.position = Some(position);
        }
        Ok(Answer::Known(receipt))
    }

    /// Calls `each` with every registration that was not cancelled, in the order of arrival, all of one moment.
    pub(in crate::store) fn export<E: From<rusqlite::Error>>(
        &self,
        mut each: impl FnMut(Receipt) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut places = std::collections::HashMap::<i64, u64>::new();
        let mut statement = self.connection.prepare(&format!("{FOUND} WHERE r.status < 2 ORDER BY r.sequence"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let row: &Row<'_> = row;
            let found = found(row)?;
            let mut receipt = found.receipt;
            if receipt.status == Status::Waiting {
                let place = places.entry(found.course).or_default();
                *place += 1;
                receipt.position = Some(*place);
            }
            each(receipt)?;
        }
        Ok(())
    }
}
