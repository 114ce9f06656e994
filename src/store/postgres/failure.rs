//! What can go wrong between the store and the server, and what it means for registrations.

use std::fmt;

use tokio_postgres::error::SqlState;

use crate::store::backend::OpenError;
use crate::store::model::Reason;

/// What went wrong.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer in time.
    Late,
    /// An answer that only this module could misunderstand.
    Unexpected,
    /// A host's name cannot be resolved: the name, and why.
    Name(String),
    /// An error of the connection, or the server's answer.
    Server(tokio_postgres::Error),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Server(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => formatter.write_str("the server does not answer"),
            Self::Unexpected => formatter.write_str("the server's answer makes no sense"),
            Self::Name(problem) => formatter.write_str(problem),
            Self::Server(error) => {
                error.fmt(formatter)?;
                let cause = std::error::Error::source(error);
                cause.map_or(Ok(()), |cause| write!(formatter, ": {cause}"))
            }
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    pub(super) fn state(&self) -> Option<&SqlState> {
        if let Self::Server(error) = self { error.code() } else { None }
    }

    pub(super) fn breaks_connections(&self) -> bool {
        let shutdown = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::READ_ONLY_SQL_TRANSACTION];
        self.state().is_none_or(|state| shutdown.contains(state))
    }

    /// The same for those who wait for an answer.
    pub(super) fn reason(&self) -> Reason {
        match self.state() {
            Some(state) if *state == SqlState::DISK_FULL => Reason::DiskFull,
            Some(state) if [SqlState::DATA_CORRUPTED, SqlState::INDEX_CORRUPTED].contains(state) => Reason::Damaged,
            _ => Reason::Unreachable,
        }
    }
}

impl From<Failure> for OpenError {
    fn from(failure: Failure) -> Self {
        match failure.reason() {
            Reason::Damaged => Self::Damaged(failure.to_string()),
            _ => Self::Server(failure.to_string()),
        }
    }
}
