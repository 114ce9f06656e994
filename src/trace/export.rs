//! The thread that sends spans to a collector: what it cannot send is dropped and counted, and no request waits for it.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::buffer::Buffer;
use super::endpoint::Endpoint;
use super::otlp::{self, Epoch};
use super::span::Span;

/// Spans of one request: a body of up to a megabyte.
const SPANS: usize = 2048;

/// Between two looks at what waits.
const INTERVAL: Duration = Duration::from_secs(1);

/// For a connection, and for each read and write.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Between attempts while no collector answers: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Of a response, no more than this is read: its status is what counts.
const MAX_RESPONSE: u64 = 64 * 1024;

/// Sends what comes into `buffer` until it is closed.
pub(super) fn run(buffer: &Buffer, endpoint: &Endpoint, service: &str) {
    let mut failing: Option<Duration> = None;
    let (mut taken, mut body) = (Vec::new(), Vec::new());
    loop {
        if let Some(pause) = failing {
            buffer.rest(pause);
        }
        let is_last = buffer.take(INTERVAL, &mut taken);
        let mut chunks = taken.chunks(SPANS);
        while let Some(spans) = chunks.next() {
            body.clear();
            otlp::write_request(&mut body, service, spans, Epoch::now());
            match send(endpoint, &body) {
                Ok(()) => {
                    buffer.count(spans.len(), 0);
                    if failing.take().is_some() {
                        tracing::info!(event = "traces", "traces are sent to {endpoint} again");
                    }
                }
                Err(error) => {
                    // Those behind it would fail as well.
                    buffer.count(0, spans.len() + chunks.by_ref().map(<[Span]>::len).sum::<usize>());
                    if failing.is_none() {
                        tracing::warn!(event = "traces", "traces are dropped: cannot send them to {endpoint}: {error}");
                    }
                    failing = Some(failing.map_or(PAUSES.0, |pause| (pause * 2).min(PAUSES.1)));
                }
            }
        }
        if is_last {
            return buffer.finished();
        }
    }
}

/// One request on a connection of its own.
fn send(endpoint: &Endpoint, body: &[u8]) -> io::Result<()> {
    let mut stream = connect(endpoint)?;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        endpoint.path,
        endpoint.authority,
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut response = Vec::new();
    match stream.take(MAX_RESPONSE).read_to_end(&mut response) {
        // A collector that resets the connection after its response has still answered.
        Err(error) if response.is_empty() => return Err(error),
        _ => {}
    }
    let status = response.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    match status {
        [b'2', _, _] => Ok(()),
        [b'1'..=b'9', _, _] => Err(io::Error::other(format!("status {}", String::from_utf8_lossy(status)))),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "the response is not HTTP")),
    }
}

fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in (&*endpoint.host, endpoint.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => {
                stream.set_read_timeout(Some(TIMEOUT))?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
