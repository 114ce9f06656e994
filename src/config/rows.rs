//! Every setting, one row each: the command line, the help, the errors, the README's table and the tests come from it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::values::{
    AllowedHosts, Secret, Work, cores, log_filter, log_interval, number, peers, size, switch, timeout,
};
use super::{Config, EngineKind, Networks, PEERS_VARIABLE, TOKEN_VARIABLE};
use crate::client::Url;
use crate::store::limits::Rate;
use crate::store::settings::Location;
use crate::trace::{Endpoint, Share};

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// The long flag, without its dashes; `None` where only the environment can set it.
    pub flag: Option<&'static str>,
    /// The environment variable; also the setting's name within the program.
    pub env: &'static str,
    /// The kind of value, for the help.
    pub value: &'static str,
    /// What the flag means when it comes without a value; `None` where it needs one.
    pub bare: Option<&'static str>,
    /// The value where none is given.
    pub default: DefaultValue,
    /// What it does, in the help and in the README.
    pub doc: &'static str,
    /// Parses a value and stores it; the error says what is expected.
    pub set: fn(&mut Config, &str) -> Result<(), String>,
    /// Values that must be accepted.
    pub good: &'static [&'static str],
    /// Values that must be refused.
    pub bad: &'static [&'static str],
}

/// The value of a setting that was not given.
#[derive(Debug)]
pub enum DefaultValue {
    /// This one.
    Is(&'static str),
    /// How it is described, and how it is found.
    Found(&'static str, fn(EngineKind) -> String),
}

impl DefaultValue {
    /// As the help and the README show it.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Is(text) | Self::Found(text, _) => text,
        }
    }

    /// The value for an engine, to be parsed like one that was given.
    pub fn text(&self, engine: EngineKind) -> String {
        match self {
            Self::Is(text) => (*text).to_owned(),
            Self::Found(_, find) => find(engine),
        }
    }
}

/// The most workers for each core that an adaptive pool of worker-pool grows to: with work of 100 ms enough for 5,120
/// requests a second for each core.
const MOST_WORKERS_PER_CORE: usize = 512;

/// All settings, in the order of the help.
pub const SETTINGS: &[Setting] = &[
    Setting {
        flag: Some("port"),
        env: "PORT",
        value: "PORT",
        bare: None,
        default: DefaultValue::Found("8080, 8081, 8082", |engine| engine.default_port().to_string()),
        doc: "Port to listen on; for `all` the first of three consecutive ports; 0 lets the kernel choose",
        set: |config, text| number(text, 0..=65_535).map(|port| config.address.set_port(port)),
        good: &["0", "80", "65535"],
        bad: &["65536", "-1", "http"],
    },
    Setting {
        flag: Some("bind"),
        env: "BIND",
        value: "ADDRESS",
        bare: None,
        default: DefaultValue::Found("::", |engine| default_bind(engine).to_string()),
        doc: "Address to listen on. `::` is IPv6 and IPv4; where IPv6 is off the default is 0.0.0.0; stock-may: 127.0.0.1",
        set: |config, text| {
            let ip: IpAddr = text.parse().map_err(|_| "must be an IP address")?;
            if config.engine == EngineKind::STOCK_MAY && !ip.is_loopback() {
                return Err(
                    "must be a loopback address: may_minihttp as published has no limits and no timeouts".into()
                );
            }
            config.set_ip(ip);
            Ok(())
        },
        good: &["127.0.0.1", "::1"],
        bad: &["nowhere", "localhost", "1.2.3"],
    },
    Setting {
        flag: Some("threads"),
        env: "THREADS",
        value: "N",
        bare: None,
        default: DefaultValue::Found("cores", |_| cores().min(1024).to_string()),
        doc: "Engine threads, on every engine",
        set: |config, text| number(text, 1..=1024).map(|threads| config.threads = threads),
        good: &["1", "1024"],
        bad: &["0", "1025", "many"],
    },
    Setting {
        flag: Some("workers"),
        env: "WORKERS",
        value: "N",
        bare: None,
        default: DefaultValue::Is("auto"),
        doc: "Workers in the pool of worker-pool, each running one request's work at a time; auto: from cores × 2 upwards, as many as the work gains from; ignored elsewhere",
        set: |config, text| {
            let adaptive = text == "auto";
            let most = (cores() * MOST_WORKERS_PER_CORE).min(65_536);
            let workers =
                if adaptive { most } else { number(text, 1..=65_536).map_err(|error| error + ", or auto")? };
            (config.workers, config.adaptive_workers) = if has_pool(config) { (workers, adaptive) } else { (0, false) };
            Ok(())
        },
        good: &["1", "65536", "auto"],
        bad: &["0", "65537", "many"],
    },
    Setting {
        flag: Some("queue-size"),
        env: "WORKER_QUEUE_SIZE",
        value: "N",
        bare: None,
        default: DefaultValue::Is("10000"),
        doc: "Requests that may wait for a worker of worker-pool; when full: 503 with `Retry-After: 1`",
        set: |config, text| {
            let size = number(text, 1..=1_000_000)?;
            config.queue_size = if has_pool(config) { size } else { 0 };
            Ok(())
        },
        good: &["1", "1000000"],
        bad: &["0", "-1", "1000001"],
    },
    Setting {
        flag: Some("max-connections"),
        env: "MAX_CONNECTIONS",
        value: "N",
        bare: None,
        default: DefaultValue::Is("100000"),
        doc: "Connections held at once; lowered at start to what the machine allows, and the log says so",
        set: |config, text| number(text, 1..=10_000_000).map(|most| config.live.set_max_connections(most)),
        good: &["1", "10000000"],
        bad: &["0", "many", "1e5"],
    },
    Setting {
        flag: Some("read-timeout"),
        env: "READ_TIMEOUT",
        value: "DURATION",
        bare: None,
        default: DefaultValue::Is("15s"),
        doc: "Time for a whole request to arrive, from its first byte, and for its work to begin; then 408",
        set: |config, text| timeout(text).map(|time| config.live.set_read_timeout(time)),
        good: &["1ms", "1m 30s", "1day"],
        bad: &["15", "0s", "2days", "soon"],
    },
    Setting {
        flag: Some("write-timeout"),
        env: "WRITE_TIMEOUT",
        value: "DURATION",
        bare: None,
        default: DefaultValue::Is("15s"),
        doc: "Time for the work and the whole response; for a stream, each event",
        set: |config, text| timeout(text).map(|time| config.live.set_write_timeout(time)),
        good: &["250ms"],
        bad: &["-1s", "0ms"],
    },
    Setting {
        flag: Some("idle-timeout"),
        env: "IDLE_TIMEOUT",
        value: "DURATION",
        bare: None,
        default: DefaultValue::Is("60s"),
        doc: "Time between requests on a connection, and before the first",
        set: |config, text| timeout(text).map(|time| config.live.set_idle_timeout(time)),
        good: &["1h"],
        bad: &["soon", "60"],
    },
    Setting {
        flag: Some("shutdown-timeout"),
        env: "SHUTDOWN_TIMEOUT",
        value: "DURATION",
        bare: None,
        default: DefaultValue::Is("30s"),
        doc: "Time for requests in flight after SIGTERM or SIGINT; a second signal ends the process at once",
        set: |config, text| timeout(text).map(|time| config.live.set_shutdown_timeout(time)),
        good: &["5s"],
        bad: &["1 fortnight"],
    },
    Setting {
        flag: Some("max-header-bytes"),
        env: "MAX_HEADER_BYTES",
        value: "SIZE",
        bare: None,
        default: DefaultValue::Is("16KiB"),
        doc: "Largest request head, else 431; a target over 8 KiB is 414",
        set: |config, text| size(text, 512..=1 << 20).map(|size| config.live.set_max_head_bytes(size as usize)),
        good: &["512", "1MiB"],
        bad: &["1B", "2MiB", "16 kilos"],
    },
    Setting {
        flag: Some("max-body-bytes"),
        env: "MAX_BODY_BYTES",
        value: "SIZE",
        bare: None,
        default: DefaultValue::Is("1MiB"),
        doc: "Largest request body, else 413",
        set: |config, text| size(text, 0..=1 << 30).map(|size| config.live.set_max_body_bytes(size)),
        good: &["0", "1GiB"],
        bad: &["-1", "1XiB", "2GiB"],
    },
    Setting {
        flag: Some("work"),
        env: "WORK",
        value: "WORK",
        bare: None,
        default: DefaultValue::Is("sleep:10ms"),
        doc: "What a request to `/` costs: none, sleep:DURATION or cpu:DURATION (hashing)",
        set: |config, text| {
            let work = Work::parse(text).ok_or("must be none, sleep:DURATION or cpu:DURATION up to 1h")?;
            config.live.set_work(work);
            Ok(())
        },
        good: &["none", "sleep:0s", "cpu:1ms", "sleep:1h"],
        bad: &["nap:1s", "sleep", "sleep:", "cpu:2h", "sleep:-1s", "None"],
    },
    Setting {
        flag: Some("database"),
        env: "DATABASE_URL",
        value: "DATABASE",
        bare: None,
        default: DefaultValue::Found("registrations.db in the state directory", |_| {
            Location::default_of_environment().to_string()
        }),
        doc: "Where registrations are kept: sqlite:FILE, postgres://USER@HOST/DATABASE for several boards, or none; one that is missing is used as soon as it is there",
        set: |config, text| {
            config.database = Location::parse(text).ok_or_else(|| format!("must be {}", Location::EXPECTED))?;
            Ok(())
        },
        good: &["none", "sqlite:/var/lib/fastgo/registrations.db"],
        bad: &["registrations.db", "mysql://db", "mysql://school:secret@db", "sqlite:", "postgres://"],
    },
    Setting {
        flag: Some("database-pool"),
        env: "DATABASE_POOL",
        value: "N",
        bare: None,
        default: DefaultValue::Is("8"),
        doc: "Most connections to a PostgreSQL server",
        set: |config, text| number(text, 2..=1024).map(|pool| config.database_pool = pool),
        good: &["2", "1024"],
        bad: &["1", "1025", "many"],
    },
    Setting {
        flag: Some("max-wait"),
        env: "MAX_WAIT",
        value: "DURATION",
        bare: None,
        default: DefaultValue::Is("10s"),
        doc: "A registration is admitted only if its predicted wait is shorter, else 503 with `Retry-After`",
        set: |config, text| timeout(text).map(|time| config.max_wait = time),
        good: &["500ms", "1m"],
        bad: &["10", "0s", "2days"],
    },
    Setting {
        flag: Some("rate-limit-student"),
        env: "RATE_LIMIT_STUDENT",
        value: "RATE",
        bare: None,
        default: DefaultValue::Is("5/s:10"),
        doc: "Rate and burst at which one student may change registrations, or off; then 429 with `Retry-After`",
        set: |config, text| rate(text).map(|rate| config.rate_limit_student = rate),
        good: &["off", "30/m:5"],
        bad: &["5", "5/s", "0/s:1", "5/h:1"],
    },
    Setting {
        flag: Some("rate-limit-address"),
        env: "RATE_LIMIT_ADDRESS",
        value: "RATE",
        bare: None,
        default: DefaultValue::Is("500/s:5000"),
        doc: "The same for one client address (IPv6: one /64); a school is behind one",
        set: |config, text| rate(text).map(|rate| config.rate_limit_address = rate),
        good: &["off", "1000/s:1"],
        bad: &["on", "1/s:0", "-1/s:5"],
    },
    Setting {
        flag: Some("otlp-endpoint"),
        env: "OTEL_EXPORTER_OTLP_ENDPOINT",
        value: "URL",
        bare: None,
        default: DefaultValue::Is("none"),
        doc: "Where traces go: http://HOST:PORT of a collector that receives OTLP over HTTP, or none",
        set: |config, text| {
            config.otlp_endpoint = match text {
                "none" => None,
                url => Some(Endpoint::parse(url).ok_or_else(|| format!("must be {}", Endpoint::EXPECTED))?),
            };
            Ok(())
        },
        good: &["none", "http://localhost:4318", "http://[::1]:4318/base/"],
        bad: &["localhost:4318", "https://collector:4318", "http://", "http://a b"],
    },
    Setting {
        flag: Some("trace-share"),
        env: "OTEL_TRACES_SAMPLER_ARG",
        value: "SHARE",
        bare: None,
        default: DefaultValue::Is("1"),
        doc: "Share of requests that are traced, from 0 to 1; a `traceparent` of the client decides for its own",
        set: |config, text| {
            config.trace_share = Share::parse(text).ok_or_else(|| format!("must be {}", Share::EXPECTED))?;
            Ok(())
        },
        good: &["0", "0.01", "1"],
        bad: &["2", "-1", "all", "NaN"],
    },
    Setting {
        flag: Some("notify"),
        env: "NOTIFY_URL",
        value: "URL",
        bare: None,
        default: DefaultValue::Is("none"),
        doc: "Where alerts go, as an HTTP POST: http://HOST[:PORT]/PATH of an ntfy topic or another webhook, or none",
        set: |config, text| {
            config.notify = match text {
                "none" => None,
                url => Some(Url::parse(url).ok_or("must be http://HOST[:PORT][/PATH], without https, or none")?),
            };
            Ok(())
        },
        good: &["none", "http://ntfy.local/pi", "http://[::1]:8123/api/webhook/pi?x=1"],
        bad: &["ntfy.local/pi", "https://ntfy.sh/pi", "http://", "http://a b/", "http://user@a/"],
    },
    Setting {
        flag: Some("max-connections-per-address"),
        env: "MAX_CONNECTIONS_PER_ADDRESS",
        value: "N",
        bare: None,
        default: DefaultValue::Is("0"),
        doc: "Connections that one client address (IPv6: one /64) may have, else 503; 0 is no limit: a load generator is one address",
        set: |config, text| number(text, 0..=10_000_000).map(|most| config.max_connections_per_address = most),
        good: &["0", "100"],
        bad: &["-1", "many"],
    },
    Setting {
        flag: Some("trusted-proxy"),
        env: "TRUSTED_PROXY",
        value: "NETWORKS",
        bare: None,
        default: DefaultValue::Is("none"),
        doc: "Proxies whose `X-Forwarded-For` names the client: addresses or networks such as 10.0.0.0/8, with commas between",
        set: |config, text| {
            config.trusted_proxies = Networks::parse(text).ok_or_else(|| format!("must be {}", Networks::EXPECTED))?;
            Ok(())
        },
        good: &["none", "127.0.0.1", "10.0.0.0/8, fd00::/8"],
        bad: &["proxy", "10.0.0.0/33", "all"],
    },
    Setting {
        flag: Some("allowed-hosts"),
        env: "ALLOWED_HOSTS",
        value: "NAMES",
        bare: None,
        default: DefaultValue::Found("none", |_| String::new()),
        doc: "Further names of this server (a proxy's, say), and hosts whose pages may read and use it; `*`: any name",
        set: |config, text| {
            config.allowed_hosts = if text.is_empty() { AllowedHosts::default() } else { AllowedHosts::parse(text)? };
            Ok(())
        },
        good: &["pi.example.org", "*.school.example, pi.local", "*", "192.0.2.7,[2001:db8::7]"],
        bad: &["http://pi.local", "pi.local:8080", "a,,b", "*.", "a b"],
    },
    Setting {
        flag: Some("boards"),
        env: "BOARDS",
        value: "NAMES",
        bare: None,
        default: DefaultValue::Found("none", |_| String::new()),
        doc: "Other boards, whose pages may read metrics and history here, and nothing else: host names with commas between; `*.local`: any of this network",
        set: |config, text| {
            config.boards = if text.is_empty() { AllowedHosts::default() } else { AllowedHosts::parse(text)? };
            // The empty name is among those of `*` only, which would let every page read.
            if config.boards.has("") { Err("must name hosts or domains, such as *.local".to_owned()) } else { Ok(()) }
        },
        good: &["pi1.local,pi2.local", "*.local", "192.0.2.7"],
        bad: &["*", "pi1.local,*", "http://pi1.local", "pi1.local:8080"],
    },
    Setting {
        flag: None,
        env: TOKEN_VARIABLE,
        value: "TOKEN",
        bare: None,
        default: DefaultValue::Found("none", |_| String::new()),
        doc: "Asked for by pages and metrics: `Authorization: Bearer TOKEN`, or once `?token=TOKEN` in a browser",
        set: |config, text| {
            config.access_token = if text.is_empty() { None } else { Some(Secret::parse_token(text)?) };
            Ok(())
        },
        good: &["a-Token_of.8~"],
        bad: &["short", "with space and more", "percent%41more", "größer-als-acht"],
    },
    Setting {
        flag: Some("log"),
        env: "LOG",
        value: "FILTER",
        bare: None,
        default: DefaultValue::Is("info"),
        doc: "Log level: off, error, warn, info, debug or trace; or target=level, with commas between several",
        set: |config, text| log_filter(text).map(|targets| config.log = targets),
        good: &["debug", "WARN", "off", "fastgo=debug", "warn,fastgo=debug, hyper=trace"],
        bad: &["inof", "fastgo", "fastgo=loud", "info,", "=debug=x", "[[["],
    },
    Setting {
        flag: Some("metrics-log-interval"),
        env: "METRICS_LOG_INTERVAL",
        value: "DURATION",
        bare: None,
        default: DefaultValue::Is("5s"),
        doc: "Time between METRICS lines in the log; 0s for none; the packaged settings have 60s",
        set: |config, text| log_interval(text).map(|time| config.live.set_metrics_log_interval(time)),
        good: &["0s", "1m"],
        bad: &["x", "5", "-1s"],
    },
    Setting {
        flag: Some("pprof"),
        env: "PPROF",
        value: "on|off",
        bare: Some("on"),
        default: DefaultValue::Is("off"),
        doc: "Serve profiles on loopback, port 6060, 6061 or 6062 by engine",
        set: |config, text| {
            let port = 6060 + (config.engine.default_port() - EngineKind::WORKER_POOL.default_port());
            let address = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
            config.pprof = switch(text)?.then_some(address);
            Ok(())
        },
        good: &["on", "off", "1", "false"],
        bad: &["perhaps", "2"],
    },
    Setting {
        flag: None,
        env: PEERS_VARIABLE,
        value: "NAME=PORT,...",
        bare: None,
        default: DefaultValue::Found("worker-pool=8080,may=8081,hyper=8082", |_| {
            EngineKind::ALL.map(|kind| format!("{}={}", kind.name(), kind.default_port())).join(",")
        }),
        doc: "Engines on this host, for the compare pages; `all` sets it",
        set: |config, text| peers(text).map(|peers| config.peers = peers),
        good: &["may=9001", "worker-pool=1, may=2"],
        bad: &["may", "may=0", "may=65536", "=8080", "may=8081,"],
    },
];

fn rate(text: &str) -> Result<Option<Rate>, String> {
    Rate::parse(text).ok_or_else(|| format!("must be {}", Rate::EXPECTED))
}

fn has_pool(config: &Config) -> bool {
    config.engine.has_pool()
}

/// Dual stack where the kernel has IPv6; loopback for the engine that must not face a network.
fn default_bind(engine: EngineKind) -> IpAddr {
    if engine == EngineKind::STOCK_MAY {
        return Ipv4Addr::LOCALHOST.into();
    }
    let ipv6 = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::STREAM, None)
        .and_then(|socket| socket.bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0).into()));
    if ipv6.is_ok() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}
