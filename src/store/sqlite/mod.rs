//! Registrations in one SQLite file: opening, creating, checking and writing it.
//!
//! WAL with `synchronous=FULL`: a transaction is one append to the write-ahead log and one sync of it. Checkpoints are
//! never made as part of a transaction but by [`Database::checkpoint`], when there is time or the log has grown long.

mod access;
mod batch;
mod local_time;
mod manage;
mod read;
mod schema;
mod turn;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::backend::OpenError;
use super::fill_random;
use super::model::Reason;
pub(super) use access::SqliteFile;
pub use local_time::{local_time, parse_local_time};
pub(in crate::store) use read::ReadOnly;
use schema::{APPLICATION_ID, MIGRATIONS, migrate, pragma};
use turn::{Turns, beside, give_to_owner_of_directory};

/// How long to wait for a lock that another program than ours holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Small pages: a registration changes a few rows in each of five places, and every changed page goes to the medium.
const PAGE_SIZE: u32 = 1024;

/// A database larger than this counts as a full disk, so that clients cannot fill the real one: 1 GiB.
const MAX_PAGES: u32 = 1024 * 1024;

/// What an error of SQLite means for registrations.
fn reason(error: &rusqlite::Error) -> Reason {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Reason::DiskFull,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Reason::Damaged,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Reason::Locked,
        _ => Reason::Failed(error.to_string().into()),
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        match reason(&error) {
            Reason::Damaged => Self::Damaged(error.to_string()),
            reason => Self::Sqlite(error, reason),
        }
    }
}

/// An open database that may be written, one for each thread that uses it.
#[derive(Debug)]
pub(in crate::store) struct Database {
    connection: Connection,
    turns: Turns,
    path: PathBuf,
    /// Device and inode of the file, to notice when another file is put in its place.
    file: (u64, u64),
}

impl Database {
    /// Opens the database at `path`, checks it whole and brings it up to date.
    pub(in crate::store) fn open(path: &Path) -> Result<Self, OpenError> {
        let file = identity(path)?;
        check_header(path)?;
        let turns = Turns::open(path)?;
        let mut connection = Connection::open_with_flags(path, flags())?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        // A checkpoint at the end would sync again what may have failed to sync before.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        check_content(&connection)?;
        configure(&connection)?;
        {
            let _turn = turns.take()?;
            migrate(&mut connection, MIGRATIONS)?;
        }
        Ok(Self { connection, turns, path: path.to_owned(), file })
    }

    /// Opens the database at `path`, or makes an empty one where there is none.
    pub(in crate::store) fn open_or_create(path: &Path) -> Result<Self, OpenError> {
        match Self::open(path) {
            Err(OpenError::Missing) => {
                create(path)?;
                Self::open(path)
            }
            result => result,
        }
    }

    /// Whether the file at the path is still the one that is open.
    pub(super) fn is_current(&self) -> bool {
        identity(&self.path).is_ok_and(|file| file == self.file)
    }

    /// Begins a transaction that may write, when it is this process's turn.
    fn begin(&mut self) -> Result<(turn::Turn<'_>, Transaction<'_>), rusqlite::Error> {
        let turn = self.turns.take().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok((turn, Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?))
    }

    /// Commits a transaction that changes nothing but the medium: whether writing and syncing work.
    pub(super) fn probe(&mut self) -> rusqlite::Result<()> {
        let (_turn, transaction) = self.begin()?;
        transaction.execute("UPDATE registration_day SET one = 1", [])?;
        transaction.commit()
    }

    /// Copies the log into the database, so that the log starts again; readers and writers go on meanwhile.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}

fn flags() -> OpenFlags {
    // Connections stay with the thread that opened them, so SQLite needs no locks of its own.
    OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!(
        "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-1024; PRAGMA temp_store=MEMORY; \
         PRAGMA trusted_schema=OFF; PRAGMA max_page_count={MAX_PAGES};"
    ))
}

fn identity(path: &Path) -> Result<(u64, u64), OpenError> {
    match fs::metadata(path) {
        Ok(file) => Ok((file.dev(), file.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenError::Missing),
        Err(error) => Err(error.into()),
    }
}

/// What SQLite would not notice: it takes an empty file for a new database and would write into it, and it reads what
/// a shortened file lacks as zeros. Ours are never empty, not even when new.
fn check_header(path: &Path) -> Result<(), OpenError> {
    use std::io::Read as _;
    let cut_short = || OpenError::Damaged("it is cut short".into());
    let mut header = [0; 100];
    let mut file = File::open(path)?;
    match file.read_exact(&mut header) {
        Ok(()) if header.starts_with(b"SQLite format 3\0") => {}
        Ok(()) => return Err(OpenError::Damaged("it does not begin as a database does".into())),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(cut_short()),
        Err(error) => return Err(error.into()),
    }
    let page_size = u64::from(u16::from_be_bytes([header[16], header[17]]));
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    // A checkpoint that was interrupted leaves a shorter file, with all that it lacks in the log.
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    if file.metadata()?.len() < pages * page_size && !has_log { Err(cut_short()) } else { Ok(()) }
}

/// Reads every page, so that damage is found now and not under load.
fn check_content(connection: &Connection) -> Result<(), OpenError> {
    if pragma::<i32>(connection, "application_id")? != APPLICATION_ID {
        return Err(OpenError::Foreign);
    }
    match pragma::<String>(connection, "quick_check")? {
        found if found == "ok" => Ok(()),
        found => Err(OpenError::Damaged(found.lines().last().unwrap_or_default().to_owned())),
    }
}

/// Makes an empty database beside its place and then moves it there: an unfinished one is never visible.
fn create(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    let turns = Turns::open(path)?;
    let _turn = turns.take()?;
    if path.exists() {
        return Ok(()); // Another process made it meanwhile.
    }
    let log = beside(path, "-wal");
    if log.exists() {
        return Err(OpenError::Damaged(format!("{} is there without its database", log.display())));
    }
    let unfinished = beside(path, "-new");
    for suffix in ["", "-journal", "-wal", "-shm"] {
        match fs::remove_file(beside(&unfinished, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    OpenOptions::new().write(true).create_new(true).mode(0o640).open(&unfinished)?;
    let mut connection = Connection::open_with_flags(&unfinished, flags())?;
    connection.pragma_update(None, "page_size", PAGE_SIZE)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection, MIGRATIONS)?;
    let mut salt = [0_u8; 16];
    fill_random(&mut salt)?;
    connection.execute("INSERT INTO registration_day (one, pin_salt) VALUES (1, ?)", [salt])?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    give_to_owner_of_directory(&unfinished)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(directory)?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests;
