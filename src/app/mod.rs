//! What is served. Knows no runtime and no socket: an engine passes it a [`Request`] and gets a [`Plan`].

mod access;
mod assets;
mod caller;
mod events;
mod forwarded;
#[cfg(feature = "test-hooks")]
mod hang;
mod health;
mod json;
mod past;
mod registrations;
mod request;
mod route;
mod token;
mod traces;
mod work;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use crate::alerts::Alerts;
use crate::config::Config;
use crate::history::History;
use crate::http::{JSON, Method, Response};
use crate::metrics::Metrics;
use crate::trace::{Active, Queued, Tracer};
use access::Access;
pub use events::{Channel, EventLog, Sample, Subscription};
use registrations::Registrations;
pub use registrations::{StoreJob, outcome_unknown};
use request::Body;
pub use request::Request;
pub use route::Route;
pub use work::CpuSlices;

/// How long the process waits at its end for the collector of its traces.
const TRACES_AT_END: Duration = Duration::from_secs(1);

/// One server's application: its routes, their state and their measurements.
pub struct App {
    /// The settings in force.
    pub config: Config,
    /// The measurements.
    pub metrics: Metrics,
    /// The samples that `/sse/metrics` streams.
    pub events: EventLog,
    /// Samples of the last day, and runs.
    history: History,
    registrations: Option<Registrations>,
    tracer: Option<&'static Tracer>,
    access: Access,
    alerts: Option<&'static Alerts>,
}

/// How a request is answered.
pub enum Plan {
    /// Send this response.
    Answer(Response),
    /// Do this first.
    Later(Task),
}

/// What a response takes.
pub enum Task {
    /// The engine's work; then send what [`Job::finish`] gives.
    Work(Job),
    /// The store; [`StoreJob::start`] gives the response.
    Store(StoreJob),
}

/// A request to `/` between its admission and its response. Dropping it unfinished counts it as abandoned.
pub struct Job {
    app: Arc<App>,
    method: Method,
    request_id: Option<Box<str>>,
    received_bytes: Option<u64>,
    received: Instant,
    trace: Option<Box<Active>>,
    finished: bool,
}

impl App {
    /// The application with these settings, measuring from now on.
    ///
    /// # Errors
    /// The threads of the store, the traces or the alerts cannot be started.
    pub fn new(config: Config) -> std::io::Result<Arc<Self>> {
        assets::prepare();
        let registrations = Registrations::start(&config)?;
        let tracer = match &config.otlp_endpoint {
            Some(endpoint) => {
                let service = format!("fastgo-{}", config.engine.name());
                Some(Tracer::start(endpoint.clone(), config.trace_share, service)?)
            }
            None => None,
        };
        let store = registrations.as_ref().map(|open| Arc::clone(&open.store));
        let metrics = Metrics::new(config.clone(), store, tracer);
        let history = past::start(&metrics, &config);
        let access = Access::new(&config);
        let alerts = match &config.notify {
            Some(url) => Some(Alerts::start(&config, url.clone(), metrics.restart_reason())?),
            None => None,
        };
        Ok(Arc::new(Self {
            metrics,
            config,
            events: EventLog::default(),
            history,
            registrations,
            tracer,
            access,
            alerts,
        }))
    }

    /// Decides how `request` is answered. A stream begins with [`Self::open_stream`] instead.
    pub fn plan(self: &Arc<Self>, request: Request) -> Plan {
        #[cfg(feature = "test-hooks")]
        hang::hang_if_asked(&request);
        let (endpoint, method) = (request.route.endpoint(), request.method);
        // Read once, so that a response and what it says of its connection agree.
        let draining = self.is_draining();
        let mut response = match self.access.refusal(&request, || self.metrics.peers()) {
            Some(refusal) => refusal,
            None => match self.route(request, draining) {
                Ok(response) => response,
                Err(later) => return later,
            },
        };
        response.is_last |= draining;
        self.metrics.counters.answered(endpoint, Some(method), response.status);
        Plan::Answer(response)
    }

    /// The response that there is at once, or else a plan that counts the request itself.
    fn route(self: &Arc<Self>, request: Request, draining: bool) -> Result<Response, Plan> {
        Ok(match request.route {
            _ if !request.is_allowed() => request.not_allowed(),
            Route::Process if request.html && request.method != Method::Post => to_pages(),
            Route::Process => return Err(self.process(request)),
            Route::Registrations | Route::Registration(_) => {
                let mut trace = self.begin_trace(&request);
                match self.plan_registration(request, &mut trace) {
                    Plan::Answer(refusal) => traces::end(trace, refusal),
                    later @ Plan::Later(_) => return Err(later),
                }
            }
            Route::Courses | Route::CourseEvents => self.courses_page(),
            Route::Health => health::response(self, draining),
            Route::Metrics => self.access.share(&request.caller, self.metrics_page(&request)),
            Route::History(_) | Route::Runs | Route::Run(_) => self.access.share(&request.caller, self.past(&request)),
            Route::Asset(asset) => asset.response(request.gzip, request.if_none_match.as_deref()),
            Route::Events => EventLog::stream_head(),
            Route::Server => {
                Response { status: 204, ..Response::ok(JSON, Bytes::new()) }.with("allow", "GET, HEAD, POST, OPTIONS")
            }
            Route::NotFound => Response::error(404, "no such route"),
            #[cfg(feature = "test-hooks")]
            Route::Hang => Response::error(500, "not hung"),
        })
    }

    /// Begins a stream, for a request that [`Request::is_stream`], if `has_room` for another: gives the response that
    /// opens it, and the subscription unless the request was for the header alone.
    ///
    /// # Errors
    /// The response that says why there is no stream.
    pub fn open_stream(&self, request: &Request, has_room: bool) -> Result<(Response, Option<Subscription>), Response> {
        let refusal = self.stream_refusal(request, has_room);
        let status = refusal.as_ref().map_or(200, |refusal| refusal.status);
        self.metrics.counters.answered(request.route.endpoint(), Some(request.method), status);
        match refusal {
            Some(refusal) => Err(refusal),
            None => Ok((
                self.access.share(&request.caller, EventLog::stream_head()),
                (request.method == Method::Get).then(|| request.subscription()),
            )),
        }
    }

    fn stream_refusal(&self, request: &Request, has_room: bool) -> Option<Response> {
        if let Some(refusal) = self.access.refusal(request, || self.metrics.peers()) {
            return Some(Response { is_last: true, ..refusal });
        }
        if matches!(request.route, Route::CourseEvents) && self.registrations.is_none() {
            return Some(self.courses_page());
        }
        let reason = match (self.is_draining(), has_room) {
            (true, _) => "the server is shutting down",
            (false, false) => "too many streams are open",
            (false, true) => return None,
        };
        Some(self.access.share(&request.caller, Response { is_last: true, ..overloaded(reason) }))
    }

    /// What a stream begins with, and the id of the newest event in it.
    pub fn history(&self, subscription: Subscription) -> (u64, Bytes) {
        match (subscription.channel, &self.registrations) {
            (Channel::Courses, Some(registrations)) => registrations.opening_event(),
            (Channel::Courses, None) => (0, Bytes::new()),
            (Channel::Metrics, _) => self.events.history(subscription.after),
        }
    }

    /// The event for the streams of `/sse/courses`, if something has changed since the last call.
    pub fn course_changes(&self) -> Option<Arc<Sample>> {
        self.registrations.as_ref()?.changes()
    }

    /// The server finishes its last requests from now on.
    pub fn start_draining(&self) {
        self.metrics.draining.store(true, Relaxed);
    }

    /// Whether [`Self::start_draining`] was called.
    pub fn is_draining(&self) -> bool {
        self.metrics.draining.load(Relaxed)
    }

    /// Takes the once-a-second sample and adds it to the events and the history.
    pub fn sample(&self) -> Arc<Sample> {
        self.access.refresh();
        self.metrics.sample();
        let reading = self.metrics.read();
        self.record(&reading);
        if let Some(alerts) = self.alerts {
            alerts.look(reading.conditions());
        }
        self.events.push(&reading.to_json())
    }

    /// Saves what is to outlive the process; for after the last sample.
    pub fn close(&self) {
        self.history.close();
        if let Some(tracer) = self.tracer {
            tracer.buffer().close(Instant::now() + TRACES_AT_END);
        }
    }

    fn process(self: &Arc<Self>, request: Request) -> Plan {
        self.metrics.counters.request_started();
        let trace = self.begin_trace(&request);
        let (received_bytes, problem) = match &request.body {
            Body::Ignored | Body::Order(_) | Body::Kept { .. } => (None, None),
            Body::Json { check, bytes } => (Some(*bytes), check.finish().err().map(|reason| (400, reason))),
            Body::Encoded => (None, Some((415, "the body must not have a content coding"))),
        };
        let job = Job {
            app: Arc::clone(self),
            method: request.method,
            request_id: request.id,
            received_bytes,
            received: Instant::now(),
            trace,
            finished: false,
        };
        match problem {
            Some((status, reason)) => Plan::Answer(job.finish(Err(Response::error(status, reason)))),
            None => Plan::Later(Task::Work(job)),
        }
    }

    fn courses_page(&self) -> Response {
        match &self.registrations {
            Some(registrations) => registrations.courses(),
            None => Response::error(404, "this server has no registrations"),
        }
    }

    fn metrics_page(&self, request: &Request) -> Response {
        let reading = self.metrics.read();
        let response = match request.exposition {
            None => Response::ok(JSON, reading.to_json()),
            Some(format) => Response::ok(format.content_type(), reading.to_prometheus(format)),
        };
        response.with("cache-control", "no-store").with("vary", "accept, origin")
    }
}

impl Task {
    /// The response to the request that takes this, when it is refused with `refusal` instead.
    pub fn refuse(self, refusal: Response) -> Response {
        match self {
            Self::Work(job) => job.finish(Err(refusal)),
            Self::Store(job) => job.refuse(refusal),
        }
    }
}

impl Job {
    /// The response to a request whose work is done, or whose work was refused with a response of its own.
    pub fn finish(mut self, outcome: Result<(), Response>) -> Response {
        let mut response = outcome.map_or_else(|refusal| refusal, |()| self.processed());
        self.finished = true;
        response.is_last |= self.app.is_draining();
        self.app.metrics.counters.request_finished(self.method, response.status, self.received.elapsed());
        let response = traces::end(self.trace.take(), response);
        match self.request_id.take() {
            Some(id) => response.with("x-request-id", String::from(id)),
            None => response,
        }
    }

    /// It begins to wait in a queue now; `None` if it is not traced.
    pub fn queued(&self) -> Option<Queued> {
        self.trace.as_ref().and_then(|trace| trace.queued())
    }

    fn processed(&self) -> Response {
        let id = self.request_id.as_deref().map_or_else(request::new_id, str::to_owned);
        let timestamp = crate::http::rfc3339_now();
        let mut body = json!({
            "request_id": id,
            "processed": true,
            "timestamp": std::str::from_utf8(&timestamp).unwrap_or_default(),
            "server_type": self.app.config.engine.name(),
        });
        if let Some(bytes) = self.received_bytes {
            body["received_bytes"] = bytes.into();
        }
        Response::ok(JSON, body.to_string())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.finished {
            self.app.metrics.counters.request_abandoned();
        }
    }
}

/// A 503 that asks the client to come back.
pub fn overloaded(reason: &str) -> Response {
    Response::error(503, reason).with("retry-after", "1")
}

/// Where a browser that asks for `/` is sent.
fn to_pages() -> Response {
    let response = Response { status: 302, ..Response::ok("text/plain; charset=utf-8", "/compare3\n") };
    response.with("location", "/compare3").with("vary", "accept").with("cache-control", "no-store")
}
