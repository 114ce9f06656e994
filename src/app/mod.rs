//! What is served. Knows no runtime and no socket: an engine hands it a [`Request`] with its body and gets a [`Plan`].

mod assets;
mod events;
#[cfg(feature = "test-hooks")]
mod hang;
mod health;
mod request;
mod work;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use bytes::Bytes;
use serde_json::json;

use crate::config::Config;
use crate::http::{Framing, JSON, Method, Reject, Response};
use crate::metrics::Metrics;
pub use events::{EventLog, Sample, Subscription};
pub use request::{Request, Route};
pub use work::CpuSlices;

/// JSON nested deeper than this is refused before it is parsed, so that no parser recurses on input.
const MAX_JSON_DEPTH: usize = 64;

/// One server's application: its routes, their state and their measurements.
pub struct App {
    /// The settings in force.
    pub config: Config,
    /// The measurements.
    pub metrics: Metrics,
    /// The samples that `/sse/metrics` streams.
    pub events: EventLog,
}

/// What an engine is to do with a whole request.
pub enum Plan {
    /// Send this.
    Answer(Response),
    /// Run the engine's work, then send what [`Job::finish`] gives.
    Work(Job),
}

/// A request to `/` between its admission and its answer. Dropping it unfinished counts it as abandoned.
pub struct Job {
    app: Arc<App>,
    method: Method,
    request_id: Option<Box<str>>,
    received_bytes: Option<usize>,
    received: Instant,
    finished: bool,
}

impl App {
    /// The application with these settings, measuring from now on.
    pub fn new(config: Config) -> Arc<Self> {
        assets::prepare();
        Arc::new(Self { metrics: Metrics::new(config.clone()), config, events: EventLog::default() })
    }

    /// Decides what becomes of `request`, whose body is `body`. A stream begins with [`Self::subscribe`] instead.
    pub fn plan(self: &Arc<Self>, request: Request, body: &[u8]) -> Plan {
        #[cfg(feature = "test-hooks")]
        hang::hang_if_told(&request);
        let (endpoint, method) = (request.route.endpoint(), request.method);
        // Looked at once, so that an answer and what it says of its connection agree.
        let draining = self.is_draining();
        let mut response = match request.route {
            Route::Process if request.is_allowed() => return self.process(request, body),
            _ if !request.is_allowed() => request.not_allowed(),
            Route::Health => health::answer(self, draining),
            Route::Metrics => self.metrics_page(&request),
            Route::Asset(asset) => asset.answer(&request),
            Route::Process | Route::Events => Response::ok("text/event-stream", Bytes::new()),
            Route::NotFound => Response::error(404, "no such route"),
            #[cfg(feature = "test-hooks")]
            Route::Hang => Response::error(500, "not hung"),
        };
        response.is_last |= draining;
        self.metrics.counters.answered(endpoint, Some(method), response.status);
        Plan::Answer(response)
    }

    /// Begins a stream, for a request that [`Request::is_stream`].
    pub fn subscribe(&self, request: &Request, framing: Framing) -> Result<Subscription, Reject> {
        if framing != Framing::Length(0) {
            return Err(Reject::bad_request("a stream is asked for without a body"));
        }
        self.metrics.counters.answered(request.route.endpoint(), Some(request.method), 200);
        Ok(request.subscription())
    }

    /// The server finishes its last requests from now on.
    pub fn start_draining(&self) {
        self.metrics.draining.store(true, Relaxed);
    }

    /// Whether [`Self::start_draining`] was called.
    pub fn is_draining(&self) -> bool {
        self.metrics.draining.load(Relaxed)
    }

    /// Takes the once-a-second sample and adds it to the events.
    pub fn sample(&self) -> Arc<Sample> {
        self.metrics.sample();
        self.events.push(&self.metrics.read().to_json())
    }

    fn process(self: &Arc<Self>, request: Request, body: &[u8]) -> Plan {
        self.metrics.counters.request_started();
        let posted = request.method == Method::Post;
        let job = Job {
            app: Arc::clone(self),
            method: request.method,
            request_id: request.id,
            received_bytes: posted.then_some(body.len()),
            received: Instant::now(),
            finished: false,
        };
        match posted.then(|| check_json(body)) {
            Some(Err(message)) => Plan::Answer(job.finish(Err(Response::error(400, message)))),
            _ => Plan::Work(job),
        }
    }

    fn metrics_page(&self, request: &Request) -> Response {
        let reading = self.metrics.read();
        let response = match request.exposition {
            None => Response::ok(JSON, reading.to_json()),
            Some(format) => Response::ok(format.content_type(), reading.to_prometheus(format)),
        };
        response.with("cache-control", "no-store").with("vary", "accept").with("access-control-allow-origin", "*")
    }
}

impl Job {
    /// The answer of a request whose work is done, or of one whose work was refused with an answer of its own.
    pub fn finish(mut self, outcome: Result<(), Response>) -> Response {
        let mut response = outcome.map_or_else(|refusal| refusal, |()| self.processed());
        self.finished = true;
        response.is_last |= self.app.is_draining();
        self.app.metrics.counters.request_finished(self.method, response.status, self.received.elapsed());
        match self.request_id.take() {
            Some(id) => response.with("x-request-id", String::from(id)),
            None => response,
        }
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

/// Whether `body` is one JSON value of bearable depth.
fn check_json(body: &[u8]) -> Result<(), &'static str> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > MAX_JSON_DEPTH {
                    return Err("the JSON body is nested too deeply");
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    let text = std::str::from_utf8(body).map_err(|_| "the body is not valid UTF-8")?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map(drop).map_err(|_| "the body is not valid JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_checked_without_recursion() {
        assert_eq!(check_json(br#"{"name":"[[[[\"[[[","courses":[1,2,{"a":null}]}"#), Ok(()));
        for bad in ["", "{", "{}{}", "[1,]", "nul", "\"", "{\"a\":}"] {
            assert!(check_json(bad.as_bytes()).is_err(), "{bad}");
        }
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert_eq!(check_json(deep.as_bytes()), Err("the JSON body is nested too deeply"));
    }
}
