//! The URL as typed, and the address it leads to.

use std::fmt;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use http::Uri;

/// How long one of several addresses of a name may take to accept a connection.
const PROBE: Duration = Duration::from_secs(2);

/// An `http://` URL, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Host and port as they go into `Host` (RFC 9110, section 7.2).
    authority: String,
    /// Name or address without the brackets of IPv6.
    host: String,
    port: u16,
    /// Path and query: the request target in origin form.
    path: String,
}

impl FromStr for Target {
    type Err = String;

    /// Takes `http://host[:port][/path][?query]`; the scheme may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = full.parse().map_err(|error| format!("{error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err("only http:// can be flooded (no TLS)".to_owned());
        }
        let authority = uri.authority().ok_or("no host")?;
        if authority.as_str().contains('@') {
            return Err("a user name in the URL is not supported".to_owned());
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 80,
            _ => authority.port_u16().ok_or("the port is not a number from 1 to 65535")?,
        };
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || port == 0 {
            return Err("host and port must not be empty".to_owned());
        }
        Ok(Self {
            authority: authority.to_string(),
            host: host.to_owned(),
            port,
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

impl Target {
    /// The address to connect to.
    ///
    /// Of several, IPv4 loopback comes first (it alone has many source addresses); then the first that takes a
    /// connection within two seconds; when none does, simply the first, so that the flood shows how it fails.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    pub fn resolve(&self) -> anyhow::Result<SocketAddr> {
        let mut addresses: Vec<SocketAddr> = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .with_context(|| format!("cannot find {}", self.host))?
            .collect();
        addresses.sort_by_key(|address| !(address.is_ipv4() && address.ip().is_loopback()));
        addresses.dedup();
        let first = *addresses.first().with_context(|| format!("{} has no address", self.host))?;
        if addresses.len() == 1 {
            return Ok(first);
        }
        Ok(addresses.into_iter().find(|address| TcpStream::connect_timeout(address, PROBE).is_ok()).unwrap_or(first))
    }

    /// Host and port as they go into `Host`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The request every connection sends, byte for byte.
    pub fn request(&self) -> String {
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: fastgo-flood/{}\r\nAccept: */*\r\n\r\n",
            self.path,
            self.authority,
            env!("CARGO_PKG_VERSION"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, String> {
        text.parse()
    }

    #[test]
    fn urls_are_taken_apart() {
        let plain = parse("http://127.0.0.1:8080/").unwrap();
        assert_eq!((plain.host.as_str(), plain.port, plain.path.as_str()), ("127.0.0.1", 8080, "/"));
        let short = parse("raspberrypi.local:8082").unwrap();
        assert_eq!(short.to_string(), "http://raspberrypi.local:8082/");
        let six = parse("http://[::1]:8080/a?b=c").unwrap();
        assert_eq!((six.host.as_str(), six.path.as_str()), ("::1", "/a?b=c"));
        assert!(six.request().starts_with("GET /a?b=c HTTP/1.1\r\nHost: [::1]:8080\r\n"));
        assert_eq!(parse("http://pi").unwrap().port, 80);
        assert_eq!(parse("http://pi?x=1").unwrap().path, "/?x=1");
    }

    #[test]
    fn what_cannot_be_flooded_is_refused() {
        for text in [
            "https://pi/",
            "ftp://pi/",
            "http://user@pi/",
            "http://pi:0/",
            "http://pi:70000/",
            "http://pi:/",
            "http:///x",
            "",
            "http://a b/",
        ] {
            assert!(parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn an_address_resolves_to_itself() {
        let address = parse("http://127.0.0.1:9/").unwrap().resolve().unwrap();
        assert_eq!(address, "127.0.0.1:9".parse().unwrap());
    }
}
