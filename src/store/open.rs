//! Opens the database that a location names, with the program that keeps it.

use std::io;
use std::sync::Arc;

use super::backend::{Administration, Inspection, OpenError, Source};
use super::settings::Location;
use super::sqlite;

impl Location {
    /// Where the threads of a store open it; `None` without a database.
    ///
    /// # Errors
    /// The threads that it needs cannot be started.
    #[cfg_attr(not(feature = "postgres"), expect(clippy::unnecessary_wraps, reason = "a file needs no thread"))]
    pub(super) fn source(
        &self,
        #[cfg_attr(not(feature = "postgres"), expect(unused, reason = "a file needs no pool"))] pool: usize,
    ) -> io::Result<Option<Arc<dyn Source>>> {
        Ok(match self {
            Self::None => None,
            Self::Sqlite(path) => Some(Arc::new(sqlite::SqliteFile(path.clone()))),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Some(Arc::new(super::postgres::Server::new(url, pool)?)),
        })
    }

    /// The database for the operator's changes; made where it is missing if `create` says so.
    pub fn administration(&self, create: bool) -> Result<Box<dyn Administration>, OpenError> {
        Ok(match self {
            Self::None => return Err(OpenError::Missing),
            Self::Sqlite(path) if create => Box::new(sqlite::Database::open_or_create(path)?),
            Self::Sqlite(path) => Box::new(sqlite::Database::open(path)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Box::new(super::postgres::Operator::open(url, create)?),
        })
    }

    /// The database for the operator to look at.
    pub fn inspection(&self) -> Result<Box<dyn Inspection>, OpenError> {
        Ok(match self {
            Self::None => return Err(OpenError::Missing),
            Self::Sqlite(path) => Box::new(sqlite::ReadOnly::open(path)?),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => Box::new(super::postgres::Operator::open(url, false)?),
        })
    }
}
