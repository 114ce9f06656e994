//! Settings: what the command line and the environment say, validated all together before anything is bound.

mod values;

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::http::Limits;
pub use values::Work;
use values::{Problems, bytes, duration, log_filter};

/// Which engine serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineKind {
    /// Multi-thread tokio and hyper with a bounded queue and a fixed number of workers.
    WorkerPool,
    /// A stackful coroutine for each active connection, on the `may` runtime.
    May,
    /// Thread per core: a single-threaded tokio runtime and a listener each, hyper, no queue.
    Hyper,
    /// The published `may_minihttp` as it comes, for comparison on loopback.
    StockMay,
}

impl EngineKind {
    /// The engines that `fastgo all` starts, in the order of their ports.
    pub const ALL: [Self; 3] = [Self::WorkerPool, Self::May, Self::Hyper];

    /// The name in the command line and in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::WorkerPool => "worker-pool",
            Self::May => "may",
            Self::Hyper => "hyper",
            Self::StockMay => "stock-may",
        }
    }

    /// The port it listens on unless told otherwise.
    pub fn default_port(self) -> u16 {
        match self {
            Self::WorkerPool => 8080,
            Self::May => 8081,
            Self::Hyper => 8082,
            Self::StockMay => 8083,
        }
    }
}

/// The settings as given, each a flag or an environment variable; an empty value counts as not given.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Port to listen on; for `all` the first of three [default: 8080, 8081, 8082]
    #[arg(long, env = "PORT", global = true)]
    pub port: Option<String>,
    /// Address to listen on [default: `::`, dual stack]
    #[arg(long, env = "BIND", global = true)]
    pub bind: Option<String>,
    /// Pool size of worker-pool, engine threads of the others [default: cores × 2, cores]
    #[arg(long, env = "WORKERS", global = true)]
    pub workers: Option<String>,
    /// Jobs that may wait in the queue of worker-pool [default: 10000]
    #[arg(long, env = "WORKER_QUEUE_SIZE", global = true)]
    pub queue_size: Option<String>,
    /// Connections held at once; clamped to what the machine allows [default: 100000]
    #[arg(long, env = "MAX_CONNECTIONS", global = true)]
    pub max_connections: Option<String>,
    /// Time for a whole request to arrive, from its first byte [default: 15s]
    #[arg(long, env = "READ_TIMEOUT", global = true)]
    pub read_timeout: Option<String>,
    /// Time for a whole response, from the end of its request [default: 15s]
    #[arg(long, env = "WRITE_TIMEOUT", global = true)]
    pub write_timeout: Option<String>,
    /// Time a connection may wait between requests [default: 60s]
    #[arg(long, env = "IDLE_TIMEOUT", global = true)]
    pub idle_timeout: Option<String>,
    /// Time for requests in flight after a signal to stop [default: 30s]
    #[arg(long, env = "SHUTDOWN_TIMEOUT", global = true)]
    pub shutdown_timeout: Option<String>,
    /// Largest request head [default: 16KiB]
    #[arg(long, env = "MAX_HEADER_BYTES", global = true)]
    pub max_header_bytes: Option<String>,
    /// Largest request body [default: 1MiB]
    #[arg(long, env = "MAX_BODY_BYTES", global = true)]
    pub max_body_bytes: Option<String>,
    /// What a request to `/` costs: none, sleep:DURATION or cpu:DURATION [default: sleep:100ms on worker-pool, else
    /// sleep:10ms]
    #[arg(long, env = "WORK", global = true)]
    pub work: Option<String>,
    /// Log filter: error, warn, info, debug, trace or per-target directives [default: info]
    #[arg(long, env = "LOG", global = true)]
    pub log: Option<String>,
    /// Time between METRICS log lines; 0s for none [default: 5s]
    #[arg(long, env = "METRICS_LOG_INTERVAL", global = true)]
    pub metrics_log_interval: Option<String>,
    /// Serve profiles on loopback (6060, 6061, 6062): on or off [default: off]
    #[arg(long, env = "PPROF", global = true, num_args = 0..=1, default_missing_value = "on")]
    pub pprof: Option<String>,
}

/// Valid settings of one engine.
#[derive(Debug, Clone)]
pub struct Config {
    /// The engine these are for.
    pub engine: EngineKind,
    /// Where to listen; port 0 lets the kernel choose.
    pub address: SocketAddr,
    /// Pool size of worker-pool, threads of the others.
    pub workers: usize,
    /// Jobs that may wait; 0 on engines without a queue.
    pub queue_size: usize,
    /// Connections held at once.
    pub max_connections: usize,
    /// From a request's first byte to its last, an absolute deadline.
    pub read_timeout: Duration,
    /// From a request's last byte to its answer's last; for a stream, each event.
    pub write_timeout: Duration,
    /// Between requests, and before the first.
    pub idle_timeout: Duration,
    /// For requests in flight when told to stop.
    pub shutdown_timeout: Duration,
    /// Sizes that a request may not exceed.
    pub limits: Limits,
    /// What a request to `/` costs.
    pub work: Work,
    /// Which log records are written.
    pub log: Targets,
    /// Between METRICS log lines; zero for none.
    pub metrics_log_interval: Duration,
    /// Where profiles are served, if they are.
    pub pprof: Option<SocketAddr>,
    /// The engines beside this one.
    pub peers: Vec<Peer>,
}

/// An engine that runs beside this one, for the compare pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its port on the same host.
    pub port: u16,
}

/// The environment variable in which `fastgo all` tells its engines of each other: `name=port,name=port`.
pub const PEERS_VARIABLE: &str = "FASTGO_PEERS";

/// The three engines on their own ports, or what [`PEERS_VARIABLE`] says.
fn peers() -> Vec<Peer> {
    let parse = |text: String| -> Option<Vec<Peer>> {
        let pairs = text.split(',').map(|pair| pair.split_once('='));
        pairs
            .map(|pair| pair.and_then(|(name, port)| Some(Peer { name: name.to_owned(), port: port.parse().ok()? })))
            .collect()
    };
    std::env::var(PEERS_VARIABLE).ok().and_then(parse).unwrap_or_else(|| {
        EngineKind::ALL.map(|kind| Peer { name: kind.name().to_owned(), port: kind.default_port() }).into()
    })
}

/// Every setting that could not be understood, one line each.
#[derive(Debug)]
pub struct BadSettings(Vec<String>);

impl fmt::Display for BadSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for BadSettings {}

impl BadSettings {
    /// One thing that is wrong.
    pub fn one(problem: impl Into<String>) -> Self {
        Self(vec![problem.into()])
    }
}

impl Settings {
    /// The same settings as flags for a child process, all but the port.
    pub fn to_args(&self) -> Vec<OsString> {
        let flags = [
            ("--bind", &self.bind),
            ("--workers", &self.workers),
            ("--queue-size", &self.queue_size),
            ("--max-connections", &self.max_connections),
            ("--read-timeout", &self.read_timeout),
            ("--write-timeout", &self.write_timeout),
            ("--idle-timeout", &self.idle_timeout),
            ("--shutdown-timeout", &self.shutdown_timeout),
            ("--max-header-bytes", &self.max_header_bytes),
            ("--max-body-bytes", &self.max_body_bytes),
            ("--work", &self.work),
            ("--log", &self.log),
            ("--metrics-log-interval", &self.metrics_log_interval),
            ("--pprof", &self.pprof),
        ];
        let given = flags.iter().filter_map(|(flag, value)| Some(format!("{flag}={}", value.as_ref()?)));
        given.map(OsString::from).collect()
    }

    /// The valid settings of `engine`. `position` is added to a given port: `all` numbers its engines from it.
    pub fn resolve(&self, engine: EngineKind, position: u16) -> Result<Config, BadSettings> {
        let mut problems = Problems::default();
        let pooled = engine == EngineKind::WorkerPool;
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let default_work = Work::Sleep(Duration::from_millis(if pooled { 100 } else { 10 }));
        let day = Duration::from_secs(86_400);
        let timeouts = Duration::from_millis(1)..=day;

        let address = self.address(engine, position, &mut problems);
        let workers =
            problems.number("--workers", self.workers.as_deref(), if pooled { cores * 2 } else { cores }, 1..=1024);
        let queue_size = problems.number("--queue-size", self.queue_size.as_deref(), 10_000, 1..=1_000_000);
        let max_connections =
            problems.number("--max-connections", self.max_connections.as_deref(), 100_000, 1..=10_000_000);
        let mut timeout = |flag, value: &Option<String>, seconds| {
            problems.within(
                flag,
                value.as_deref(),
                Duration::from_secs(seconds),
                duration,
                &timeouts,
                "a duration such as 250ms, 15s or 1m, at most 1 day",
            )
        };
        let read_timeout = timeout("--read-timeout", &self.read_timeout, 15);
        let write_timeout = timeout("--write-timeout", &self.write_timeout, 15);
        let idle_timeout = timeout("--idle-timeout", &self.idle_timeout, 60);
        let shutdown_timeout = timeout("--shutdown-timeout", &self.shutdown_timeout, 30);
        let metrics_log_interval = problems.within(
            "--metrics-log-interval",
            self.metrics_log_interval.as_deref(),
            Duration::from_secs(5),
            duration,
            &(Duration::ZERO..=day),
            "a duration such as 5s or 1m, or 0s for none",
        );
        let max_header_bytes = problems.within(
            "--max-header-bytes",
            self.max_header_bytes.as_deref(),
            16 * 1024,
            bytes,
            &(512..=1024 * 1024),
            "a size from 512B to 1MiB such as 16KiB",
        );
        let max_body_bytes = problems.within(
            "--max-body-bytes",
            self.max_body_bytes.as_deref(),
            1024 * 1024,
            bytes,
            &(0..=1024 * 1024 * 1024),
            "a size up to 1GiB such as 1MiB",
        );
        let work = problems.parse(
            "--work",
            self.work.as_deref(),
            || default_work,
            "none, sleep:DURATION or cpu:DURATION up to 1h",
            Work::parse,
        );
        let log = problems.parse(
            "--log",
            self.log.as_deref(),
            || Targets::new().with_default(LevelFilter::INFO),
            "off, error, warn, info, debug, trace or target=level, with commas between several",
            log_filter,
        );
        let pprof = problems.parse(
            "--pprof",
            self.pprof.as_deref(),
            || false,
            "on or off",
            |text| match text {
                "on" | "true" | "1" => Some(true),
                "off" | "false" | "0" => Some(false),
                _ => None,
            },
        );
        problems.finish()?;
        Ok(Config {
            engine,
            address,
            workers,
            queue_size: if pooled { queue_size } else { 0 },
            max_connections,
            read_timeout,
            write_timeout,
            idle_timeout,
            shutdown_timeout,
            limits: Limits { max_head_bytes: max_header_bytes as usize, max_body_bytes },
            work,
            log,
            metrics_log_interval,
            peers: peers(),
            pprof: pprof.then(|| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 6060 + engine.default_port() - 8080)),
        })
    }

    fn address(&self, engine: EngineKind, position: u16, problems: &mut Problems) -> SocketAddr {
        let confined = engine == EngineKind::StockMay;
        let port = problems.number("--port", self.port.as_deref(), engine.default_port().into(), 0..=65_535) as u16;
        let port = if given(self.port.as_deref()).is_some() && port != 0 {
            port.checked_add(position).unwrap_or_else(|| {
                problems.add("--port", self.port.as_deref(), "leaves no room for the ports after it");
                port
            })
        } else {
            port
        };
        let bind = problems.parse(
            "--bind",
            self.bind.as_deref(),
            || default_bind(engine),
            if confined {
                "an address of loopback: may_minihttp as published has no limits and no timeouts"
            } else {
                "an IP address"
            },
            |text| text.parse::<IpAddr>().ok().filter(|ip| !confined || ip.is_loopback()),
        );
        SocketAddr::new(bind, port)
    }
}

/// `None` for a value that is absent or empty, as `PORT=` in an environment file is.
fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|text| !text.is_empty())
}

/// Dual stack where the kernel has IPv6; loopback for the engine that must not face a network.
fn default_bind(engine: EngineKind) -> IpAddr {
    if engine == EngineKind::StockMay {
        return Ipv4Addr::LOCALHOST.into();
    }
    let ipv6 = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)
        .and_then(|socket| socket.bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0).into()));
    if ipv6.is_ok() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_contract() {
        let config = Settings::default().resolve(EngineKind::WorkerPool, 0).unwrap();
        assert_eq!((config.address.port(), config.queue_size, config.max_connections), (8080, 10_000, 100_000));
        assert_eq!(config.work, Work::Sleep(Duration::from_millis(100)));
        assert_eq!((config.read_timeout, config.idle_timeout), (Duration::from_secs(15), Duration::from_secs(60)));
        assert_eq!((config.limits.max_head_bytes, config.limits.max_body_bytes), (16 * 1024, 1024 * 1024));
        let hyper = Settings::default().resolve(EngineKind::Hyper, 0).unwrap();
        assert_eq!((hyper.address.port(), hyper.work), (8082, Work::Sleep(Duration::from_millis(10))));
        assert!(Settings::default().resolve(EngineKind::StockMay, 0).unwrap().address.ip().is_loopback());
    }

    #[test]
    fn all_bad_values_are_reported_together() {
        let settings = Settings {
            port: Some("65536".into()),
            workers: Some("0".into()),
            read_timeout: Some("soon".into()),
            max_body_bytes: Some("-1".into()),
            work: Some("nap".into()),
            log: Some("inof".into()),
            ..Settings::default()
        };
        let report = settings.resolve(EngineKind::May, 0).unwrap_err().to_string();
        for flag in ["--port", "--workers", "--read-timeout", "--max-body-bytes", "--work", "--log"] {
            assert!(report.contains(flag), "{flag} in {report}");
        }
        assert_eq!(report.lines().count(), 6);
    }

    #[test]
    fn the_published_crate_stays_on_loopback() {
        let on = |bind: &str| {
            Settings { bind: Some(bind.to_owned()), ..Settings::default() }.resolve(EngineKind::StockMay, 0)
        };
        assert!(on("::1").is_ok());
        assert!(on("0.0.0.0").unwrap_err().to_string().contains("loopback"));
    }

    #[test]
    fn empty_values_count_as_absent_and_a_port_is_counted_from() {
        let settings = Settings { port: Some("3000".into()), workers: Some(" ".into()), ..Settings::default() };
        assert_eq!(settings.resolve(EngineKind::Hyper, 2).unwrap().address.port(), 3002);
        let settings = Settings { port: Some("65535".into()), ..Settings::default() };
        assert!(settings.resolve(EngineKind::Hyper, 2).is_err());
    }
}
