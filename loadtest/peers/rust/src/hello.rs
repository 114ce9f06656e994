//! The hello-world service that both hyper peers serve.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{BODY, JSON, is_known};

/// Serves one connection until its client closes it.
pub async fn serve(stream: TcpStream) {
    // Clients cut connections when a run ends; that is no news to a bare server.
    let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)).await;
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = if is_known(request.uri().path()) {
        Response::new(Full::new(Bytes::from_static(BODY.as_bytes())))
    } else {
        let mut missing = Response::new(Full::default());
        *missing.status_mut() = StatusCode::NOT_FOUND;
        missing
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    Ok(response)
}
