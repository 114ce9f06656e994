//! **stock-may**: the published `may_minihttp` as it comes, for comparison on loopback.
//!
//! The crate has no timeouts, limits or drain, cannot stream, sends a body after HEAD and cannot close a connection with
//! an answer. What its interface allows is the same as on the other engines: `/`, `/health` and `/metrics`.

use std::io::{self, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use may_minihttp::{HttpService, HttpServiceFactory, Request, Response};

use super::clock::now_ms;
use super::may_coroutine::work::do_work;
use super::metrics_log::MetricsLog;
use crate::app::{self, App, Plan};
use crate::http::{self, Framing, Head, Method, Reject};
use crate::metrics::Endpoint;

/// Stack of a coroutine in bytes. The crate's default of 32 KiB is too small for building JSON.
const STACK_BYTES: usize = 128 * 1024;

/// Serves `app` until the process ends; gives the address.
///
/// # Errors
/// What the kernel says to binding the address, above all that it is in use.
pub fn start(app: &Arc<App>) -> anyhow::Result<SocketAddr> {
    may::config()
        .set_workers(app.config.workers)
        .set_stack_size(STACK_BYTES / size_of::<usize>())
        // Pinning needs a system call that a sandbox may refuse.
        .set_worker_pin(false);
    // The crate does not tell which port it got, and its SO_REUSEPORT would share one in silence.
    let address = TcpListener::bind(app.config.address)?.local_addr()?;
    Factory(Arc::clone(app)).start(address)?;
    let app = Arc::clone(app);
    thread::Builder::new().name("sampler".into()).spawn(move || sample(&app))?;
    Ok(address)
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
        if length > app.config.limits.max_body_bytes {
            return skip(request).and_then(|()| reject(Reject::new(413, "request body too large")));
        }
        let plan_for = app::Request::new(&Head {
            bytes: 0,
            method,
            path,
            http10: false,
            keep_alive: true,
            framing: Framing::Length(length),
            expect_continue: false,
            accept: None,
            accept_encoding: None,
            if_none_match: None,
            last_event_id: None,
            request_id: value_of("x-request-id", request.headers()),
        });
        let mut body = Vec::new();
        request.body().read_to_end(&mut body)?;
        Ok(match app.plan(plan_for, &body) {
            Plan::Answer(answer) => answer,
            Plan::Work(job) => {
                let write_timeout = app.config.write_timeout.as_millis() as u64;
                job.finish(do_work(app.config.work, now_ms() + write_timeout))
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
