//! Who may ask for what: under which names this server answers, what pages of other origins may do, and the access token.
//!
//! Any page that a browser shows can have it send requests from the browser's network. Three rules keep such a page from using
//! this server: it answers to its own names only, so that no other name can be made to lead here (DNS rebinding); work and
//! changes are for pages of this host; and only those pages may read the answers (CORS).

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::request::{Request, Route};
use crate::config::{AllowedHosts, Config, Peer};
use crate::http::authority::{is_local, split};
use crate::http::{FetchSite, Head, Method, Response};
use crate::platform::names;

mod token;

pub(super) use token::Credentials;
use token::Token;

/// A longer `Host` or `Origin` is that of nobody who is known here.
const MAX_AUTHORITY: usize = 300;

/// Time between two looks at this machine's names.
const NAMES_INTERVAL: Duration = Duration::from_secs(10);

/// Where a request comes from, as far as its head says. Takes memory only where something is in question.
#[derive(Debug)]
pub(super) struct Caller {
    /// The name in `Host`, when strangers could have it lead here.
    named: Option<Box<str>>,
    /// `Origin`, when a browser sends it and it is not this server's own.
    origin: Option<Box<str>>,
    source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
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
fn origin_parts(origin: &str) -> Option<(&str, u16)> {
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

/// The rules of one server.
pub(super) struct Access {
    allowed: AllowedHosts,
    token: Option<Token>,
    own: RwLock<OwnNames>,
}

/// This machine's names with dots, which its network may change.
struct OwnNames {
    names: Vec<String>,
    read: Instant,
}

impl Access {
    pub(super) fn new(config: &Config) -> Self {
        let own = OwnNames { names: names::of_machine(), read: Instant::now() };
        let token = config.access_token.as_ref().map(Token::new);
        Self { allowed: config.allowed_hosts.clone(), token, own: RwLock::new(own) }
    }

    /// Reads this machine's names again now and then; for the sampler.
    pub(super) fn refresh(&self) {
        let is_due = |own: &OwnNames| own.read.elapsed() >= NAMES_INTERVAL;
        if is_due(&self.own.read().unwrap_or_else(PoisonError::into_inner)) {
            let names = names::of_machine();
            *self.own.write().unwrap_or_else(PoisonError::into_inner) = OwnNames { names, read: Instant::now() };
        }
    }

    /// The response to a request that is not allowed, on a server beside `peers`.
    pub(super) fn refusal(&self, request: &Request, peers: impl FnOnce() -> Vec<Peer>) -> Option<Response> {
        if is_open(request.route) {
            return None;
        }
        let caller = &request.caller;
        if caller.named.as_deref().is_some_and(|host| !self.is_own(host) && !self.allowed.has(host)) {
            return Some(Response::error(421, "the Host is none of this server's names: add it to ALLOWED_HOSTS"));
        }
        let acts = acts(request);
        let is_permitted = match caller.source {
            Source::Trusted => true,
            Source::Unsaid => !acts,
            Source::OtherPort(port) => !acts || self.trusts(caller) || peers().iter().any(|peer| peer.port == port),
            // Without an Origin no page gets to read the answer.
            Source::Foreign => (!acts && caller.origin.is_none()) || self.trusts(caller),
        };
        if !is_permitted {
            return Some(Response::error(403, "a browser may ask this only for a page of this server"));
        }
        let token = self.token.as_ref().filter(|_| request.route.is_guarded() && request.method != Method::Options)?;
        token.refusal(request)
    }

    /// The same response, readable by the page that asked if that may read it.
    pub(super) fn share(&self, caller: &Caller, response: Response) -> Response {
        let shares = matches!(caller.source, Source::OtherPort(_)) || self.trusts(caller);
        match &caller.origin {
            Some(origin) if shares => {
                let response = response.with("access-control-allow-origin", String::from(&**origin));
                response.with("access-control-allow-credentials", "true")
            }
            _ => response,
        }
    }

    /// Whether the settings name the host of the page that asks.
    fn trusts(&self, caller: &Caller) -> bool {
        let host = caller.origin.as_deref().and_then(origin_parts);
        host.is_some_and(|(host, _)| self.allowed.names(host))
    }

    fn is_own(&self, host: &str) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.names.iter().any(|name| name.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host)))
    }
}

/// Whether everybody may ask under any name, since the answer is worth nothing.
fn is_open(route: Route) -> bool {
    matches!(route, Route::Health | Route::NotFound | Route::Server)
}

/// Whether a request makes the board work, or changes something.
fn acts(request: &Request) -> bool {
    match (request.route, request.method) {
        (Route::Process, Method::Get | Method::Head) => !request.html,
        (_, Method::Get | Method::Head | Method::Options) => false,
        _ => true,
    }
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
