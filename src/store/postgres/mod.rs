//! Registrations on a `PostgreSQL` server, for several boards or with a standby.
//!
//! The tables and their guarantees are those of the SQLite file. A batch is one transaction that first updates the one
//! row of `registration_day`: its lock makes all boards take turns. `synchronous_commit` is on, so that a commit
//! returns once the server's medium, and its synchronous standby if it has one, hold it. The store's threads block on
//! a runtime of this module; nobody else sees it.

mod connect;
mod failure;
mod operator;
mod read;
mod schema;
mod server;
mod url;
mod write;

use super::backend::{OpenError, ReadAccess, Source, WriteAccess};
pub(super) use operator::Operator;
pub(super) use server::Server;
pub use url::PostgresUrl;

impl Source for Server {
    fn writer(&self) -> Result<Box<dyn WriteAccess>, OpenError> {
        Ok(Box::new(write::Writing::open(self.clone())?))
    }

    fn reader(&self) -> Result<Box<dyn ReadAccess>, OpenError> {
        Ok(Box::new(read::Reading::open(self.clone())?))
    }
}
