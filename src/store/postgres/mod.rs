//! Registrations on a `PostgreSQL` server, for several boards or with a standby.
//!
//! The tables and their guarantees are those of the SQLite file. A batch is one transaction that first updates the one
//! row of `registration_day`: its lock makes all boards take turns. `synchronous_commit` is on, so that a commit
//! returns once the server's medium, and its synchronous standby if it has one, hold it. The store's threads block on
//! a runtime of this module; nobody else sees it.

mod operator;
mod read;
mod schema;
mod write;

use std::str::FromStr as _;
use std::time::Duration;
use std::{fmt, io};

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Timeouts};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

use super::backend::{OpenError, ReadAccess, Source, WriteAccess};
use super::model::Reason;
pub(super) use operator::Operator;

/// For a connection to be made, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(700);

/// A server that acknowledges nothing for so long is gone: it was cut off, or lost its power.
const SILENCE: Duration = Duration::from_millis(900);

/// For one transaction. After it the outcome counts as unknown.
const DEADLINE: Duration = Duration::from_secs(5);

/// For a free connection of the pool, and for the check of one that was used before.
const POOL_TIMEOUT: Duration = Duration::from_millis(500);

/// Where the server is, as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with several hosts for a server and its standby.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Config);

impl PostgresUrl {
    /// `None` if it is none, names no host, or demands encryption, which fastgo has not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut config = Config::from_str(text).ok()?;
        let plain = matches!(config.get_ssl_mode(), SslMode::Disable | SslMode::Prefer);
        if config.get_hosts().is_empty() || !plain {
            return None;
        }
        config.ssl_mode(SslMode::Disable);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.tcp_user_timeout(SILENCE);
        config.keepalives_idle(Duration::from_secs(5));
        config.keepalives_interval(Duration::from_secs(1));
        // Of a server and its standby, the one that can write.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("fastgo");
        }
        Some(Self(config))
    }
}

impl fmt::Display for PostgresUrl {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(config) = self;
        let port = |index| config.get_ports().get(index).or(config.get_ports().first()).copied().unwrap_or(5432);
        let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(index)),
            Host::Unix(path) => format!("{}:{}", path.display(), port(index)),
        });
        formatter.write_str("postgres://")?;
        if let Some(user) = config.get_user() {
            write!(formatter, "{user}@")?;
        }
        formatter.write_str(&hosts.collect::<Vec<_>>().join(","))?;
        config.get_dbname().map_or(Ok(()), |name| write!(formatter, "/{name}"))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A server and the connections to it, shared by the threads of a store.
#[derive(Clone)]
pub(super) struct Server {
    shared: std::sync::Arc<Shared>,
}

struct Shared {
    pool: Pool,
    runtime: Runtime,
}

impl Server {
    /// The server at `url`, with at most `pool` connections, none of them made yet.
    pub(super) fn new(url: &PostgresUrl, pool: usize) -> io::Result<Self> {
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
        // Checks the connection, and ends what a transaction that failed has left open.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Custom("ROLLBACK".into()) };
        let pool = Pool::builder(Manager::from_config(url.0.clone(), NoTls, manager))
            .max_size(pool)
            .timeouts(timeouts)
            .runtime(deadpool_postgres::Runtime::Tokio1)
            .post_create(prepare)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self { shared: std::sync::Arc::new(Shared { pool, runtime }) })
    }

    /// Runs `future` on this thread, for at most [`DEADLINE`].
    fn run<T>(&self, future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
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
    fn open(&self, create: bool) -> Result<Object, OpenError> {
        let mut connection = self.run(self.connection())?;
        self.shared.runtime.block_on(async {
            let check = tokio::time::timeout(DEADLINE, schema::check(&mut connection, create));
            check.await.unwrap_or_else(|_| Err(Failure::Late.into()))
        })?;
        Ok(connection)
    }

    /// A connection that was tried just now, or a new one.
    async fn connection(&self) -> Result<Object, Failure> {
        connection(&self.shared.pool).await
    }
}

async fn connection(pool: &Pool) -> Result<Object, Failure> {
    pool.get().await.map_err(|error| match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => Failure::Server(error),
        _ => Failure::Late,
    })
}

impl Source for Server {
    fn writer(&self) -> Result<Box<dyn WriteAccess>, OpenError> {
        Ok(Box::new(write::Writing::open(self.clone())?))
    }

    fn reader(&self) -> Result<Box<dyn ReadAccess>, OpenError> {
        Ok(Box::new(read::Reading::open(self.clone())?))
    }
}

/// What went wrong.
#[derive(Debug)]
enum Failure {
    /// No answer in time.
    Late,
    /// An answer that only this module could misunderstand.
    Unexpected,
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
    fn state(&self) -> Option<&SqlState> {
        if let Self::Server(error) = self { error.code() } else { None }
    }

    fn breaks_connections(&self) -> bool {
        let shutdown = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::READ_ONLY_SQL_TRANSACTION];
        self.state().is_none_or(|state| shutdown.contains(state))
    }

    /// The same for those who wait for an answer.
    fn reason(&self) -> Reason {
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
