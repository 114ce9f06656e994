//! **stock-may**: the published `may_minihttp` unchanged, for comparison on loopback.
//!
//! The crate has no timeouts, limits or drain, cannot stream, sends a body after HEAD and cannot close a connection with
//! an answer. What its interface allows is the same as on the other engines: `/`, `/health` and `/metrics`.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use may_minihttp::{HttpService, HttpServiceFactory, Request, Response};

use super::may;
use crate::app::{self, App, Plan, Task};
use crate::clock::Moment;
use crate::http::{self, FetchSite, Framing, Head, Incoming as _, Method, Reject};
use crate::metrics::Endpoint;
use crate::server::MetricsLog;

/// Serves `app` on its configured address until the process ends.
///
/// The port must be one that is free: the crate does not report which port it got, and its `SO_REUSEPORT` would share
/// one silently.
///
/// # Errors
/// The address cannot be bound, or a thread cannot be started.
pub fn start(app: &Arc<App>) -> anyhow::Result<()> {
    may::start_runtime(app.config.threads)?;
    Factory(Arc::clone(app)).start(app.config.address)?;
    let app = Arc::clone(app);
    thread::Builder::new().name("sampler".into()).spawn(move || sample(&app))?;
    Ok(())
}

/// Samples once a second, and writes the METRICS log line.
fn sample(app: &App) {
    let mut log = MetricsLog::new();
    loop {
        thread::sleep(Duration::from_secs(1));
        app.sample();
        log.write_if_due(app);
    }
}

struct Factory(Arc<App>);

/// One connection's service. The count of active connections falls when it is dropped.
struct Connection(Arc<App>);

impl HttpServiceFactory for Factory {
    type Service = Connection;

    fn new_service(&self, _: usize) -> Connection {
        let counters = &self.0.metrics.counters;
        counters.accepted.fetch_add(1, Relaxed);
        counters.active.fetch_add(1, Relaxed);
        Connection(Arc::clone(&self.0))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.metrics.counters.active.fetch_sub(1, Relaxed);
    }
}

impl HttpService for Connection {
    fn call(&mut self, request: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        let head_only = request.method() == "HEAD";
        let answer = self.answer(request)?;
        response.status_code(answer.status.into(), http::reason(answer.status));
        response.header("Content-Type: application/json");
        if answer.status == 405 {
            response.header("Allow: GET, POST");
        }
        if !head_only {
            response.body_vec(answer.body.into());
        }
        Ok(())
    }
}

impl Connection {
    fn answer(&self, request: Request<'_, '_, '_>) -> io::Result<http::Response> {
        let app = &self.0;
        let reject = |reject: Reject| {
            app.metrics.counters.answered(Endpoint::Rejected, None, reject.status);
            Ok(reject.response())
        };
        // The crate panics in `body()` on a length that it cannot read. What follows such a head is taken for the next
        // request, since the crate cannot close the connection.
        let length = match body_length(request.headers()) {
            Ok(length) => length,
            Err(reason) => return reject(reason),
        };
        let method = match request.method() {
            "GET" => Method::Get,
            "POST" => Method::Post,
            _ => return skip(request).and_then(|()| reject(Reject::new(405, "the published crate has GET and POST"))),
        };
        let path = request.path().split('?').next().unwrap_or_default();
        if !matches!(path, "/" | "/health" | "/metrics") {
            app.metrics.counters.answered(Endpoint::NotFound, Some(method), 404);
            return skip(request).map(|()| http::Response::error(404, "no such route"));
        }
        if length > app.config.live.limits().max_body_bytes {
            return skip(request).and_then(|()| reject(Reject::new(413, "request body too large")));
        }
        let field = |name| value_of(name, request.headers());
        let mut asked = app::Request::new(&Head {
            method,
            path,
            keep_alive: true,
            framing: Framing::Length(length),
            request_id: field("x-request-id"),
            host: field("host"),
            origin: field("origin"),
            fetch_site: field("sec-fetch-site").map(FetchSite::parse),
            is_browser: field("user-agent").is_some_and(|agent| agent.starts_with(b"Mozilla/")),
            authorization: field("authorization"),
            cookie: field("cookie"),
            ..Head::default()
        });
        let mut body = Vec::new();
        request.body().read_to_end(&mut body)?;
        asked.receive(&body);
        Ok(match app.plan(asked) {
            Plan::Answer(answer) => answer,
            Plan::Later(Task::Store(_)) => http::Response::error(404, "no such route"),
            Plan::Later(Task::Work(job)) => {
                let outcome =
                    may::do_work(app.config.live.work(), Moment::now() + app.config.live.timeouts().write, || false);
                job.finish(outcome.unwrap_or(Ok(())))
            }
        })
    }
}

/// Reads the body and throws it away: unread, it would be taken for the next request.
fn skip(request: Request<'_, '_, '_>) -> io::Result<()> {
    io::copy(&mut request.body(), &mut io::sink()).map(drop)
}

fn value_of<'buf>(name: &str, headers: &[httparse::Header<'buf>]) -> Option<&'buf [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

/// The length of the body: no list, no sign, nothing past the crate's `usize`, and only one.
fn body_length(headers: &[httparse::Header<'_>]) -> Result<u64, Reject> {
    if value_of("transfer-encoding", headers).is_some() {
        return Err(Reject::new(501, "the published crate does not know Transfer-Encoding"));
    }
    let mut lengths = headers.iter().filter(|header| header.name.eq_ignore_ascii_case("content-length"));
    let Some(length) = lengths.next() else { return Ok(0) };
    let digits = str::from_utf8(length.value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let length = digits.and_then(|digits| digits.parse::<usize>().ok()).filter(|_| lengths.next().is_none());
    length.map(|length| length as u64).ok_or(Reject::bad_request("invalid Content-Length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_the_crate_would_panic_on_are_refused() {
        let length = |values: &[&'static str]| {
            let header = |value: &&'static str| httparse::Header { name: "Content-Length", value: value.as_bytes() };
            body_length(&values.iter().map(header).collect::<Vec<_>>()).ok()
        };
        assert_eq!((length(&[]), length(&["0"]), length(&["17"])), (Some(0), Some(0), Some(17)));
        for bad in ["-1", "abc", "5, 5", "18446744073709551616", "+5", "", "5 "] {
            assert_eq!(length(&[bad]), None, "{bad}");
        }
        assert_eq!(length(&["5", "5"]), None);
    }
}
