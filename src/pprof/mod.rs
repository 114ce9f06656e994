//! Profiles of the running process under `/debug/pprof/`, on loopback only.
//!
//! [`sampler`] interrupts the process as it uses CPU time and [`profile`] writes what it saw in the format of
//! `go tool pprof`. The server is one thread, and one for each request: it works when an engine's runtime does not.
//!
//! What does not work: there is no profile of allocations, because the allocator does not note who called it (`heap`
//! says how much memory there is, and of which kind); blocked time is not sampled, only CPU time; and where the binary
//! is stripped of symbols, functions are addresses until `go tool pprof` is given the unstripped binary.

mod profile;
mod sampler;
mod symbols;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, ensure};

use crate::http::authority::{is_address, split};
use crate::http::{Envelope, Response};
use sampler::Failure;

/// Longest request head, in bytes.
const MAX_HEAD: usize = 8 * 1024;

/// For a request to arrive, and for the client to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// After a failed accept, before the next.
const PAUSE: Duration = Duration::from_millis(200);

const TEXT: &str = "text/plain; charset=utf-8";

/// Makes the text of `/debug/pprof/tasks`.
type Tasks = Arc<dyn Fn() -> String + Send + Sync>;

/// Serves `/debug/pprof/` at `address` until the process ends; the address it listens on, whose port the kernel chose
/// if it was 0. `tasks` makes the text of `/debug/pprof/tasks`.
///
/// # Errors
/// When `address` is not on loopback, cannot be listened on, or no thread can be started.
pub fn spawn(address: SocketAddr, tasks: Tasks) -> anyhow::Result<SocketAddr> {
    ensure!(address.ip().is_loopback(), "profiles are served on loopback only, not on {address}");
    let listener = TcpListener::bind(address).with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    thread::Builder::new().name("pprof".to_owned()).spawn(move || {
        loop {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(PAUSE);
                continue;
            };
            let tasks = Arc::clone(&tasks);
            // Best effort: disconnects and thread-spawn failures are ignored.
            let _ = thread::Builder::new().name("pprof".to_owned()).spawn(move || serve(stream, &tasks));
        }
    })?;
    Ok(address)
}

/// One request, one answer, close.
fn serve(mut stream: TcpStream, tasks: &Tasks) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = read_request(&mut stream)?;
    let (response, head_only) = match &request {
        Some(asked) if !asked.is_direct => {
            (Response::error(421, "profiles are served as localhost or by address alone"), asked.method == "HEAD")
        }
        Some(Asked { method, target, .. }) if method == "GET" || method == "HEAD" => {
            (answer(method, target, &stream, tasks), method == "HEAD")
        }
        Some(_) => (Response::error(405, "only GET and HEAD").with("allow", "GET, HEAD"), false),
        None => (Response::error(400, "malformed request"), false),
    };
    let mut out = Vec::new();
    response.write_to(&mut out, Envelope { head_only, ..Envelope::CLOSING });
    stream.write_all(&out)
}

/// What of a request matters here.
struct Asked {
    method: String,
    target: String,
    /// `Host` is `localhost` or an address: with any other name a page in a browser may ask, whose owner has that name lead
    /// here (DNS rebinding).
    is_direct: bool,
}

/// `None` when it is not HTTP/1.x or too long.
fn read_request(stream: &mut TcpStream) -> io::Result<Option<Asked>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let length = stream.read(&mut piece)?;
        head.extend_from_slice(&piece[..length]);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => {
                let is_direct =
                    request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host")).all(is_direct);
                let asked = request.method.zip(request.path);
                return Ok(asked.map(|(method, target)| Asked {
                    method: method.into(),
                    target: target.into(),
                    is_direct,
                }));
            }
            Ok(httparse::Status::Partial) if length > 0 && head.len() < MAX_HEAD => {}
            _ => return Ok(None),
        }
    }
}

fn is_direct(host: &httparse::Header<'_>) -> bool {
    let host = std::str::from_utf8(host.value).ok().and_then(|host| split(host, 80));
    host.is_some_and(|(name, _)| name.eq_ignore_ascii_case("localhost") || is_address(name))
}

fn answer(method: &str, target: &str, stream: &TcpStream, tasks: &Tasks) -> Response {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/debug/pprof" | "/debug/pprof/" => Response::ok(TEXT, index(stream)),
        "/debug/pprof/profile" => match seconds(query) {
            Some(_) if method == "HEAD" => Response::ok("application/octet-stream", ""),
            Some(seconds) => take_profile(seconds, stream),
            None => Response::error(400, "seconds must be a whole number from 1 to 300"),
        },
        "/debug/pprof/heap" => Response::ok(TEXT, heap()),
        "/debug/pprof/tasks" => Response::ok(TEXT, tasks()),
        _ => Response::error(404, "not here; see /debug/pprof/"),
    }
}

/// The value of `seconds`, 30 without one.
fn seconds(query: &str) -> Option<u64> {
    let given = query.split('&').find_map(|pair| pair.strip_prefix("seconds="));
    given.map_or(Some(30), |text| text.parse().ok().filter(|seconds| (1..=300).contains(seconds)))
}

fn take_profile(seconds: u64, stream: &TcpStream) -> Response {
    let samples = sampler::sample(Duration::from_secs(seconds), || is_gone(stream));
    match samples {
        Ok(samples) => match profile::encode(&samples) {
            Ok(body) => Response::ok("application/octet-stream", body)
                .with("content-disposition", "attachment; filename=\"profile.pb.gz\""),
            Err(error) => Response::error(500, &format!("cannot write the profile: {error}")),
        },
        Err(Failure::Busy) => Response::error(409, "another profile is being taken").with("retry-after", "5"),
        Err(Failure::System(errno)) => Response::error(500, &format!("cannot sample: {errno}")),
    }
}

/// Whether the client has closed, so that the profile is no longer needed.
fn is_gone(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return true;
    }
    let peeked = stream.peek(&mut [0]);
    let _ = stream.set_nonblocking(false);
    match peeked {
        Ok(length) => length == 0,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

fn index(stream: &TcpStream) -> String {
    let address = stream.local_addr().map(|address| address.to_string()).unwrap_or_default();
    format!(
        "fastgo {}, process {}\n\n\
         profile?seconds=30  CPU profile, 1 to 300 seconds, one at a time\n\
         heap                memory by kind, from the kernel\n\
         tasks               live tasks or coroutines, queue and workers\n\n\
         go tool pprof -top 'http://{address}/debug/pprof/profile?seconds=30'\n\
         go tool pprof -http : 'http://{address}/debug/pprof/profile?seconds=30'\n",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
    )
}

/// What the kernel knows of this process's memory.
fn heap() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| format!("{path}: {error}\n"));
    let status = read("/proc/self/status");
    let wanted = ["VmPeak:", "VmSize:", "VmHWM:", "VmRSS:", "RssAnon:", "RssFile:", "VmData:", "VmSwap:", "Threads:"];
    let sizes: Vec<_> = status.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))).collect();
    format!(
        "Memory of this process as the kernel counts it. The allocator does not note who allocated what, so there is\n\
         no profile by function here.\n\n\
         /proc/self/status\n{}\n\n\
         /proc/self/smaps_rollup\n{}",
        sizes.join("\n"),
        read("/proc/self/smaps_rollup"),
    )
}
