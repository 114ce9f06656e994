//! hyper between a request that has been read and the bytes of its response.
//!
//! The session has decoded the request under the rules that all engines share, so hyper is given a canonical head without
//! header fields, calls the service, and encodes the response into memory. A codec serves one request at a time and is
//! used again for the next one of any connection, so that neither idle connections nor new ones pay for hyper's buffers.

use std::borrow::Cow;
use std::cell::RefCell;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::Either;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1::{self, Connection};

use super::super::tokio_thread::{do_work, from_store};
use crate::app::{Plan, Request, Task};
use crate::clock::Moment;
use crate::http::{Envelope, Response};
use crate::server::Server;

/// A hyper connection in memory.
pub(super) struct Codec {
    connection: Connection<Pipe, Service>,
    call: Rc<RefCell<Call>>,
}

/// The request being served, shared by the codec with both ends of its hyper connection.
struct Call {
    /// What hyper has not read yet.
    head: &'static [u8],
    request: Option<Request>,
    envelope: Envelope,
    /// When its last byte came.
    received: Moment,
    output: Vec<u8>,
    has_response: bool,
}

/// hyper's transport.
struct Pipe(Rc<RefCell<Call>>);

/// hyper's service.
struct Service {
    server: &'static Server,
    call: Rc<RefCell<Call>>,
}

type Message = Result<hyper::Response<Full<Bytes>>, Infallible>;

impl Codec {
    pub(super) fn new(server: &'static Server) -> Self {
        let call = Rc::new(RefCell::new(Call {
            head: b"",
            request: None,
            envelope: Envelope::CLOSING,
            received: Moment::NEVER,
            output: Vec::new(),
            has_response: false,
        }));
        let service = Service { server, call: Rc::clone(&call) };
        let connection = http1::Builder::new().half_close(true).serve_connection(Pipe(Rc::clone(&call)), service);
        Self { connection, call }
    }

    /// Begins to serve a request whose last byte came at `received`; [`Self::poll`] goes on.
    pub(super) fn start(&mut self, request: Request, envelope: Envelope, received: Moment) {
        let mut call = self.call.borrow_mut();
        call.head = match (envelope.head_only, envelope.http10) {
            (false, false) => b"GET / HTTP/1.1\r\n\r\n",
            (true, false) => b"HEAD / HTTP/1.1\r\n\r\n",
            (false, true) => b"GET / HTTP/1.0\r\n\r\n",
            (true, true) => b"HEAD / HTTP/1.0\r\n\r\n",
        };
        call.request = Some(request);
        call.envelope = envelope;
        call.received = received;
        call.has_response = false;
    }

    /// Ready when the whole response has been appended to `output`.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, output: &mut Vec<u8>) -> Poll<()> {
        std::mem::swap(&mut self.call.borrow_mut().output, output);
        // Ready after a response that closes; an error cannot come from memory.
        let _ = Pin::new(&mut self.connection).poll(context);
        let mut call = self.call.borrow_mut();
        std::mem::swap(&mut call.output, output);
        if call.has_response { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether the client's connection is kept after the response.
    pub(super) fn keep_alive(&self) -> bool {
        self.call.borrow().envelope.keep_alive
    }

    /// Whether another request can be served; hyper's connection ends when the client's does, and with HTTP/1.0.
    pub(super) fn is_reusable(&self) -> bool {
        let call = self.call.borrow();
        call.has_response && call.envelope.keep_alive && !call.envelope.http10
    }
}

impl hyper::service::Service<hyper::Request<Incoming>> for Service {
    type Response = hyper::Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Either<Ready<Message>, Pin<Box<dyn Future<Output = Message>>>>;

    fn call(&self, _: hyper::Request<Incoming>) -> Self::Future {
        let config = &self.server.app.config;
        let (request, received) = {
            let mut call = self.call.borrow_mut();
            (call.request.take(), call.received)
        };
        let plan = match request {
            Some(request) => self.server.app.plan(request),
            None => Plan::Answer(Response::error(500, "no request was started")),
        };
        match plan {
            Plan::Answer(response) => Either::Left(ready(Ok(self.call.borrow_mut().respond(response)))),
            Plan::Later(task) => {
                let (work, end_by) = (config.live.work(), received + config.live.timeouts().write);
                let call = Rc::clone(&self.call);
                Either::Right(Box::pin(async move {
                    let response = match task {
                        Task::Work(job) => job.finish(do_work(work, end_by).await),
                        Task::Store(job) => from_store(job, end_by).await,
                    };
                    Ok(call.borrow_mut().respond(response))
                }))
            }
        }
    }
}

impl Call {
    fn respond(&mut self, response: Response) -> hyper::Response<Full<Bytes>> {
        self.has_response = true;
        self.envelope.keep_alive &= !response.is_last;
        let is_bodiless = response.is_bodiless();
        let mut message = hyper::Response::new(Full::new(response.body));
        *message.status_mut() = http::StatusCode::from_u16(response.status).unwrap_or_default();
        let headers = message.headers_mut();
        if !is_bodiless {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(response.content_type));
        }
        for (name, value) in response.headers {
            let value = match value {
                Cow::Borrowed(text) => Ok(HeaderValue::from_static(text)),
                Cow::Owned(text) => HeaderValue::try_from(text),
            };
            if let Ok(value) = value {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        if !self.envelope.keep_alive {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        } else if self.envelope.http10 {
            headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
        }
        message
    }
}

impl Read for Pipe {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let mut call = self.0.borrow_mut();
        if call.head.is_empty() {
            // The codec is polled again once there is another request.
            return Poll::Pending;
        }
        let (now, later) = call.head.split_at(call.head.len().min(buf.remaining()));
        buf.put_slice(now);
        call.head = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().output.extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
