//! The server, its pool of connections, and the runtime on which they live.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Timeouts};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::NoTls;

use super::failure::Failure;
use super::schema;
use super::url::{CONNECT_TIMEOUT, PostgresUrl};
use crate::store::backend::OpenError;

/// For one transaction. After it the outcome counts as unknown.
const DEADLINE: Duration = Duration::from_secs(5);

/// For a free connection of the pool, and for the check of one that was used before.
pub(super) const POOL_TIMEOUT: Duration = Duration::from_millis(500);

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
        let connecting = url.0.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        let timeouts = Timeouts {
            wait: Some(POOL_TIMEOUT),
            create: Some(connecting * url.0.get_hosts().len() as u32 + POOL_TIMEOUT),
            recycle: Some(POOL_TIMEOUT),
        };
        let prepare = Hook::async_fn(|client, _| {
            Box::pin(async move { client.batch_execute(schema::SESSION).await.map_err(HookError::Backend) })
        });
        // Checks the connection, and ends a transaction that was left open; one that has failed costs the connection. Alone,
        // ROLLBACK would put a warning into the server's log each time.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Custom("BEGIN; ROLLBACK".into()) };
        let pool = Pool::builder(Manager::from_config(url.0.clone(), NoTls, manager))
            .max_size(pool)
            .timeouts(timeouts)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .post_create(prepare)
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
        let mut connection = self.run(self.connection())?;
        self.shared.runtime.block_on(async {
            let check = tokio::time::timeout(DEADLINE, schema::check(&mut connection, create));
            check.await.unwrap_or_else(|_| Err(Failure::Late.into()))
        })?;
        Ok(connection)
    }

    /// A connection that was tried just now, or a new one.
    pub(super) async fn connection(&self) -> Result<Object, Failure> {
        connection(&self.shared.pool).await
    }
}

pub(super) async fn connection(pool: &Pool) -> Result<Object, Failure> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => Failure::Server(error),
        _ => Failure::Late,
    })
}
