//! `/health`: whether the server takes requests; the cheapest response, by which CPU per request is measured.

use super::App;
use crate::http::{JSON, Response, rfc3339_now};

pub(super) fn response(app: &App, draining: bool) -> Response {
    let time = rfc3339_now();
    let (status, word) = if draining { (503, "draining") } else { (200, "healthy") };
    let mut body = Vec::with_capacity(96);
    for part in
        [r#"{"status":""#, word, r#"","server":""#, app.config.engine.name(), r#"","time":""#].map(str::as_bytes)
    {
        body.extend_from_slice(part);
    }
    body.extend_from_slice(&time);
    body.extend_from_slice(b"\"}");
    Response { status, ..Response::ok(JSON, body) }
}
