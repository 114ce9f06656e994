//! One connection's task: hyper while there is something to do, deadlines all along, then the lobby.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep, timeout};

use super::Execute;
use super::exchange::{End, Exchange, Phase};
use super::gate::{Gate, READ_SIZE};
use super::service::Service;
use crate::engine::clock::now_ms;
use crate::engine::connections::{Permit, Server};
use crate::http::{Envelope, Reject, Response};
use crate::metrics::Endpoint;

/// Work that has outlived its own deadline by this much is cut off.
const OVERTIME_MS: u64 = 500;

/// Serves `stream` until it ends, rests or becomes a stream of events.
pub(crate) async fn serve_connection<E: Execute>(server: Arc<Server>, executor: E, stream: TcpStream, permit: Permit) {
    server.app.metrics.counters.task_started();
    let idle_since = now_ms();
    match first_bytes(&server, &stream).await {
        Ok(Some(input)) => Box::pin(serve_requests(&server, executor, stream, input, permit)).await,
        Ok(None) => rest(&server, stream, permit, idle_since),
        Err(_) => {}
    }
    server.app.metrics.counters.task_ended();
}

/// Serves a connection that woke in the lobby. Runs on the runtime that will watch the socket.
pub(crate) async fn serve_woken<E: Execute>(
    server: Arc<Server>,
    executor: E,
    stream: std::net::TcpStream,
    permit: Permit,
) {
    if let Ok(stream) = TcpStream::from_std(stream) {
        serve_connection(server, executor, stream, permit).await;
    }
}

/// What the client sends first; `None` when it sends nothing for a while.
async fn first_bytes(server: &Server, stream: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let read = async {
        loop {
            stream.readable().await?;
            let mut input = vec![0; READ_SIZE];
            match stream.try_read(&mut input) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    server.app.metrics.counters.bytes_read(count);
                    input.truncate(count);
                    return Ok(Some(input));
                }
                // A fresh socket may claim to be readable when it is not.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    };
    timeout(Duration::from_millis(server.deadlines.grace), read).await.unwrap_or(Ok(None))
}

/// How hyper's part ended.
enum Outcome {
    /// hyper closed the connection after an answer.
    Finished,
    /// The connection broke.
    Broken,
    /// The gate ended it.
    Ended(End),
    /// A deadline passed.
    Late,
}

async fn serve_requests<E: Execute>(
    server: &Arc<Server>,
    executor: E,
    stream: TcpStream,
    input: Vec<u8>,
    permit: Permit,
) {
    let exchange = Arc::new(Exchange::new());
    let gate = Gate::new(stream, input, Arc::clone(&server.app), Arc::clone(&exchange));
    let service = Service { server: Arc::clone(server), exchange: Arc::clone(&exchange), executor };
    let limits = &server.app.config.limits;
    let mut connection = http1::Builder::new()
        .half_close(true)
        .pipeline_flush(true)
        .max_buf_size(limits.max_head_bytes + 8192)
        .serve_connection(gate, service);
    let mut timer = pin!(sleep(server.deadlines.tick));
    let outcome = poll_fn(|cx| {
        match Pin::new(&mut connection).poll(cx) {
            Poll::Ready(Ok(())) => return Poll::Ready(Outcome::Finished),
            Poll::Ready(Err(_)) => return Poll::Ready(Outcome::Broken),
            Poll::Pending => {}
        }
        if exchange.unflushed_since().is_none()
            && let Some(end) = exchange.take_end()
        {
            return Poll::Ready(Outcome::Ended(end));
        }
        poll_deadline(cx, timer.as_mut(), server, &exchange).map(|()| Outcome::Late)
    })
    .await;
    let stream = connection.into_parts().io.into_stream();
    match outcome {
        Outcome::Finished => close(server, stream, permit),
        Outcome::Broken | Outcome::Ended(End::Closed) => {}
        Outcome::Ended(End::Refuse(response)) => refuse(server, stream, permit, &response).await,
        Outcome::Ended(End::Subscribe(subscription)) => {
            if let Ok(stream) = stream.into_std() {
                server.broadcaster.subscribe(stream, permit, subscription);
            }
        }
        Outcome::Late => late(server, &exchange, stream, permit).await,
    }
}

/// Ready when the deadline of the current phase has passed. The timer is set anew only when it fires, so that requests
/// in quick succession do not pay for it.
fn poll_deadline(cx: &mut Context<'_>, mut timer: Pin<&mut Sleep>, server: &Server, exchange: &Exchange) -> Poll<()> {
    while timer.as_mut().poll(cx).is_ready() {
        let deadlines = &server.deadlines;
        let deadline = match (exchange.unflushed_since(), exchange.phase()) {
            (Some(since), _) => since + deadlines.write,
            (None, Phase::Idle) => exchange.since() + deadlines.grace,
            (None, Phase::Reading) => exchange.since() + deadlines.read,
            (None, Phase::Working) => exchange.since() + deadlines.write + OVERTIME_MS,
        };
        let left = Duration::from_millis(deadline.saturating_sub(now_ms()));
        if left.is_zero() {
            return Poll::Ready(());
        }
        timer.as_mut().reset(Instant::now() + left.min(deadlines.tick));
    }
    Poll::Pending
}

/// What becomes of a connection whose phase took too long.
async fn late(server: &Server, exchange: &Exchange, stream: TcpStream, permit: Permit) {
    let counters = &server.app.metrics.counters;
    match (exchange.unflushed_since(), exchange.phase()) {
        (None, Phase::Idle) => rest(server, stream, permit, exchange.since()),
        (Some(_), _) => {
            counters.timed_out.fetch_add(1, Relaxed);
        }
        (None, Phase::Reading | Phase::Working) => {
            counters.timed_out.fetch_add(1, Relaxed);
            counters.answered(Endpoint::Rejected, None, 408);
            refuse(server, stream, permit, &Reject::new(408, "the request took too long").response()).await;
        }
    }
}

/// Sends a last answer that hyper has no part in, then closes.
async fn refuse(server: &Server, mut stream: TcpStream, permit: Permit, response: &Response) {
    let mut out = Vec::new();
    response.write_to(&mut out, Envelope::CLOSING);
    let patience = Duration::from_millis(server.deadlines.write);
    if let Ok(Ok(())) = timeout(patience, stream.write_all(&out)).await {
        server.app.metrics.counters.bytes_written(out.len());
        close(server, stream, permit);
    }
}

fn close(server: &Server, stream: TcpStream, permit: Permit) {
    if let Ok(stream) = stream.into_std() {
        server.lobby.close(stream, permit);
    }
}

fn rest(server: &Server, stream: TcpStream, permit: Permit, idle_since: u64) {
    if let Ok(stream) = stream.into_std() {
        server.lobby.wait(stream, permit, idle_since);
    }
}
