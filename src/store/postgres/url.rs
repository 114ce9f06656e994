//! Where the server is.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// For a connection to be made, unless the URL says otherwise.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_millis(700);

/// A server that acknowledges nothing for so long is gone: it was cut off, or lost its power.
const SILENCE: Duration = Duration::from_millis(900);

/// Where the server is, as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with several hosts for a server and its standby.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(pub(super) Config);

impl PostgresUrl {
    /// `None` if it is none, names no host, or demands encryption, which fastgo has not.
    pub(in crate::store) fn parse(text: &str) -> Option<Self> {
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
