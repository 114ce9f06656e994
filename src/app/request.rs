//! What of a request's head the application needs.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::caller::Caller;
use super::events::{Channel, Subscription};
use super::json::JsonCheck;
use super::route::{Route, mentions};
use super::token::Credentials;
use crate::http::{Framing, Head, Incoming, Method, Reject, Response};
use crate::metrics::Exposition;
use crate::trace::Context;

/// The longest `X-Request-ID` that is echoed; a longer one counts as not sent.
const MAX_REQUEST_ID: usize = 128;

/// The longest body of `POST /runs`, in bytes.
pub(super) const MAX_ORDER: usize = 4096;

/// The largest body of a registration; longer ones are refused without being kept.
pub(super) const MAX_BODY: usize = 4096;

/// What the application needs of a request, free of the buffer it came in.
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
    pub(super) caller: Caller,
    /// What it shows where the access token may be asked for.
    pub(super) credentials: Option<Box<Credentials>>,
    /// `Accept` has text/html, as a browser's does.
    pub(super) html: bool,
    pub(super) body: Body,
    pub(super) idempotency_key: Option<Box<[u8]>>,
    /// The trace that the client asks to continue, for requests that are traced.
    pub(super) trace: Option<Context>,
    /// The address that the connection is from, for requests that [`Self::needs_client`].
    pub peer: Option<IpAddr>,
    pub(super) forwarded_for: Option<Box<[u8]>>,
    last_event_id: Option<u64>,
}

/// How a request's body is treated as it arrives.
#[derive(Debug)]
pub(super) enum Body {
    /// It is not counted.
    Ignored,
    /// It is checked and counted; nothing of it is kept.
    Json { check: JsonCheck, bytes: u64 },
    /// It is kept, as far as it may go: one byte past [`MAX_ORDER`] shows that it is too long.
    Order(Vec<u8>),
    /// It is kept, unless it is too long.
    Kept { content: Vec<u8>, too_long: bool },
    /// Its `Content-Encoding` is one that the application does not decode.
    Encoded,
}

impl Incoming for Request {
    fn begin(head: &Head<'_>) -> Result<Self, Reject> {
        let request = Self::new(head);
        if request.is_stream() && head.framing != Framing::Length(0) {
            return Err(Reject::bad_request("a request for a stream has no body"));
        }
        Ok(request)
    }

    fn receive(&mut self, piece: &[u8]) {
        match &mut self.body {
            Body::Json { check, bytes } => {
                *bytes += piece.len() as u64;
                check.receive(piece);
            }
            Body::Order(order) => {
                let room = (MAX_ORDER + 1).saturating_sub(order.len());
                order.extend_from_slice(&piece[..piece.len().min(room)]);
            }
            Body::Kept { content, too_long } => {
                *too_long |= content.len() + piece.len() > MAX_BODY;
                if *too_long {
                    *content = Vec::new();
                } else {
                    content.extend_from_slice(piece);
                }
            }
            Body::Ignored | Body::Encoded => {}
        }
    }

    fn held(&self) -> usize {
        let body = match &self.body {
            Body::Kept { content, .. } | Body::Order(content) => content.capacity(),
            Body::Ignored | Body::Json { .. } | Body::Encoded => 0,
        };
        let fields =
            [&self.if_none_match, &self.idempotency_key].map(|field| field.as_ref().map_or(0, |field| field.len()));
        body + fields.into_iter().sum::<usize>()
    }
}

impl Request {
    /// The request that `head` begins.
    pub fn new(head: &Head<'_>) -> Self {
        let route = Route::of(head);
        let accepts = |name: &str| head.accept.is_some_and(|accept| mentions(accept, name));
        let exposition = match route {
            Route::Metrics if accepts("application/openmetrics-text") => Some(Exposition::OpenMetrics),
            Route::Metrics if accepts("text/plain") && !accepts("application/json") => Some(Exposition::Text),
            _ => None,
        };
        let is_identity = |coding: &[u8]| coding.eq_ignore_ascii_case(b"identity");
        let body = match (route, head.method, head.content_encoding) {
            (Route::Process, Method::Post, None) => Body::Json { check: JsonCheck::new(), bytes: 0 },
            (Route::Process, Method::Post, Some(coding)) if is_identity(coding) => {
                Body::Json { check: JsonCheck::new(), bytes: 0 }
            }
            (Route::Registrations, Method::Post, coding) if coding.is_none_or(is_identity) => {
                Body::Kept { content: Vec::new(), too_long: false }
            }
            (Route::Process | Route::Registrations, Method::Post, Some(_)) => Body::Encoded,
            (Route::Runs, Method::Post, _) => Body::Order(Vec::new()),
            _ => Body::Ignored,
        };
        Self {
            route,
            method: head.method,
            exposition,
            gzip: head.accept_encoding.is_some_and(|codings| mentions(codings, "gzip")),
            id: head.request_id.and_then(printable),
            if_none_match: head.if_none_match.map(Into::into),
            caller: Caller::of(route, head),
            credentials: Credentials::of(route, head),
            html: matches!(route, Route::Process) && accepts("text/html"),
            body,
            idempotency_key: head.idempotency_key.filter(|_| matches!(route, Route::Registrations)).map(Into::into),
            trace: head.traceparent.filter(|_| route.is_traced()).and_then(Context::parse),
            peer: None,
            forwarded_for: head.forwarded_for.filter(|_| changes_registrations(route, head.method)).map(Into::into),
            last_event_id: head.last_event_id.and_then(|id| std::str::from_utf8(id).ok()?.parse().ok()),
        }
    }

    /// Whether the response is that of a stream, which outlives the request.
    pub fn is_stream(&self) -> bool {
        matches!(self.route, Route::Events | Route::CourseEvents) && matches!(self.method, Method::Get | Method::Head)
    }

    /// Whether it serves watching the server and not the server's work; such requests have a reserve of connections.
    pub fn is_internal(&self) -> bool {
        use Route::{CourseEvents, Courses, Process, Registration, Registrations};
        !matches!(self.route, Process | Courses | CourseEvents | Registrations | Registration(_))
    }

    /// Whether it changes registrations, which each client address may do only so often.
    pub fn needs_client(&self) -> bool {
        changes_registrations(self.route, self.method)
    }

    /// Method and route as a trace names them; `None` for a request that is not traced.
    pub(super) fn traced_as(&self) -> Option<(&'static str, &'static str)> {
        let route = match self.route {
            Route::Process => "/",
            Route::Registrations => "/registrations",
            Route::Registration(_) => "/registrations/{id}",
            _ => return None,
        };
        Some((name(self.method), route))
    }

    pub(super) fn subscription(&self) -> Subscription {
        let channel = if matches!(self.route, Route::CourseEvents) { Channel::Courses } else { Channel::Metrics };
        Subscription { after: self.last_event_id, channel }
    }

    /// The methods of its route.
    fn methods(&self) -> &'static [Method] {
        use Method::{Delete, Get, Head, Options, Post};
        match self.route {
            Route::Server => &[Options],
            Route::Process => &[Get, Head, Post],
            Route::Runs => &[Get, Head, Post, Options],
            Route::Run(_) => &[Get, Head, Delete, Options],
            Route::Registrations => &[Post],
            Route::Registration(_) => &[Get, Head, Delete],
            _ => &[Get, Head],
        }
    }

    pub(super) fn is_allowed(&self) -> bool {
        matches!(self.route, Route::NotFound) || self.methods().contains(&self.method)
    }

    pub(super) fn not_allowed(&self) -> Response {
        let allow: Vec<_> = self.methods().iter().map(|method| name(*method)).collect();
        Response::error(405, "method not allowed").with("allow", allow.join(", "))
    }
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
    }
}

fn changes_registrations(route: Route, method: Method) -> bool {
    matches!(route, Route::Registrations | Route::Registration(_)) && !matches!(method, Method::Get | Method::Head)
}

/// A request id for a client that sent none: unique in this process, and unlikely to be another's.
pub(super) fn new_id() -> String {
    static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| AtomicU64::new(RandomState::new().hash_one("request id")));
    // Multiplying by an odd constant visits every value once and spreads neighbours apart.
    format!("{:016x}", NEXT.fetch_add(1, Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15))
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
    fn ids_are_distinct_and_only_plain_ones_are_echoed() {
        assert_ne!(new_id(), new_id());
        assert_eq!(printable(b"abc-1").as_deref(), Some("abc-1"));
        assert_eq!(printable("ü".as_bytes()), None);
        assert_eq!(printable(&[b'a'; 129]), None);
    }
}
