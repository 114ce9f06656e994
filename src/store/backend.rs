//! What the store needs of a database, whichever program keeps it.

use std::path::Path;
use std::time::Duration;
use std::{fmt, io};

use super::courses::{CourseList, CourseRow, Import, LineProblem};
use super::model::{Answer, Command, Reason, Receipt, RegistrationId};

/// Where a store's databases are opened, by each of its threads for itself.
pub(super) trait Source: Send + Sync {
    /// For the thread that writes.
    fn writer(&self) -> Result<Box<dyn WriteAccess>, OpenError>;

    /// For the thread that reads.
    fn reader(&self) -> Result<Box<dyn ReadAccess>, OpenError>;
}

/// A committed batch.
pub(super) struct Applied {
    /// One for each command, in their order.
    pub(super) answers: Vec<Answer>,
    /// Time for the commands.
    pub(super) work: Duration,
    /// Time for the commit with its sync.
    pub(super) commit: Duration,
}

/// A database that may be written. After an error it must be opened again.
pub(super) trait WriteAccess: Send {
    /// Whether the location still names what is open.
    fn is_current(&self) -> bool;

    /// Waits for this process's turn, then carries out what `take` gives as one transaction. When this returns, what
    /// the answers say is on the medium; after an error none of the commands counts as carried out.
    fn carry_out(&mut self, take: &mut dyn FnMut() -> Vec<Command>) -> Result<Applied, Reason>;

    /// Commits a transaction that changes nothing but the medium: whether writing and syncing work.
    fn probe(&mut self) -> Result<(), Reason>;

    /// Does what is best done while nothing is written.
    fn checkpoint(&mut self) -> Result<(), Reason>;
}

/// A database that is only read. After an error it must be opened again.
pub(super) trait ReadAccess: Send {
    /// Whether the location still names what is open.
    fn is_current(&self) -> bool;

    /// The registrations with these ids as they are now, in the same order.
    fn find(&mut self, ids: &[RegistrationId]) -> Result<Vec<Answer>, Reason>;

    /// Another number whenever anybody has committed.
    fn version(&mut self) -> Result<i64, Reason>;

    /// All courses as they are now.
    fn courses(&mut self) -> Result<CourseList, Reason>;
}

/// What the operator changes.
pub trait Administration {
    /// Imports all or, where there are problems, nothing. Registration is closed afterwards, made-up courses are gone,
    /// and seats that were added have gone to those who waited.
    fn import(&mut self, import: &Import) -> anyhow::Result<Result<(), Vec<LineProblem>>>;

    /// Makes courses that nobody teaches, open at once, in place of those made up before. `false`: there are real
    /// courses, and nothing was done.
    fn make_demo(&mut self, courses: &[CourseRow], now: i64) -> anyhow::Result<bool>;

    /// Opens registration at a time in milliseconds since 1970, or closes it.
    fn set_opening(&mut self, opens_at: Option<i64>) -> anyhow::Result<()>;

    /// Writes a copy of one moment to a new file, while others go on registering.
    fn backup(&mut self, to: &Path) -> anyhow::Result<()>;
}

/// What the operator looks at.
pub trait Inspection {
    /// All courses as they are now.
    fn courses(&mut self) -> anyhow::Result<CourseList>;

    /// Students on the imported list; 0 when everybody may register.
    fn students(&mut self) -> anyhow::Result<u64>;

    /// Calls `each` with every registration that was not cancelled, in the order of arrival, all of one moment.
    fn export(&mut self, each: &mut dyn FnMut(Receipt) -> anyhow::Result<()>) -> anyhow::Result<()>;
}

/// Why a database is not opened. It is left exactly as it was found.
#[derive(Debug)]
pub enum OpenError {
    /// There is none.
    Missing,
    /// It is damaged: what was found.
    Damaged(String),
    /// It is a database of some other program.
    Foreign,
    /// A newer fastgo made it.
    Newer {
        /// Its version.
        version: i64,
        /// The newest version that this fastgo knows.
        known: i64,
    },
    /// It cannot be read or written, and what that means for registrations.
    Sqlite(rusqlite::Error, Reason),
    /// Its directory or lock files cannot be used.
    Io(io::Error),
    /// Its server cannot be reached, or is not fit for registrations.
    Server(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => formatter.write_str("it does not exist"),
            Self::Damaged(found) => {
                write!(formatter, "it is damaged ({found}); it was left as it is: move it away and restore a backup")
            }
            Self::Foreign => formatter.write_str("it is a database of another program"),
            Self::Newer { version, known } => write!(
                formatter,
                "its version is {version}, and this fastgo knows versions up to {known}: install the newer fastgo again"
            ),
            Self::Sqlite(error, _) => error.fmt(formatter),
            Self::Io(error) => error.fmt(formatter),
            Self::Server(problem) => formatter.write_str(problem),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl OpenError {
    /// The same for those who wait for an answer.
    pub(super) fn reason(&self) -> Reason {
        match self {
            Self::Damaged(_) | Self::Foreign => Reason::Damaged,
            Self::Sqlite(_, reason) => reason.clone(),
            Self::Server(_) => Reason::Unreachable,
            Self::Io(error) if error.kind() == io::ErrorKind::StorageFull => Reason::DiskFull,
            other => Reason::Failed(other.to_string().into()),
        }
    }
}
