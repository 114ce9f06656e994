//! What the server reports about itself at `/metrics` during the load, and the run that it records. Only fastgo has such
//! figures; for other servers there are none.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::authorization;

/// Time for the whole exchange; a server under load may be slow.
const PATIENCE: Duration = Duration::from_secs(2);

/// The server measures itself this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// Bytes in a MiB.
pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// Larger responses are not read to the end.
const MAX_RESPONSE: u64 = 1024 * 1024;

/// What the server reported at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// When it was asked.
    pub(crate) at: Instant,
    pub(crate) metrics: Metrics,
}

impl Sample {
    /// Resident memory in bytes.
    pub(crate) fn resident(&self) -> f64 {
        self.metrics.memory_alloc_mb * MIB
    }
}

/// The part of `/metrics` that matters here.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Metrics {
    pub(crate) server_type: String,
    pub(crate) work: String,
    pub(crate) num_cpu: usize,
    pub(crate) active_connections: u64,
    /// In MiB.
    pub(crate) memory_alloc_mb: f64,
    pub(crate) limits: Limits,
    /// The board; members are `null` where the machine has no such sensor.
    pub(crate) pi: Value,
}

/// The limits that the server was started with.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Limits {
    pub(crate) max_connections: u64,
}

/// Asks a server for its figures once a second, in a thread of its own, until dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    /// Before the load.
    pub(crate) baseline: Option<Sample>,
    latest: Arc<Mutex<Option<Sample>>>,
    /// The drop closes it, which ends the thread.
    stop: Option<Sender<()>>,
}

impl Watch {
    /// `host` is the value of the Host header.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn start(address: SocketAddr, host: &str) -> io::Result<Self> {
        let baseline = sample(address, host);
        let latest = Arc::new(Mutex::new(None));
        let mut watch = Self { baseline, latest: Arc::clone(&latest), stop: None };
        if watch.baseline.is_some() {
            let (stop, stopped) = channel();
            let host = host.to_owned();
            let run = move || {
                while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                    if let Some(sample) = sample(address, &host) {
                        *latest.lock().unwrap_or_else(PoisonError::into_inner) = Some(sample);
                    }
                }
            };
            std::thread::Builder::new().name("server-watch".to_owned()).spawn(run)?;
            watch.stop = Some(stop);
        }
        Ok(watch)
    }

    /// The latest figures, if they are not older than `since`.
    pub(crate) fn since(&self, since: Instant) -> Option<Sample> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.as_ref().filter(|sample| sample.at >= since).cloned()
    }
}

/// A run that the server records under a name until this is dropped.
#[derive(Debug)]
pub(crate) struct NamedRun {
    address: SocketAddr,
    host: String,
}

impl NamedRun {
    /// Starts it; `host` is the value of the Host header.
    ///
    /// # Errors
    /// The server cannot be reached, or records no runs for this client.
    pub(crate) fn start(address: SocketAddr, host: &str, name: &str) -> io::Result<Self> {
        order(address, host, &json!({ "action": "start", "name": name }))?;
        Ok(Self { address, host: host.to_owned() })
    }
}

impl Drop for NamedRun {
    fn drop(&mut self) {
        // Best effort: a run that is not stopped ends ten minutes after its load.
        let _ = order(self.address, &self.host, &json!({ "action": "stop" }));
    }
}

fn order(address: SocketAddr, host: &str, order: &Value) -> io::Result<()> {
    let body = order.to_string();
    let shown = authorization(None);
    let request = format!(
        "POST /runs HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n{shown}Connection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    match parse(&fetch(address, &request, Instant::now() + PATIENCE)?) {
        Some((200, _)) => Ok(()),
        Some((status, _)) => Err(io::Error::other(format!("it answered POST /runs with {status}"))),
        None => Err(io::Error::other("the response is not HTTP")),
    }
}

/// `None` for a server that does not answer, or not with the figures of fastgo.
pub(crate) fn sample(address: SocketAddr, host: &str) -> Option<Sample> {
    let at = Instant::now();
    let shown = authorization(None);
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n{shown}Connection: close\r\n\r\n"
    );
    let response = fetch(address, &request, at + PATIENCE).ok()?;
    let (200, body) = parse(&response)? else { return None };
    Some(Sample { at, metrics: serde_json::from_slice(body).ok()? })
}

/// Status and body; `None` for what is no whole HTTP response head.
fn parse(response: &[u8]) -> Option<(u16, &[u8])> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(response).ok()? else { return None };
    Some((head.code?, &response[length..]))
}

fn fetch(address: SocketAddr, request: &str, deadline: Instant) -> io::Result<Vec<u8>> {
    let left = || match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(request.as_bytes())?;
    let (mut response, mut buffer) = (Vec::new(), [0; 16 * 1024]);
    while (response.len() as u64) < MAX_RESPONSE {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut buffer)? {
            0 => break,
            length => response.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(response)
}

/// The server's memory while it held the connections of the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Memory {
    /// Resident, in bytes.
    pub(crate) resident: f64,
    /// Growth since before the load for each connection of it, in bytes.
    pub(crate) each: Option<f64>,
}

impl Memory {
    /// Below this many connections the growth of the process hides what one of them costs.
    const ENOUGH: u64 = 100;

    pub(crate) fn between(baseline: Option<&Sample>, held: &Sample) -> Self {
        let each = baseline.and_then(|before| {
            let added = held.metrics.active_connections.checked_sub(before.metrics.active_connections)?;
            (added >= Self::ENOUGH).then(|| (held.resident() - before.resident()).max(0.0) / added as f64)
        });
        Self { resident: held.resident(), each }
    }

    /// `24.1 MiB, +0.5 KiB for each connection`.
    pub(crate) fn text(self) -> String {
        let each = self.each.map(|each| format!(", +{:.1} KiB for each connection", each / 1024.0));
        format!("{:.1} MiB{}", self.resident / MIB, each.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers each connection with `response` once its request is complete.
    fn serve(response: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = Vec::new();
                let mut buffer = [0; 512];
                while !request.ends_with(b"\r\n\r\n") {
                    let length = stream.read(&mut buffer).unwrap();
                    request.extend_from_slice(&buffer[..length]);
                }
                assert!(request.starts_with(b"GET /metrics HTTP/1.1\r\nHost: pi\r\n"));
                stream.write_all(response.as_bytes()).unwrap();
            }
        });
        address
    }

    fn of(connections: u64, mib: f64) -> Sample {
        let metrics = serde_json::json!({
            "server_type": "may", "work": "none", "num_cpu": 4, "active_connections": connections,
            "memory_alloc_mb": mib, "limits": { "max_connections": 10 }, "pi": {},
        });
        Sample { at: Instant::now(), metrics: serde_json::from_value(metrics).unwrap() }
    }

    #[test]
    fn figures_of_fastgo_are_read_and_other_answers_are_none() {
        let fastgo = serve(
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n\
             {\"server_type\":\"may\",\"work\":\"none\",\"num_cpu\":4,\"active_connections\":7,\"other\":1,\
             \"memory_alloc_mb\":20.5,\"limits\":{\"max_connections\":10},\"pi\":{}}",
        );
        let sample = sample(fastgo, "pi").unwrap();
        assert_eq!((sample.metrics.active_connections, sample.resident()), (7, 20.5 * MIB));
        for other in [
            "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<html>",
            "SSH-2.0-OpenSSH_9.2p1\r\n",
        ] {
            assert!(super::sample(serve(other), "pi").is_none(), "{other}");
        }
    }

    #[test]
    fn memory_is_reported_for_each_connection_where_there_are_enough() {
        let memory = Memory::between(Some(&of(1, 20.0)), &of(10_001, 25.0));
        assert_eq!(memory.text(), "25.0 MiB, +0.5 KiB for each connection");
        assert_eq!(Memory::between(Some(&of(1, 20.0)), &of(20, 25.0)).text(), "25.0 MiB");
        assert_eq!(Memory::between(None, &of(10_001, 25.0)).text(), "25.0 MiB");
        assert_eq!(Memory::between(Some(&of(1, 26.0)), &of(10_001, 25.0)).each, Some(0.0));
    }
}
