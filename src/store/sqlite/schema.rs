//! The tables, and the guarantees that they enforce against every writer.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::OpenError;

/// In the header of every database of ours: `fgRd`.
pub(super) const APPLICATION_ID: i32 = 0x6667_5264;

/// What leads from one version to the next; the version of a database is the number of those it has behind it.
pub(super) const MIGRATIONS: &[&str] = &[VERSION_1];

const VERSION_1: &str = "
-- One row. Registration is open from opens_at on, in milliseconds since 1970; NULL: closed.
CREATE TABLE registration_day (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    opens_at INTEGER,
    pin_salt BLOB NOT NULL
) STRICT;

CREATE TABLE courses (
    course INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    seats INTEGER NOT NULL CHECK (seats >= 0),
    taken INTEGER NOT NULL DEFAULT 0 CHECK (taken BETWEEN 0 AND seats),
    waiting INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    demo INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Where it has rows, no other student may register.
CREATE TABLE students (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    pin BLOB
) STRICT, WITHOUT ROWID;

-- Rows are never deleted while their course exists, so sequence rises for ever. status: 0 enrolled, 1 waiting, 2 cancelled.
CREATE TABLE registrations (
    sequence INTEGER PRIMARY KEY,
    token BLOB NOT NULL,
    student TEXT NOT NULL,
    course INTEGER NOT NULL REFERENCES courses (course),
    status INTEGER NOT NULL CHECK (status IN (0, 1, 2)),
    registered_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_registration ON registrations (student, course) WHERE status < 2;
CREATE INDEX waiting_list ON registrations (course) WHERE status = 1;

CREATE TABLE idempotency_keys (
    key BLOB PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The counters of a course follow its registrations; the CHECKs above then refuse a seat too many.
CREATE TRIGGER arrival AFTER INSERT ON registrations BEGIN
    UPDATE courses SET taken = taken + (NEW.status = 0), waiting = waiting + (NEW.status = 1) WHERE course = NEW.course;
END;
CREATE TRIGGER change AFTER UPDATE OF status ON registrations BEGIN
    UPDATE courses SET taken = taken + (NEW.status = 0) - (OLD.status = 0),
        waiting = waiting + (NEW.status = 1) - (OLD.status = 1) WHERE course = NEW.course;
END;
CREATE TRIGGER removal AFTER DELETE ON registrations BEGIN
    UPDATE courses SET taken = taken - (OLD.status = 0), waiting = waiting - (OLD.status = 1) WHERE course = OLD.course;
END;
-- Order of arrival: who comes last takes no seat while others wait, and the first who waits is the next to be seated.
CREATE TRIGGER no_overtaking BEFORE INSERT ON registrations WHEN NEW.status = 0 BEGIN
    SELECT RAISE(ABORT, 'others wait for this course') FROM courses WHERE course = NEW.course AND waiting > 0;
END;
CREATE TRIGGER promotion_in_order BEFORE UPDATE OF status ON registrations WHEN OLD.status = 1 AND NEW.status = 0 BEGIN
    SELECT RAISE(ABORT, 'others have waited longer') FROM registrations
        WHERE course = NEW.course AND status = 1 AND sequence < NEW.sequence LIMIT 1;
END;
CREATE TRIGGER cancelled_for_good BEFORE UPDATE OF status ON registrations WHEN OLD.status = 2 BEGIN
    SELECT RAISE(ABORT, 'this registration was cancelled');
END;
CREATE TRIGGER never_back_to_waiting BEFORE UPDATE OF status ON registrations WHEN OLD.status = 0 AND NEW.status = 1 BEGIN
    SELECT RAISE(ABORT, 'this registration has a seat');
END;
";

/// Brings a database that may be empty or of an older version to the newest of `migrations`, in one transaction.
pub(super) fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
    let version: i64 = pragma(connection, "user_version")?;
    let known = migrations.len() as i64;
    if version > known {
        return Err(OpenError::Newer { version, known });
    }
    if version == known {
        return Ok(());
    }
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited for its turn.
    let version: i64 = pragma(&transaction, "user_version")?;
    for step in migrations.iter().skip(version as usize) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

/// The value of a pragma.
pub(super) fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
