//! A client of many keep-alive connections that each send one GET per period, evenly spread over it: sparse traffic.
//!
//! Usage: `paced-client PORT CONNECTIONS PERIOD_MS [PATH [HEADER]]`
//!
//! Opens all connections, prints a report and starts to send. For each line on standard input it prints a report, as
//! one line of JSON, of what happened since the report before; at the end of the input it stops. Latency counts from
//! when a request was due, so a slow server cannot hide behind a client that waits for it. One thread, one epoll, one
//! system call to send and one to receive, so that the client takes little of what the server could have used.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{Domain, Socket, Type};

/// The default port range reaches one server port with 28,232 connections; each address opens a range of its own.
const CONNECTIONS_PER_ADDRESS: usize = 10_000;
const STANDARD_INPUT: u64 = u64::MAX;
const EVENTS: usize = 256;
const READ_SIZE: usize = 64 * 1024;
const MAX_HEAD: usize = 16 * 1024;
/// An answer that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<u32>().ok()).filter(|&n| n > 0);
    let (Some(port), Some(connections), Some(period)) = (number(0), number(1), number(2)) else {
        eprintln!("usage: paced-client PORT CONNECTIONS PERIOD_MS [PATH [HEADER]]");
        std::process::exit(2);
    };
    let port = u16::try_from(port).map_err(io::Error::other)?;
    let path = arguments.get(3).map_or("/health", String::as_str);
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: paced-client\r\n");
    if let Some(header) = arguments.get(4) {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let mut client = Client::open(port, connections as usize, request.into_bytes())?;
    client.run(Duration::from_millis(period.into()) / connections)
}

struct Client {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    request: Vec<u8>,
    interval: Interval,
}

struct Connection {
    /// None once it has failed; it is not opened again, so one failure never hides behind a later success.
    stream: Option<TcpStream>,
    /// When the request was due whose answer is awaited.
    awaited: Option<Instant>,
    answer: Answer,
}

/// How much of an answer has arrived.
#[derive(Default)]
struct Answer {
    head: Vec<u8>,
    body_left: Option<usize>,
}

/// What happened since the last report.
struct Interval {
    began: Instant,
    sent: u64,
    failed: u64,
    /// Requests that were due while the connection's last one was still unanswered; not sent.
    skipped: u64,
    reasons: Vec<&'static str>,
    latencies_us: Vec<u32>,
}

impl Client {
    fn open(port: u16, count: usize, request: Vec<u8>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let stream = connect(port, index)?;
            let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
            epoll::add(&epoll, &stream, epoll::EventData::new_u64(index as u64), flags)?;
            connections.push(Connection { stream: Some(stream), awaited: None, answer: Answer::default() });
        }
        let input = epoll::EventData::new_u64(STANDARD_INPUT);
        epoll::add(&epoll, io::stdin().as_fd(), input, epoll::EventFlags::IN)?;
        Ok(Self { epoll, connections, request, interval: Interval::new() })
    }

    fn run(&mut self, gap: Duration) -> io::Result<()> {
        self.report()?;
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; READ_SIZE];
        let mut turn = 0;
        let mut due = Instant::now();
        loop {
            let mut now = Instant::now();
            while due <= now {
                self.send(turn, due);
                turn = (turn + 1) % self.connections.len();
                due += gap;
                now = Instant::now();
            }
            let timeout = Timespec::try_from(due - now).map_err(io::Error::other)?;
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match event.data.u64() {
                    STANDARD_INPUT => {
                        if io::stdin().read(&mut buffer)? == 0 {
                            return Ok(());
                        }
                        self.report()?;
                    }
                    index => self.receive(usize::try_from(index).map_err(io::Error::other)?, &mut buffer),
                }
            }
        }
    }

    fn send(&mut self, index: usize, due: Instant) {
        let connection = &mut self.connections[index];
        let Some(stream) = &connection.stream else {
            self.interval.fail("connection was lost before");
            return;
        };
        if let Some(since) = connection.awaited {
            self.interval.skipped += 1;
            if since.elapsed() > PATIENCE {
                connection.stream = None;
                self.interval.fail("no answer within 10 s");
            }
            return;
        }
        match rustix::net::send(stream, &self.request, SendFlags::NOSIGNAL) {
            Ok(sent) if sent == self.request.len() => {
                connection.awaited = Some(due);
                self.interval.sent += 1;
            }
            _ => {
                connection.stream = None;
                self.interval.fail("could not send");
            }
        }
    }

    fn receive(&mut self, index: usize, buffer: &mut [u8]) {
        let connection = &mut self.connections[index];
        let Some(stream) = &connection.stream else { return };
        let outcome = match rustix::net::recv(stream, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => Err("closed by the server"),
            Ok((count, _)) => connection.answer.feed(&buffer[..count]),
            Err(Errno::AGAIN | Errno::INTR) => return,
            Err(_) => Err("reset by the server"),
        };
        match (outcome, connection.awaited) {
            (Ok(false), Some(_)) => {}
            (Ok(true), Some(due)) => {
                connection.awaited = None;
                connection.answer = Answer::default();
                let waited = due.elapsed().as_micros();
                self.interval.latencies_us.push(u32::try_from(waited).unwrap_or(u32::MAX));
            }
            (Ok(_), None) => {
                connection.stream = None;
                self.interval.fail("bytes that answer nothing");
            }
            (Err(reason), _) => {
                connection.stream = None;
                self.interval.fail(reason);
            }
        }
    }

    fn report(&mut self) -> io::Result<()> {
        let open = self.connections.iter().filter(|connection| connection.stream.is_some()).count();
        let line = std::mem::replace(&mut self.interval, Interval::new()).into_json(open);
        let mut out = io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()
    }
}

impl Answer {
    /// Takes the next bytes; true when they complete an answer of status 200.
    fn feed(&mut self, bytes: &[u8]) -> Result<bool, &'static str> {
        let body_left = if let Some(left) = self.body_left {
            left.checked_sub(bytes.len())
        } else {
            self.head.extend_from_slice(bytes);
            let Some(end) = self.head.windows(4).position(|window| window == b"\r\n\r\n") else {
                return if self.head.len() > MAX_HEAD { Err("an endless head") } else { Ok(false) };
            };
            parse_head(&self.head[..end])?.checked_sub(self.head.len() - end - 4)
        };
        let body_left = body_left.ok_or("more bytes than Content-Length")?;
        self.body_left = Some(body_left);
        Ok(body_left == 0)
    }
}

/// The length of the body, when the status is 200.
fn parse_head(head: &[u8]) -> Result<usize, &'static str> {
    let head = std::str::from_utf8(head).map_err(|_| "a head that is not text")?;
    let mut lines = head.split("\r\n");
    match lines.next().and_then(|line| line.split(' ').nth(1)) {
        Some("200") => {}
        Some("503") => return Err("status 503"),
        _ => return Err("a status other than 200"),
    }
    lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or("no Content-Length")
}

impl Interval {
    fn new() -> Self {
        Self { began: Instant::now(), sent: 0, failed: 0, skipped: 0, reasons: Vec::new(), latencies_us: Vec::new() }
    }

    fn fail(&mut self, reason: &'static str) {
        self.failed += 1;
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }

    fn into_json(mut self, open: usize) -> String {
        let mut line = format!(
            r#"{{"seconds":{:.3},"open":{open},"sent":{},"answered":{},"failed":{},"skipped":{},"reasons":{:?}"#,
            self.began.elapsed().as_secs_f64(),
            self.sent,
            self.latencies_us.len(),
            self.failed,
            self.skipped,
            self.reasons,
        );
        self.latencies_us.sort_unstable();
        for (name, share) in [("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999), ("max_ms", 1.0)] {
            // Writing to a String does not fail.
            let _ = write!(line, r#","{name}":{:.3}"#, quantile(&self.latencies_us, share) / 1000.0);
        }
        line + "}"
    }
}

/// The smallest of the sorted values that `share` of them do not exceed; 0 when there are none.
fn quantile(sorted: &[u32], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate and a count far below the limits"
    )]
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().map_or(0.0, f64::from)
}

fn connect(port: u16, index: usize) -> io::Result<TcpStream> {
    let last_octet = u8::try_from(2 + index / CONNECTIONS_PER_ADDRESS).map_err(io::Error::other)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, last_octet), 0).into())?;
    socket.connect(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
    socket.set_tcp_nodelay(true)?;
    // Closed by a reset, it leaves no TIME_WAIT behind.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
