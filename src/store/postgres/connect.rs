//! Makes connections: tries one host after the other, each within a limit of its own that covers its name, too.

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

use super::failure::Failure;
use super::schema;
use super::server::POOL_TIMEOUT;
use super::url::PostgresUrl;

/// Makes the connections of a pool.
pub(super) struct Connector {
    hosts: Vec<(Place, u16)>,
    settings: Config,
    /// For one host: its name, the connection, and the server's first answers.
    limit: Duration,
}

enum Place {
    Tcp(HostName),
    Unix(PathBuf),
}

impl Connector {
    pub(super) fn new(url: &PostgresUrl) -> Self {
        Self::resolving(url, look_up)
    }

    fn resolving(url: &PostgresUrl, resolve: Resolve) -> Self {
        let host = |(host, port): &(Host, u16)| match host {
            Host::Tcp(name) => (Place::Tcp(HostName::new(name, resolve)), *port),
            Host::Unix(path) => (Place::Unix(path.clone()), *port),
        };
        let hosts = url.hosts.iter().map(host).collect();
        Self { hosts, settings: url.settings.clone(), limit: url.connect_timeout + POOL_TIMEOUT }
    }

    async fn connect(&self, (place, port): &(Place, u16)) -> Result<ClientWrapper, Failure> {
        let mut config = self.settings.clone();
        config.port(*port);
        match place {
            Place::Tcp(name) => {
                for address in name.addresses().await? {
                    config.hostaddr(address);
                }
            }
            Place::Unix(path) => {
                config.host_path(path);
            }
        }
        let (client, connection) = config.connect(NoTls).await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::warn!(event = "store", "PostgreSQL: {}", Failure::Server(error));
            }
        });
        let client = ClientWrapper::new(client, task);
        client.batch_execute(schema::SESSION).await?;
        Ok(client)
    }
}

impl Manager for Connector {
    type Type = ClientWrapper;
    type Error = Failure;

    /// Fails as the last host does.
    async fn create(&self) -> Result<ClientWrapper, Failure> {
        let mut last = Failure::Late;
        for host in &self.hosts {
            match timeout(self.limit, self.connect(host)).await.unwrap_or(Err(Failure::Late)) {
                Ok(client) => return Ok(client),
                Err(failure) => last = failure,
            }
        }
        Err(last)
    }

    /// Checks the connection, and ends a transaction that was left open; one that has failed costs the connection.
    /// Alone, ROLLBACK would put a warning into the server's log each time.
    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<Failure> {
        client.batch_execute("BEGIN; ROLLBACK").await.map_err(|error| RecycleError::Backend(error.into()))
    }
}

/// Finds the addresses of a name. Blocks, for as long as the system's resolver likes.
type Resolve = fn(&str) -> io::Result<Vec<IpAddr>>;

fn look_up(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

type Found = Result<Vec<IpAddr>, String>;

/// A host name or an address. A look-up cannot be cancelled; so that those without an answer do not pile up, there is one at
/// a time, for all who ask meanwhile.
struct HostName {
    text: String,
    resolve: Resolve,
    /// The last look-up. It is under way while its sender lives.
    lookup: Mutex<watch::Receiver<Option<Found>>>,
}

impl HostName {
    fn new(name: &str, resolve: Resolve) -> Self {
        Self { text: name.into(), resolve, lookup: Mutex::new(watch::channel(None).1) }
    }

    async fn addresses(&self) -> Result<Vec<IpAddr>, Failure> {
        if let Ok(address) = self.text.parse() {
            return Ok(vec![address]);
        }
        let mut lookup = self.lookup()?;
        let found = lookup.wait_for(Option::is_some).await.ok().and_then(|found| found.clone());
        found.ok_or(Failure::Unexpected)?.map_err(Failure::Name)
    }

    /// The look-up that is under way, or a new one. On a thread of its own: a runtime would wait for it when it ends.
    fn lookup(&self) -> Result<watch::Receiver<Option<Found>>, Failure> {
        let mut last = self.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        if last.has_changed().is_err() {
            let (sender, receiver) = watch::channel(None);
            let (name, resolve) = (self.text.clone(), self.resolve);
            let find = move || sender.send_replace(Some(resolve(&name).map_err(|error| format!("{name}: {error}"))));
            let thread = thread::Builder::new().name("store-resolve".into()).spawn(find);
            thread.map_err(|error| Failure::Name(format!("{}: {error}", self.text)))?;
            *last = receiver;
        }
        Ok(last.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn each_host_has_its_own_time() {
        fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
            if name == "unanswered.example" {
                thread::sleep(Duration::MAX);
            }
            look_up("127.0.0.1")
        }
        // Connections to `silent` are accepted by the kernel, and never answered.
        let (silent, last) = (TcpListener::bind("127.0.0.1:0").await, TcpListener::bind("127.0.0.1:0").await);
        let (silent, last) = (silent.expect("a listener"), last.expect("a listener"));
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port();
        let hosts = format!("unanswered.example,silent.example:{},last.example:{}", port(&silent), port(&last));
        let url = PostgresUrl::parse(&format!("postgres://u@{hosts}/x")).expect("a URL");
        let connector = Connector { limit: Duration::from_millis(500), ..Connector::resolving(&url, resolve) };
        let accept = async { drop(timeout(Duration::from_secs(20), last.accept()).await.expect("a connection")) };
        let (created, ()) = tokio::join!(connector.create(), accept);
        assert!(matches!(created, Err(Failure::Server(_))), "as the last host: {:?}", created.err());
    }

    #[tokio::test]
    async fn lookups_without_an_answer_do_not_pile_up() {
        static LOOKUPS: AtomicUsize = AtomicUsize::new(0);
        static ANSWERS: AtomicBool = AtomicBool::new(false);
        fn resolve(_: &str) -> io::Result<Vec<IpAddr>> {
            LOOKUPS.fetch_add(1, Ordering::SeqCst);
            while !ANSWERS.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(1));
            }
            look_up("127.0.0.1")
        }
        let name = HostName::new("db.example", resolve);
        for _ in 0..20 {
            assert!(timeout(Duration::from_millis(5), name.addresses()).await.is_err());
        }
        let release = async { ANSWERS.store(true, Ordering::SeqCst) };
        let (one, other, ()) = tokio::join!(name.addresses(), name.addresses(), release);
        assert_eq!([one.expect("addresses"), other.expect("addresses")], [[Ipv4Addr::LOCALHOST]; 2]);
        assert_eq!(LOOKUPS.load(Ordering::SeqCst), 1);
        while name.lookup.lock().expect("no panic").has_changed().is_ok() {
            tokio::task::yield_now().await;
        }
        name.addresses().await.expect("addresses");
        assert_eq!(LOOKUPS.load(Ordering::SeqCst), 2, "an answer is not kept: addresses change");
    }

    #[tokio::test]
    async fn a_name_that_is_unknown_is_named() {
        let name = HostName::new("db.example", |_| Err(io::Error::other("no such name")));
        let failure = name.addresses().await.expect_err("no address");
        assert_eq!(failure.to_string(), "db.example: no such name");
        let address = HostName::new("::1", |_| panic!("nothing to look up"));
        assert_eq!(address.addresses().await.expect("an address"), ["::1".parse::<IpAddr>().expect("an address")]);
    }
}
