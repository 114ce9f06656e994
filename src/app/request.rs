//! Which route a request is for, and what of its head the application needs.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::assets::{self, Asset};
use super::events::Subscription;
use crate::http::{Head, Method, Response};
use crate::metrics::{Endpoint, Exposition};

/// The longest `X-Request-ID` that is echoed; a longer one counts as not sent.
const MAX_REQUEST_ID: usize = 128;

/// Where a request goes.
#[derive(Debug, Clone, Copy)]
pub enum Route {
    /// `/`
    Process,
    /// `/health`
    Health,
    /// `/metrics`
    Metrics,
    /// `/sse/metrics`
    Events,
    /// A page or one of its assets.
    Asset(&'static Asset),
    /// Nowhere.
    NotFound,
    /// `/test/hang`
    #[cfg(feature = "test-hooks")]
    Hang,
}

/// What the application needs of a request's head, free of the buffer it came in.
#[derive(Debug)]
pub struct Request {
    /// Where it goes.
    pub route: Route,
    /// Its method.
    pub method: Method,
    /// The Prometheus format that `Accept` asks for.
    pub(super) exposition: Option<Exposition>,
    /// `Accept-Encoding` has gzip.
    pub(super) gzip: bool,
    pub(super) id: Option<Box<str>>,
    pub(super) if_none_match: Option<Box<[u8]>>,
    last_event_id: Option<u64>,
    http10: bool,
}

impl Route {
    fn of(path: &str) -> Self {
        match path {
            "/" => Self::Process,
            "/health" => Self::Health,
            "/metrics" => Self::Metrics,
            "/sse/metrics" => Self::Events,
            #[cfg(feature = "test-hooks")]
            "/test/hang" => Self::Hang,
            _ => assets::find(path).map_or(Self::NotFound, Self::Asset),
        }
    }

    /// The label under which it is counted.
    pub fn endpoint(self) -> Endpoint {
        match self {
            Self::Process => Endpoint::Process,
            Self::Health => Endpoint::Health,
            Self::Metrics => Endpoint::Metrics,
            Self::Events => Endpoint::Events,
            Self::Asset(_) => Endpoint::Page,
            Self::NotFound => Endpoint::NotFound,
            #[cfg(feature = "test-hooks")]
            Self::Hang => Endpoint::NotFound,
        }
    }
}

impl Request {
    /// The request that `head` begins.
    pub fn new(head: &Head<'_>) -> Self {
        let route = Route::of(head.path);
        let wants = |name: &str| head.accept.is_some_and(|accept| mentions(accept, name));
        let exposition = match route {
            Route::Metrics if wants("application/openmetrics-text") => Some(Exposition::OpenMetrics),
            Route::Metrics if wants("text/plain") && !wants("application/json") => Some(Exposition::Text),
            _ => None,
        };
        Self {
            route,
            method: head.method,
            exposition,
            gzip: head.accept_encoding.is_some_and(|codings| mentions(codings, "gzip")),
            id: head.request_id.and_then(printable),
            if_none_match: head.if_none_match.map(Into::into),
            last_event_id: head.last_event_id.and_then(|id| std::str::from_utf8(id).ok()?.parse().ok()),
            http10: head.http10,
        }
    }

    /// Whether the application wants the body's content, which it otherwise only waits for.
    pub fn wants_body(&self) -> bool {
        matches!(self.route, Route::Process) && self.method == Method::Post
    }

    /// Whether the answer is a stream, which outlives the exchange.
    pub fn is_stream(&self) -> bool {
        matches!(self.route, Route::Events) && self.method == Method::Get
    }

    pub(super) fn subscription(&self) -> Subscription {
        Subscription { after: self.last_event_id, http10: self.http10 }
    }

    pub(super) fn is_allowed(&self) -> bool {
        match self.route {
            Route::NotFound => true,
            Route::Process => matches!(self.method, Method::Get | Method::Head | Method::Post),
            _ => matches!(self.method, Method::Get | Method::Head),
        }
    }

    pub(super) fn not_allowed(&self) -> Response {
        let allow = if matches!(self.route, Route::Process) { "GET, HEAD, POST" } else { "GET, HEAD" };
        Response::error(405, "method not allowed here").with("allow", allow)
    }
}

/// A request id for who sent none: unlike any other of this process, hard to confuse with another's.
pub(super) fn new_id() -> String {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one("request id")));
    // Multiplying by an odd constant visits every value once and spreads neighbours apart.
    format!("{:016x}", NEXT.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

/// Whether a comma-separated list names `name` with a weight other than zero (RFC 9110 §12.4.2).
fn mentions(list: &[u8], name: &str) -> bool {
    list.split(|&byte| byte == b',').any(|item| {
        let mut parts = item.split(|&byte| byte == b';').map(<[u8]>::trim_ascii);
        let named = parts.next().is_some_and(|part| part.eq_ignore_ascii_case(name.as_bytes()));
        let refused = |part: &[u8]| {
            let weight = part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q="));
            weight.is_some_and(|weight| weight.iter().all(|byte| matches!(byte, b'0' | b'.')))
        };
        named && !parts.any(refused)
    })
}

/// Short visible ASCII can stand in a header and in JSON as it is.
fn printable(id: &[u8]) -> Option<Box<str>> {
    let fits = !id.is_empty() && id.len() <= MAX_REQUEST_ID && id.iter().all(|byte| matches!(byte, b' '..=b'~'));
    std::str::from_utf8(id).ok().filter(|_| fits).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_with_weights() {
        assert!(mentions(b"br, gzip;q=0.5", "gzip"));
        assert!(mentions(b"application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3", "text/plain"));
        assert!(!mentions(b"gzip;q=0", "gzip"));
        assert!(!mentions(b"gzip;q=0.000", "gzip"));
        assert!(!mentions(b"", "gzip"));
    }

    #[test]
    fn ids_are_distinct_and_only_plain_ones_are_echoed() {
        assert_ne!(new_id(), new_id());
        assert_eq!(printable(b"abc-1").as_deref(), Some("abc-1"));
        assert_eq!(printable("ü".as_bytes()), None);
        assert_eq!(printable(&[b'a'; 129]), None);
    }
}
