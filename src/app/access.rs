//! Who may ask for what: under which names this server answers, what pages of other origins may do, and the access token.
//!
//! Any page that a browser shows can have it send requests from the browser's network. Three rules keep such a page from using
//! this server: it answers to its own names only, so that no other name can be made to lead here (DNS rebinding); work and
//! changes are for pages of this host; and only those pages may read the answers (CORS). A page of another board that the settings
//! name may read what its comparison shows, and nothing else.

use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::caller::{Caller, Source, is_open, origin_parts};
use super::request::Request;
use super::route::Route;
use super::token::Token;
use crate::config::{AllowedHosts, Config, Peer};
use crate::http::{Method, Response};
use crate::platform::names;

/// Time between two looks at this machine's names.
const NAMES_INTERVAL: Duration = Duration::from_secs(10);

/// The rules of one server.
pub(super) struct Access {
    allowed: AllowedHosts,
    boards: AllowedHosts,
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
        Self { allowed: config.allowed_hosts.clone(), boards: config.boards.clone(), token, own: RwLock::new(own) }
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
        let is_permitted = is_page_of(&self.allowed, caller)
            || match caller.source {
                Source::Trusted => true,
                Source::Unsaid => !acts,
                Source::OtherPort(port) => !acts || peers().iter().any(|peer| peer.port == port),
                // Without an Origin no page gets to read the answer.
                Source::Foreign => {
                    !acts && (caller.origin.is_none() || is_compared(request.route) && is_page_of(&self.boards, caller))
                }
            };
        if !is_permitted {
            return Some(Response::error(403, "a browser may ask this only for a page of this server"));
        }
        let token = self.token.as_ref().filter(|_| request.route.is_guarded() && request.method != Method::Options)?;
        token.refusal(request.route, request.method, request.credentials.as_deref())
    }

    /// The same response, readable by the page that asked if that may read it.
    pub(super) fn share(&self, caller: &Caller, response: Response) -> Response {
        let named = [&self.allowed, &self.boards].into_iter().any(|hosts| is_page_of(hosts, caller));
        let shares = matches!(caller.source, Source::OtherPort(_)) || named;
        match &caller.origin {
            Some(origin) if shares => {
                let response = response.with("access-control-allow-origin", String::from(&**origin));
                response.with("access-control-allow-credentials", "true")
            }
            _ => response,
        }
    }

    fn is_own(&self, host: &str) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.names.iter().any(|name| name.eq_ignore_ascii_case(host.strip_suffix('.').unwrap_or(host)))
    }
}

/// Whether the page that asks is of one of `hosts`.
fn is_page_of(hosts: &AllowedHosts, caller: &Caller) -> bool {
    let host = caller.origin.as_deref().and_then(origin_parts);
    host.is_some_and(|(host, _)| hosts.names(host))
}

/// Whether the comparison of several boards shows it.
fn is_compared(route: Route) -> bool {
    matches!(route, Route::Metrics | Route::Events | Route::History(_))
}

/// Whether a request makes the board work, or changes something.
fn acts(request: &Request) -> bool {
    match (request.route, request.method) {
        (Route::Process, Method::Get | Method::Head) => !request.html,
        (_, Method::Get | Method::Head | Method::Options) => false,
        _ => true,
    }
}
