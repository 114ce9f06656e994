//! Which requests are traced, and what their responses and the log contain of it.

use super::{App, Request};
use crate::http::Response;
use crate::log_limit::LogLimit;
use crate::trace::Active;

impl App {
    /// The span of `request`, if it is one that takes work and is traced. It lasts until [`end`].
    pub(super) fn begin_trace(&self, request: &Request) -> Option<Box<Active>> {
        if self.tracer.is_none() && request.trace.is_none() {
            return None;
        }
        let (method, route) = request.traced_as()?;
        Active::begin(self.tracer, request.trace, method, route).map(Box::new)
    }
}

/// Ends the span: the response is this one.
pub(super) fn end(trace: Option<Box<Active>>, response: Response) -> Response {
    static FAILURES: LogLimit = LogLimit::new();
    let Some(trace) = trace else { return response };
    let (context, status) = (trace.context(), response.status);
    if trace.is_recorded() && tracing::enabled!(tracing::Level::DEBUG) {
        let ms = trace.started().elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(event = "request", trace_id = %context.trace_id(), status, "answered {status} after {ms:.1} ms");
    }
    if status >= 500
        && let Some(suppressed) = FAILURES.allow()
    {
        tracing::warn!(event = "request", trace_id = %context.trace_id(), suppressed, "a traced request was answered {status}");
    }
    trace.end(status);
    response.with("traceparent", context.to_string())
}
