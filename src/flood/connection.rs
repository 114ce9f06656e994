//! The life of one connection: connect, send a request, hold, send paced requests, until one side closes.
//!
//! A held connection owns its socket and a small task; all reading goes through one buffer per process.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout_at;

use super::response::Response;
use super::tally::Failure;
use super::worker::{Turn, Worker};

/// Why a connection is opened.
enum Reason {
    /// It is one of the ramp's; due at this instant.
    Ramp(Instant),
    /// A paced request, due at this instant, found no connection left.
    Paced(Instant),
}

/// Begins one of the ramp's connections.
pub(super) fn ramp(worker: &Rc<Worker>, due: Instant) {
    worker.ramp();
    begin(worker, Reason::Ramp(due));
}

/// Issues one paced request, on a connection of its own if it needs one.
pub(super) fn issue(worker: &Rc<Worker>, due: Instant) {
    if worker.issue(due) {
        begin(worker, Reason::Paced(due));
    }
}

fn begin(worker: &Rc<Worker>, reason: Reason) {
    let source = worker.begin();
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        run(&worker, source, reason).await;
        if let Some(due) = worker.end() {
            begin(&worker, Reason::Paced(due));
        }
    });
}

/// Runs one connection to its end and counts what happens to it.
async fn run(worker: &Worker, source: Option<IpAddr>, reason: Reason) {
    let (due, mut paced) = match reason {
        Reason::Ramp(due) => (due, None),
        Reason::Paced(due) => (due, Some(due)),
    };
    let mut ramp = paced.is_none().then(|| worker.settling());
    let opened = timeout_at((due + worker.assignment.timeout).into(), connect(worker.assignment.address, source)).await;
    let stream = match opened.unwrap_or(Err(Failure::ConnectTimeout)) {
        Ok(stream) => stream,
        Err(failure) => return worker.request_done(paced, Err(failure)),
    };
    let connected = Instant::now();
    let _open = worker.opened(connected - due, paced.is_some());
    let mut sent = paced.unwrap_or(connected);
    // A connection counts as one failure at most: what the server does after a failed request is part of it.
    let mut failed = false;
    loop {
        let deadline = (sent + worker.assignment.timeout).into();
        let exchange = timeout_at(deadline, exchange(worker, &stream)).await;
        let outcome = exchange.unwrap_or(Err(Failure::ResponseTimeout));
        let keep_alive = matches!(outcome, Ok((_, true)));
        failed |= !matches!(outcome, Ok((200..=299, _)));
        let latency = sent.elapsed();
        worker.request_done(paced, outcome.map(|(status, _)| (status, latency)));
        drop(ramp.take());
        let lost = if keep_alive {
            match hold(worker, &stream).await {
                Ok(due) => {
                    paced = Some(due);
                    sent = due;
                    continue;
                }
                Err(failure) => failure,
            }
        } else {
            Failure::ClosedEarly
        };
        if !failed {
            worker.lost(lost);
        }
        return;
    }
}

async fn connect(address: SocketAddr, source: Option<IpAddr>) -> Result<TcpStream, Failure> {
    let attempt = async {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = source {
            // The kernel then picks the port at connect time, when it knows the whole four-tuple (ip(7)).
            setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
            socket.bind(SocketAddr::new(source, 0))?;
        }
        socket.connect(address).await
    };
    attempt.await.map_err(|error: io::Error| Failure::from_connect(&error))
}

/// Sends the request and reads its response; the status, and whether the connection may carry another request.
async fn exchange(worker: &Worker, stream: &TcpStream) -> Result<(u16, bool), Failure> {
    let mut unsent = worker.assignment.request.as_bytes();
    while !unsent.is_empty() {
        match stream.try_write(unsent) {
            Ok(sent) => unsent = &unsent[sent..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.writable().await.map_err(|error| Failure::from_io(&error))?;
            }
            Err(error) => return Err(Failure::from_io(&error)),
        }
    }
    let mut response = Response::default();
    loop {
        let ended = read(worker, stream, |bytes| match bytes {
            [] => response.end().map(|()| true),
            bytes => response.feed(bytes),
        });
        if ended.await? {
            return Ok((response.status(), response.keep_alive()));
        }
    }
}

/// Keeps an idle connection until its next paced request is due.
async fn hold(worker: &Worker, stream: &TcpStream) -> Result<Instant, Failure> {
    let turn = async {
        match worker.next_turn() {
            Turn::Now(due) => due,
            Turn::Later(due) => due.await.expect("the worker outlives its connections"),
            Turn::Never => pending().await,
        }
    };
    tokio::select! {
        biased;
        due = turn => Ok(due),
        // A server that sends something without a request is about to close.
        failure = read(worker, stream, |_| Err(Failure::ClosedEarly)) => failure,
    }
}

/// Hands the next bytes that arrive (none: end of stream) to `take`, through the shared buffer.
async fn read<T>(
    worker: &Worker,
    stream: &TcpStream,
    mut take: impl FnMut(&[u8]) -> Result<T, Failure>,
) -> Result<T, Failure> {
    loop {
        stream.readable().await.map_err(|error| Failure::from_io(&error))?;
        let mut buffer = worker.buffer.borrow_mut();
        match stream.try_read(&mut buffer) {
            Ok(length) => {
                worker.received(length);
                return take(&buffer[..length]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(Failure::from_io(&error)),
        }
    }
}
