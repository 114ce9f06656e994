//! The registration routes: which need the store, and the command or look-up that each becomes.

mod limits;
mod translate;

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::events::{Channel, Sample};
use super::{App, Plan, Request, Route, Task, forwarded, traces};
use crate::config::Config;
use crate::http::{JSON, Method, Response};
use crate::metrics::Endpoint;
use crate::store::model::{Command, RegistrationId};
use crate::store::{CourseList, Store, clock};
use crate::trace::Active;
use limits::RateLimits;
use translate::Asked;

/// The registrations of this server.
pub(super) struct Registrations {
    pub(super) store: Arc<Store>,
    limits: RateLimits,
    page: Mutex<Page>,
}

/// The course list as it was last written, for all who ask until it changes.
#[derive(Default)]
struct Page {
    list: Arc<CourseList>,
    is_open: bool,
    body: Bytes,
    /// Rises with each change; the id of the event.
    version: u64,
    /// The version that streams have been sent.
    streamed: u64,
}

/// A request that the store carries out.
pub struct StoreJob {
    app: Arc<App>,
    asked: Asked,
    order: Order,
    method: Method,
    request_id: Option<Box<str>>,
    trace: Option<Box<Active>>,
}

enum Order {
    Carry(Command),
    Find(RegistrationId),
}

impl Registrations {
    /// The registrations that the settings describe; `None` without a database.
    ///
    /// # Errors
    /// The store's threads cannot be started.
    pub(super) fn start(config: &Config) -> std::io::Result<Option<Self>> {
        let Some(store) = Store::start(&config.database, config.database_pool, config.max_wait)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            store: Arc::new(store),
            limits: RateLimits::new(config.rate_limit_student, config.rate_limit_address),
            page: Mutex::default(),
        }))
    }

    /// The body of `/courses`.
    pub(super) fn courses(&self) -> Response {
        Response::ok(JSON, self.page().body.clone()).with("cache-control", "no-store")
    }

    /// The event with the current list and its id, for a stream that begins.
    pub(super) fn opening_event(&self) -> (u64, Bytes) {
        let sample = self.page().sample();
        (sample.id, sample.event.clone())
    }

    /// The event for all streams if the list has changed since the last call.
    pub(super) fn changes(&self) -> Option<Arc<Sample>> {
        let mut page = self.page();
        let is_new = page.streamed != page.version;
        page.streamed = page.version;
        is_new.then(|| page.sample())
    }

    fn page(&self) -> std::sync::MutexGuard<'_, Page> {
        let (list, now) = (self.store.courses(), clock::now());
        let is_open = list.is_open(now);
        let mut page = self.page.lock().unwrap_or_else(PoisonError::into_inner);
        if page.version == 0 || page.is_open != is_open || !Arc::ptr_eq(&page.list, &list) {
            page.body = translate::courses(&list, now).into();
            (page.list, page.is_open) = (list, is_open);
            page.version += 1;
        }
        page
    }
}

impl Page {
    fn sample(&self) -> Arc<Sample> {
        Sample::new(Channel::Courses, self.version, &self.body)
    }
}

impl App {
    /// Answers a request to a registration route, or has the store do it, which then ends its `trace`.
    pub(super) fn plan_registration(self: &Arc<Self>, request: Request, trace: &mut Option<Box<Active>>) -> Plan {
        let Some(registrations) = &self.registrations else {
            return Plan::Answer(Response::error(404, "this server has no registrations"));
        };
        let changes = request.method != Method::Get && request.method != Method::Head;
        if changes
            && let Some(peer) = request.peer
            && let client = forwarded::client(peer, request.forwarded_for.as_deref(), &self.config.trusted_proxies)
            && let Err(refusal) = registrations.limits.check_address(client)
        {
            return self.rate_limited(refusal);
        }
        let (asked, order) = match (request.route, changes) {
            (Route::Registration(None), _) => return Plan::Answer(Response::error(404, "no such registration")),
            (Route::Registration(Some(id)), false) => (Asked::Show, Order::Find(id)),
            (Route::Registration(Some(id)), true) => (Asked::Cancel, Order::Carry(Command::Cancel(id))),
            _ => {
                let registration = match request.registration() {
                    Ok(registration) => registration,
                    Err(refusal) => return Plan::Answer(refusal),
                };
                if let Err(refusal) = registrations.limits.check_student(&registration.student) {
                    return self.rate_limited(refusal);
                }
                (Asked::Register, Order::Carry(Command::Register(registration)))
            }
        };
        let (app, method, request_id, trace) = (Arc::clone(self), request.method, request.id, trace.take());
        Plan::Later(Task::Store(StoreJob { app, asked, order, method, request_id, trace }))
    }

    fn rate_limited(&self, refusal: Response) -> Plan {
        self.metrics.counters.rate_limited.fetch_add(1, Relaxed);
        Plan::Answer(refusal)
    }
}

impl Request {
    fn registration(&self) -> Result<crate::store::model::Registration, Response> {
        match &self.body {
            super::request::Body::Kept { too_long: true, .. } => {
                Err(Response::error(413, "a registration is at most 4 KiB"))
            }
            super::request::Body::Kept { content, .. } => translate::parse(content, self.idempotency_key.as_deref()),
            super::request::Body::Encoded => Err(Response::error(415, "the body must not have a content coding")),
            _ => translate::parse(b"", None),
        }
    }
}

impl StoreJob {
    /// Has the store do it. `done` is called with the response, on a thread of the store or at once, and must not block.
    pub fn start(self, done: impl FnOnce(Response) + Send + 'static) {
        let Self { app, asked, order, method, request_id, trace } = self;
        let Some(registrations) = &app.registrations else { return };
        let store = Arc::clone(&registrations.store);
        let queued = trace.as_ref().and_then(|trace| trace.queued());
        let completion =
            move |outcome| done(answered(&app, method, request_id, trace, translate::respond(asked, outcome)));
        match order {
            Order::Carry(command) => store.submit_traced(command, queued, completion),
            Order::Find(id) => store.find(id, completion),
        }
    }

    /// The response to a request that the store is not asked to carry out.
    pub(super) fn refuse(self, refusal: Response) -> Response {
        answered(&self.app, self.method, self.request_id, self.trace, refusal)
    }
}

/// Counts a response, and adds what every response of these routes has.
fn answered(
    app: &App,
    method: Method,
    request_id: Option<Box<str>>,
    trace: Option<Box<Active>>,
    mut response: Response,
) -> Response {
    response.is_last |= app.is_draining();
    app.metrics.counters.answered(Endpoint::Registrations, Some(method), response.status);
    let response = traces::end(trace, response);
    match request_id {
        Some(id) => response.with("x-request-id", String::from(id)),
        None => response,
    }
}

/// The response where the store has not answered in time: what was asked for may still happen.
pub fn outcome_unknown() -> Response {
    let message = "the store did not answer in time; ask again with the same Idempotency-Key";
    Response::error(503, message).with("retry-after", "1").with("cache-control", "no-store")
}
