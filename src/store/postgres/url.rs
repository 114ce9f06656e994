//! Where the server is.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// For a connection to one address to be made, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(700);

/// A server that acknowledges nothing for so long is gone: it was cut off, or lost its power.
const SILENCE: Duration = Duration::from_millis(900);

/// Where the server is, as `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with several hosts for a server and its standby.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// At least one, each with its port.
    pub(super) hosts: Vec<(Host, u16)>,
    /// Everything else.
    pub(super) settings: Config,
    pub(super) connect_timeout: Duration,
}

impl PostgresUrl {
    /// `None` if it is none, names no host, or demands encryption, which fastgo has not.
    pub(in crate::store) fn parse(text: &str) -> Option<Self> {
        let url = Config::from_str(text).ok()?;
        let plain = matches!(url.get_ssl_mode(), SslMode::Disable | SslMode::Prefer);
        let hosts = hosts(&url)?;
        let connect_timeout = url.get_connect_timeout().copied().unwrap_or(CONNECT_TIMEOUT);
        (plain && !hosts.is_empty()).then(|| Self { hosts, settings: settings(&url, connect_timeout), connect_timeout })
    }
}

/// The hosts of a URL; an address that is given beside a name stands for it. `None` if their numbers do not match.
fn hosts(url: &Config) -> Option<Vec<(Host, u16)>> {
    let (names, addresses, ports) = (url.get_hosts(), url.get_hostaddrs(), url.get_ports());
    let count = names.len();
    let fits = (addresses.is_empty() || addresses.len() == count) && (ports.len() <= 1 || ports.len() == count);
    let host = |index: usize| {
        let host = addresses.get(index).map_or_else(|| names[index].clone(), |address| Host::Tcp(address.to_string()));
        (host, ports.get(index).or(ports.first()).copied().unwrap_or(5432))
    };
    fits.then(|| (0..count).map(host).collect())
}

/// What a URL says of the connection, without its hosts, which cannot be taken out of a [`Config`].
fn settings(url: &Config, connect_timeout: Duration) -> Config {
    let mut settings = Config::new();
    if let Some(user) = url.get_user() {
        settings.user(user);
    }
    if let Some(password) = url.get_password() {
        settings.password(password);
    }
    if let Some(name) = url.get_dbname() {
        settings.dbname(name);
    }
    if let Some(options) = url.get_options() {
        settings.options(options);
    }
    if let Some(retries) = url.get_keepalives_retries() {
        settings.keepalives_retries(retries);
    }
    settings.application_name(url.get_application_name().unwrap_or("fastgo"));
    settings.ssl_mode(SslMode::Disable);
    settings.channel_binding(url.get_channel_binding());
    settings.connect_timeout(connect_timeout);
    settings.tcp_user_timeout(SILENCE);
    settings.keepalives(url.get_keepalives());
    settings.keepalives_idle(Duration::from_secs(5));
    settings.keepalives_interval(Duration::from_secs(1));
    // Of a server and its standby, the one that can write.
    settings.target_session_attrs(TargetSessionAttrs::ReadWrite);
    settings.load_balance_hosts(url.get_load_balance_hosts());
    settings
}

impl fmt::Display for PostgresUrl {
    /// Without the password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = self.hosts.iter().map(|(host, port)| match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => format!("{}:{port}", path.display()),
        });
        formatter.write_str("postgres://")?;
        if let Some(user) = self.settings.get_user() {
            write!(formatter, "{user}@")?;
        }
        formatter.write_str(&hosts.collect::<Vec<_>>().join(","))?;
        self.settings.get_dbname().map_or(Ok(()), |name| write!(formatter, "/{name}"))
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_hosts_is_left_out() {
        let text = "postgres://u:p@db1:1,db2:2/d?options=o&application_name=a&connect_timeout=3&keepalives=0&\
                    keepalives_retries=4&channel_binding=disable&load_balance_hosts=random&sslmode=disable&\
                    keepalives_idle=5&keepalives_interval=1&target_session_attrs=read-write&tcp_user_timeout=1";
        let PostgresUrl { hosts, mut settings, connect_timeout } = PostgresUrl::parse(text).expect("a URL");
        assert_eq!(hosts, [(Host::Tcp("db1".into()), 1), (Host::Tcp("db2".into()), 2)]);
        assert_eq!(connect_timeout, Duration::from_secs(3));
        settings.host("db1").port(1).host("db2").port(2).tcp_user_timeout(Duration::from_secs(1));
        assert!(settings == Config::from_str(text).expect("a URL"), "{settings:?}");
    }

    #[test]
    fn each_host_has_its_port_and_its_address() {
        let hosts = |text| PostgresUrl::parse(text).map(|url| url.hosts);
        let tcp = |host: &str, port| (Host::Tcp(host.into()), port);
        assert_eq!(hosts("postgres://a,b/x"), Some(vec![tcp("a", 5432), tcp("b", 5432)]));
        assert_eq!(hosts("postgres://a,b:5433/x"), Some(vec![tcp("a", 5432), tcp("b", 5433)]));
        assert_eq!(
            hosts("postgres://a,b/x?hostaddr=::1,10.0.0.2"),
            Some(vec![tcp("::1", 5432), tcp("10.0.0.2", 5432)])
        );
        assert_eq!(hosts("postgres://a,b/x?hostaddr=10.0.0.2"), None);
        assert_eq!(hosts("postgres:///x?hostaddr=10.0.0.2"), None);
    }
}
