//! The address of a collector.

use std::fmt;

/// Where spans are sent: `http://HOST[:PORT][/PATH]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port, as the header `Host` has them.
    pub(super) authority: Box<str>,
    /// Host and port to connect to, the host without brackets.
    pub(super) host: Box<str>,
    pub(super) port: u16,
    /// The path of the requests.
    pub(super) path: Box<str>,
}

impl Endpoint {
    /// What a value must look like.
    pub const EXPECTED: &str = "http://HOST:PORT, of a collector that receives OTLP over HTTP, or none";

    /// The base URL of a collector. The path `/v1/traces` is added, as the specification of the variable requires.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let (authority, base) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte));
        if !plain(rest) {
            return None;
        }
        let bracket = authority.find(']').map_or(0, |at| at + 1);
        let (name, port) = match authority[bracket..].split_once(':') {
            Some((before, port)) => {
                (&authority[..bracket + before.len()], port.parse().ok().filter(|port| *port != 0)?)
            }
            None => (authority, 80),
        };
        let host = name.strip_prefix('[').map_or(Some(name), |inner| inner.strip_suffix(']'))?;
        let path = match base.trim_end_matches('/') {
            "" => "/v1/traces".into(),
            base => format!("/{base}/v1/traces").into(),
        };
        (!host.is_empty()).then(|| Self { authority: authority.into(), host: host.into(), port, path })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}{}", self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_addresses() {
        for (text, shown, host, port) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces", "localhost", 4318),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces", "localhost", 4318),
            ("http://[::1]:4318/otlp", "http://[::1]:4318/otlp/v1/traces", "::1", 4318),
            ("http://collector", "http://collector/v1/traces", "collector", 80),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!((endpoint.to_string().as_str(), &*endpoint.host, endpoint.port), (shown, host, port));
        }
        for bad in ["", "localhost:4318", "https://a:4318", "http://", "http://:4318", "http://a:0", "http://a:x"] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
        for bad in ["http://a b", "http://u@a", "http://a/?q", "http://a/\r\nx: y", "http://[::1"] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
    }
}
