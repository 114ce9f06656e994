//! The kinds of values that settings have. A parser's error completes the sentence "`--flag VALUE`: …".

use std::fmt::{self, Display};
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::http::authority::{is_address, is_within};

/// What a request to `/` costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Nothing.
    None,
    /// Waiting, as for a database.
    Sleep(Duration),
    /// Hashing for this much CPU time.
    Cpu(Duration),
}

impl Work {
    /// `none`, `sleep:DURATION` or `cpu:DURATION`, up to an hour.
    pub fn parse(text: &str) -> Option<Self> {
        let bounded = |text| humantime::parse_duration(text).ok().filter(|time| *time <= Duration::from_secs(3600));
        match text.split_once(':') {
            None if text == "none" => Some(Self::None),
            Some(("sleep", time)) => bounded(time).map(Self::Sleep),
            Some(("cpu", time)) => bounded(time).map(Self::Cpu),
            _ => None,
        }
    }
}

impl Display for Work {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("none"),
            Self::Sleep(time) => write!(formatter, "sleep:{}", compact(*time)),
            Self::Cpu(time) => write!(formatter, "cpu:{}", compact(*time)),
        }
    }
}

/// A duration as one would type it: `1m30s`, `100ms`.
fn compact(time: Duration) -> String {
    humantime::format_duration(time).to_string().replace(' ', "")
}

/// An engine on this host, for the compare pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: u16,
}

/// `worker-pool=8080,may=8081`.
pub(super) fn peers(text: &str) -> Result<Vec<Peer>, String> {
    let peer = |pair: &str| {
        let (name, port) = pair.split_once('=')?;
        let port = port.trim().parse().ok().filter(|port| *port != 0)?;
        let name = name.trim();
        (!name.is_empty()).then(|| Peer { name: name.to_owned(), port })
    };
    let all: Option<_> = text.split(',').map(peer).collect();
    all.ok_or_else(|| "must be engines and their ports, such as may=8081,hyper=8082".to_owned())
}

/// Host names that the administrator trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    names: Vec<String>,
    /// `*`: this server answers under any name.
    any: bool,
}

impl AllowedHosts {
    /// `pi.example.org,*.school.example`, or `*` for any name.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let names: Vec<_> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
        let is_name = |name: &str| {
            let name = name.strip_prefix("*.").unwrap_or(name);
            let plain =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            plain || is_address(name)
        };
        let any = names.iter().any(|name| name == "*");
        if names.iter().all(|name| name == "*" || is_name(name)) {
            Ok(Self { names: names.into_iter().filter(|name| name != "*").collect(), any })
        } else {
            Err("must be host names without ports, such as pi.example.org,*.school.example; or * for any".to_owned())
        }
    }

    /// Whether this server answers under the name `host`.
    pub fn has(&self, host: &str) -> bool {
        self.any || self.names(host)
    }

    /// Whether `host` is named, alone or with its domain.
    pub fn names(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            Some(domain) => is_within(host, domain),
            None => name.eq_ignore_ascii_case(host),
        })
    }
}

/// A value that no message shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` out of sight.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// A token that can stand in an address and in a header field as it is.
    pub(super) fn parse_token(text: &str) -> Result<Self, String> {
        let fits = (8..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        if fits { Ok(Self::new(text)) } else { Err("must be 8 to 128 letters, digits and -._~".to_owned()) }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// Cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// A whole number within `range`.
pub(super) fn number<T: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
}

/// A timeout: `15s`, `250ms`, `1m`.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let range = Duration::from_millis(1)..=DAY;
    let time = humantime::parse_duration(text).ok().filter(|time| range.contains(time));
    time.ok_or_else(|| "must be a duration such as 250ms, 15s or 1m, at most 1 day".to_owned())
}

/// The time between two log lines of a kind; zero for none.
pub(super) fn log_interval(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).ok().filter(|time| *time <= DAY);
    time.ok_or_else(|| "must be a duration such as 5s or 1m, or 0s for none".to_owned())
}

const DAY: Duration = Duration::from_secs(86_400);

/// `16KiB`, `1MiB`, `4096`.
pub(super) fn size(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let size = text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
    let shown = |bytes: u64| bytesize::ByteSize(bytes).to_string().replace(' ', "").replace(".0", "");
    size.filter(|size| range.contains(size))
        .ok_or_else(|| format!("must be a size from {} to {}", shown(*range.start()), shown(*range.end())))
}

/// `on` or `off`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err("must be on or off".to_owned()),
    }
}

/// `info`, `warn,fastgo=debug` and the like: a level for everything, and levels for targets by their prefix.
pub(super) fn log_filter(text: &str) -> Result<Targets, String> {
    // `Targets` would take a misspelt level for the name of a target.
    let is_level = |directive: &str| {
        let level = directive.split_once('=').map_or(directive, |(_, level)| level).trim();
        !level.is_empty() && level.parse::<LevelFilter>().is_ok()
    };
    let targets = if text.split(',').all(is_level) { text.parse().ok() } else { None };
    targets.ok_or_else(|| {
        "must be off, error, warn, info, debug, trace or target=level, with commas between several".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_prints_what_it_parses() {
        for text in ["none", "sleep:100ms", "cpu:1s", "sleep:1m30s"] {
            assert_eq!(Work::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn hosts_are_allowed_by_name_or_domain() {
        let hosts = AllowedHosts::parse("pi.example.org, *.school.example,[::1]").unwrap();
        for good in ["pi.example.org", "PI.example.org.", "a.school.example", "b.a.school.example", "[::1]"] {
            assert!(hosts.has(good) && hosts.names(good), "{good}");
        }
        for bad in ["school.example", "evilschool.example", "example.org", "pi.example.org.evil.example", ""] {
            assert!(!hosts.has(bad), "{bad}");
        }
        let any = AllowedHosts::parse("*").unwrap();
        assert!(any.has("anything") && !any.names("anything"));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", Secret::parse_token("0123456789")), "Ok(Secret)");
    }

    #[test]
    fn log_filters_are_levels_and_targets_with_levels() {
        let targets = log_filter("warn,fastgo=debug").unwrap();
        assert!(targets.would_enable("fastgo::engine", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("hyper", &tracing::Level::INFO));
    }

    #[test]
    fn sizes_and_durations_have_units() {
        let all = 0..=u64::MAX;
        assert_eq!(size("16KiB", all.clone()), Ok(16_384));
        assert_eq!(size("4096", all), Ok(4096));
        assert_eq!(size("1B", 512..=1 << 20), Err("must be a size from 512B to 1MiB".to_owned()));
        assert_eq!(timeout("1m"), Ok(Duration::from_secs(60)));
        assert!(timeout("15").is_err() && log_interval("0s").is_ok());
    }
}
