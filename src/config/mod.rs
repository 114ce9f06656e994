//! Settings: what the command line and the environment give, validated all together before anything is bound.

mod engine;
mod given;
mod live;
mod networks;
mod preset;
mod rows;
mod values;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tracing_subscriber::filter::Targets;

use crate::client::Url;
use crate::store::limits::Rate;
use crate::store::settings::Location;
use crate::trace::{Endpoint, Share};
pub use engine::EngineKind;
pub use given::{BadSettings, Settings};
pub use live::{LIVE, Live};
pub use networks::Networks;
pub use preset::Preset;
pub use rows::{DefaultValue, SETTINGS, Setting};
pub use values::{AllowedHosts, Peer, Secret, Work, cores};

/// The environment variable of the access token: a server asks for it, and commands that read `/metrics` show it.
pub const TOKEN_VARIABLE: &str = "ACCESS_TOKEN";

/// The header field that shows the access token, from `given` or the environment; empty without one.
pub fn authorization(given: Option<&str>) -> String {
    let variable = std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty());
    let token = given.or(variable.as_deref());
    token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default()
}

/// The environment variable in which `fastgo all` lists its engines for each of them: `name=port,name=port`.
pub const PEERS_VARIABLE: &str = "FASTGO_PEERS";

/// Valid settings of one engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// The engine these are for.
    pub engine: EngineKind,
    /// Where to listen; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// Engine threads.
    pub threads: usize,
    /// Workers that take jobs from the queue, the most with an adaptive pool; 0 on engines without a pool.
    pub workers: usize,
    /// Whether the pool has as many workers as the work gains from, rather than always all.
    pub adaptive_workers: bool,
    /// Jobs that may wait; 0 on engines without a queue.
    pub queue_size: usize,
    /// What a reload changes: limits, timeouts, work.
    pub live: Live,
    /// Where registrations are kept.
    pub database: Location,
    /// Most connections to a database server.
    pub database_pool: usize,
    /// How long a registration may wait to be written.
    pub max_wait: Duration,
    /// Connections that one client address may have; 0 is no limit.
    pub max_connections_per_address: u32,
    /// Proxies whose `X-Forwarded-For` counts.
    pub trusted_proxies: Networks,
    /// How often one student may change registrations; `None` is no limit.
    pub rate_limit_student: Option<Rate>,
    /// How often one client address may.
    pub rate_limit_address: Option<Rate>,
    /// Where traces are sent; `None`: nowhere.
    pub otlp_endpoint: Option<Endpoint>,
    /// Where alerts are sent.
    pub notify: Option<Url>,
    /// The share of requests that are traced.
    pub trace_share: Share,
    /// Names of this server, and hosts whose pages may use it, beside its own.
    pub allowed_hosts: AllowedHosts,
    /// Other boards, whose pages may read measurements.
    pub boards: AllowedHosts,
    /// What pages and measurements ask for, if anything.
    pub access_token: Option<Secret>,
    /// Which log records are written.
    pub log: Targets,
    /// Where profiles are served, if they are.
    pub pprof: Option<SocketAddr>,
    /// The engines on this host, this one included.
    pub peers: Vec<Peer>,
}

impl Config {
    /// What [`Settings::resolve`] starts from: each field is set by a row of [`SETTINGS`], from its default at least.
    fn unset(engine: EngineKind) -> Self {
        Self {
            engine,
            address: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            threads: 0,
            workers: 0,
            adaptive_workers: false,
            queue_size: 0,
            live: Live::default(),
            database: Location::None,
            database_pool: 0,
            max_wait: Duration::ZERO,
            max_connections_per_address: 0,
            trusted_proxies: Networks::default(),
            rate_limit_student: None,
            rate_limit_address: None,
            otlp_endpoint: None,
            notify: None,
            trace_share: Share::ALL,
            allowed_hosts: AllowedHosts::default(),
            boards: AllowedHosts::default(),
            access_token: None,
            log: Targets::new(),
            pprof: None,
            peers: Vec::new(),
        }
    }

    /// Corrects this engine's own entry among its peers to the port it got, which may not be the default.
    pub fn set_own_port(&mut self, port: u16) {
        for peer in self.peers.iter_mut().filter(|peer| peer.name == self.engine.name()) {
            peer.port = port;
        }
    }

    fn set_ip(&mut self, ip: IpAddr) {
        self.address.set_ip(ip);
    }
}

#[cfg(test)]
mod tests;
