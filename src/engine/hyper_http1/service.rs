//! The hyper service: one request in, through the application and the engine's work, one response out.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};

use super::Execute;
use super::exchange::Exchange;
use crate::app::{Plan, Request};
use crate::engine::connections::Server;
use crate::http::Response;

/// One connection's service.
pub(super) struct Service<E> {
    pub(super) server: Arc<Server>,
    pub(super) exchange: Arc<Exchange>,
    pub(super) executor: E,
}

impl<E: Execute> hyper::service::Service<hyper::Request<Incoming>> for Service<E> {
    type Response = hyper::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, message: hyper::Request<Incoming>) -> Self::Future {
        let server = Arc::clone(&self.server);
        let exchange = Arc::clone(&self.exchange);
        let executor = self.executor.clone();
        Box::pin(async move {
            let response = match exchange.take_request() {
                Some(request) => answer(&server, &exchange, &executor, request, message.into_body()).await,
                None => Response::error(500, "no request was admitted"),
            };
            let keep = exchange.keep_alive() && !response.is_last;
            exchange.answered();
            Ok(into_hyper(response, keep))
        })
    }
}

async fn answer<E: Execute>(
    server: &Server,
    exchange: &Exchange,
    executor: &E,
    request: Request,
    body: Incoming,
) -> Response {
    let body = if body.is_end_stream() { Vec::new() } else { read_body(body, request.wants_body()).await };
    match server.app.plan(request, &body) {
        Plan::Answer(response) => response,
        Plan::Work(job) => {
            let end_by = exchange.since() + server.deadlines.write;
            let start_by = end_by.min(exchange.first_byte() + server.deadlines.read);
            job.finish(executor.work(start_by, end_by).await)
        }
    }
}

/// Waits for the whole body, within the limit that the gate watches over, and returns what is wanted of it.
async fn read_body(mut body: Incoming, wanted: bool) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let (true, Some(data)) = (wanted, frame.data_ref()) {
            content.extend_from_slice(data);
        }
    }
    content
}

fn into_hyper(response: Response, keep: bool) -> hyper::Response<Full<Bytes>> {
    let mut message = hyper::Response::new(Full::new(response.body));
    *message.status_mut() = http::StatusCode::from_u16(response.status).unwrap_or_default();
    let headers = message.headers_mut();
    if response.status != 304 {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(response.content_type));
    }
    for (name, value) in response.headers {
        let value = match value {
            std::borrow::Cow::Borrowed(text) => Ok(HeaderValue::from_static(text)),
            std::borrow::Cow::Owned(text) => HeaderValue::try_from(text),
        };
        if let Ok(value) = value {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    if !keep {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    message
}
