//! The server, its pool of connections, and the runtime on which they live.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, PoolError, Timeouts};
use tokio::runtime::{Builder, Runtime};

use super::connect::Connector;
use super::failure::Failure;
use super::schema;
use super::url::PostgresUrl;
use crate::store::backend::OpenError;

/// For one transaction. After it the outcome counts as unknown.
const DEADLINE: Duration = Duration::from_secs(5);

/// For a free connection of the pool, for the check of one that was used before, and for the first answers on a new one.
pub(super) const POOL_TIMEOUT: Duration = Duration::from_millis(500);

pub(super) type Pool = managed::Pool<Connector>;

/// A connection, which returns to the pool when it is dropped.
pub(super) type Object = managed::Object<Connector>;

/// A server and the connections to it, shared by the threads of a store.
#[derive(Clone)]
pub(in crate::store) struct Server {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) pool: Pool,
    pub(super) runtime: Runtime,
}

impl Server {
    /// The server at `url`, with at most `pool` connections, none of them made yet.
    pub(in crate::store) fn new(url: &PostgresUrl, pool: usize) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("store-postgres").build()?;
        // The connector limits itself, host by host.
        let timeouts = Timeouts { wait: Some(POOL_TIMEOUT), create: None, recycle: Some(POOL_TIMEOUT) };
        let pool = Pool::builder(Connector::new(url))
            .max_size(pool)
            .timeouts(timeouts)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { shared: Arc::new(Shared { pool, runtime }) })
    }

    /// Runs `future` on this thread, for at most [`DEADLINE`].
    pub(super) fn run<T>(&self, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let limited = async { tokio::time::timeout(DEADLINE, future).await.unwrap_or(Err(Failure::Late)) };
        let result = self.shared.runtime.block_on(limited);
        if let Err(failure) = &result
            && failure.breaks_connections()
        {
            // The others would find out one by one.
            self.shared.pool.retain(|_, _| false);
        }
        result
    }

    /// A connection to a server that is fit for registrations, with the newest tables.
    pub(super) fn open(&self, create: bool) -> Result<Object, OpenError> {
        self.shared.runtime.block_on(async {
            // Not within a deadline, so that every host has its time.
            let mut connection = self.connection().await?;
            let check = tokio::time::timeout(DEADLINE, schema::check(&mut connection, create));
            check.await.unwrap_or_else(|_| Err(Failure::Late.into()))?;
            Ok(connection)
        })
    }

    /// A connection that was tried just now, or a new one.
    pub(super) async fn connection(&self) -> Result<Object, Failure> {
        connection(&self.shared.pool).await
    }
}

pub(super) async fn connection(pool: &Pool) -> Result<Object, Failure> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(failure) => failure,
        _ => Failure::Late,
    })
}
