//! The routes of samples and runs, and what the history records each second.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::App;
use super::request::{Body, MAX_ORDER, Request};
use super::route::Route;
use crate::config::Config;
use crate::history::{FIELDS, History, Identity, Values};
use crate::http::{JSON, Method, Response};
use crate::metrics::{Metrics, Reading};
use crate::state_directory;

/// What of `/metrics` a run keeps as its settings.
const SETTINGS: [&str; 4] = ["version", "work", "num_cpu", "limits"];

/// The body of `POST /runs`.
#[derive(Deserialize)]
struct Order {
    action: Action,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Start,
    Stop,
}

pub(super) fn start(metrics: &Metrics, config: &Config) -> History {
    let sample: Value = serde_json::from_str(&metrics.read().to_json()).unwrap_or_default();
    let settings: Value = SETTINGS.iter().map(|name| ((*name).to_owned(), sample[*name].clone())).collect();
    let board = sample["pi"]["model"].as_str().map(str::to_owned);
    History::start(Identity { engine: config.engine.name(), settings, board }, state_directory::of_process())
}

impl App {
    /// Records the last second in the history.
    pub(super) fn record(&self, reading: &Reading<'_>) {
        let values: Values = std::array::from_fn(|at| reading.number(FIELDS[at].name).unwrap_or(f64::NAN));
        let time = reading.unix_time().as_secs_f64();
        self.metrics.with_latencies(|latencies| self.history.record(time, &values, latencies));
    }

    /// Answers a request to `/history` or `/runs`.
    pub(super) fn past(&self, request: &Request) -> Response {
        fresh(match (request.route, request.method) {
            (_, Method::Options) => Response { status: 204, ..Response::ok(JSON, Bytes::new()) }
                .with("access-control-allow-methods", "GET, POST, DELETE")
                .with("access-control-max-age", "600"),
            (Route::History(Some(window)), _) => packed(self.history.window(window, request.gzip), request),
            (Route::History(None), _) => Response::error(400, "window is one of 15m, 1h and 24h"),
            (Route::Runs, Method::Post) => self.order(&request.body),
            (Route::Run(id), Method::Delete) if self.history.delete_run(id) => {
                Response::ok(JSON, json!({ "id": id.to_string(), "state": "deleted" }).to_string())
            }
            (Route::Run(_), Method::Delete) => Response::error(404, "no run with this id has ended"),
            (Route::Run(id), _) => match self.history.run(id, request.gzip) {
                Some(run) => packed(run, request),
                None => Response::error(404, "no run with this id has ended"),
            },
            _ => packed(self.history.runs(request.gzip), request),
        })
    }

    fn order(&self, body: &Body) -> Response {
        let body = if let Body::Order(body) = body { body.as_slice() } else { &[] };
        if body.len() > MAX_ORDER {
            return Response::error(413, "the body has more than 4096 bytes");
        }
        let Ok(order) = serde_json::from_slice::<Order>(body) else {
            return Response::error(400, "the body is {\"action\":\"start\",\"name\":...} or {\"action\":\"stop\"}");
        };
        let (id, state) = match order.action {
            Action::Start => (self.history.start_run(order.name.as_deref()), "starting"),
            Action::Stop => match self.history.stop_run() {
                Some(id) => (id, "ending"),
                None => return Response::error(409, "no run is going on"),
            },
        };
        Response::ok(JSON, json!({ "id": id.to_string(), "state": state }).to_string())
    }
}

/// JSON in compressed form or not, as the request asks.
fn packed(body: std::io::Result<Bytes>, request: &Request) -> Response {
    match body {
        Ok(body) if request.gzip => Response::ok(JSON, body).with("content-encoding", "gzip"),
        Ok(body) => Response::ok(JSON, body),
        Err(error) => Response::error(500, &format!("what is kept cannot be read: {error}")),
    }
}

fn fresh(response: Response) -> Response {
    response.with("cache-control", "no-store").with("vary", "accept, accept-encoding, origin")
}
