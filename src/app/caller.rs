//! Where a request comes from.

use super::route::Route;
use crate::http::authority::{is_local, split};
use crate::http::{FetchSite, Head, Method};

/// A longer `Host` or `Origin` is that of nobody who is known here.
const MAX_AUTHORITY: usize = 300;

/// Where a request comes from, as far as its head says. Takes memory only where something is in question.
#[derive(Debug)]
pub(super) struct Caller {
    /// The name in `Host`, when strangers could have it lead here.
    pub(super) named: Option<Box<str>>,
    /// `Origin`, when a browser sends it and it is not this server's own.
    pub(super) origin: Option<Box<str>>,
    pub(super) source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// No browser, a page of this very origin, or the person at the browser.
    Trusted,
    /// A browser that does not say for which page.
    Unsaid,
    /// A page of this host from another port.
    OtherPort(u16),
    /// A page from anywhere else.
    Foreign,
}

impl Caller {
    pub(super) fn of(route: Route, head: &Head<'_>) -> Self {
        if is_open(route) {
            return Self { named: None, origin: None, source: Source::Trusted };
        }
        let host = text(head.host.unwrap_or_default());
        let named = host.map_or(Some(""), |host| {
            let (name, _) = split(host, 0).unwrap_or((host, 0));
            (!is_local(name)).then_some(name)
        });
        // A browser sets these fields and lets no page change them; Sec-Fetch-Site comes over HTTPS and on loopback only, and
        // Origin with everything but a plain GET or HEAD.
        let source = match (head.fetch_site, head.origin) {
            (None, None) if head.is_browser && matches!(head.method, Method::Get | Method::Head) => Source::Unsaid,
            (Some(FetchSite::SameOrigin), _) | (None, None) => Source::Trusted,
            (Some(FetchSite::CrossSite), Some(_)) | (Some(_), None) => Source::Foreign,
            (_, Some(origin)) => by_origin(text(origin).unwrap_or_default(), host.unwrap_or_default()),
        };
        let origin = head.origin.filter(|_| source != Source::Trusted).and_then(text);
        Self { named: named.map(Into::into), origin: origin.map(Into::into), source }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_AUTHORITY)
}

/// Host and port of an `Origin`.
pub(super) fn origin_parts(origin: &str) -> Option<(&str, u16)> {
    let (scheme, authority) = origin.split_once("://")?;
    split(authority, default_port(scheme))
}

fn default_port(scheme: &str) -> u16 {
    if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 }
}

fn by_origin(origin: &str, host: &str) -> Source {
    let source = || {
        let (scheme, _) = origin.split_once("://")?;
        let (page, server) = (origin_parts(origin)?, split(host, default_port(scheme))?);
        Some(match page.0.eq_ignore_ascii_case(server.0) {
            true if page.1 == server.1 => Source::Trusted,
            true => Source::OtherPort(page.1),
            false => Source::Foreign,
        })
    };
    source().unwrap_or(Source::Foreign)
}

/// Whether everybody may ask under any name, since the answer is worth nothing.
pub(super) fn is_open(route: Route) -> bool {
    matches!(route, Route::Health | Route::NotFound | Route::Server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_decides() {
        for (origin, host, expected) in [
            ("http://pi.local:8080", "pi.local:8080", Source::Trusted),
            ("http://PI.local", "pi.local:80", Source::Trusted),
            ("https://pi.local", "pi.local", Source::Trusted),
            ("http://pi.local:8080", "pi.local:8081", Source::OtherPort(8080)),
            ("http://[::1]:8080", "[::1]:8082", Source::OtherPort(8080)),
            ("http://pi.local", "pi.local:8081", Source::OtherPort(80)),
            ("http://evil.example:8080", "pi.local:8080", Source::Foreign),
            ("http://pi.local.evil.example:8080", "pi.local:8080", Source::Foreign),
            ("null", "pi.local:8080", Source::Foreign),
            ("", "", Source::Foreign),
            ("http://pi.local:port", "pi.local:8080", Source::Foreign),
        ] {
            assert_eq!(by_origin(origin, host), expected, "{origin} to {host}");
        }
    }
}
