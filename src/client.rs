//! Single requests to other servers: a POST, and a look whether a server answers. Without TLS, on a connection of their own.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

/// For a connection, and for each read and write of a POST.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Of the response to a POST, no more than this is read: its status is what counts.
const MAX_RESPONSE: u64 = 64 * 1024;

/// Bytes of a response head that are read before it is called malformed.
const MAX_HEAD: usize = 16 * 1024;

/// `http://HOST[:PORT][/PATH][?QUERY]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    /// Host and port, as the header `Host` has them.
    pub authority: Box<str>,
    /// Host and port to connect to, the host without brackets.
    host: Box<str>,
    port: u16,
    /// Path and query, from the first `/` on.
    pub path: Box<str>,
}

impl Url {
    /// `None` if it is malformed, asks for TLS, or has a user, a fragment or characters that would have to be encoded.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"#@\\".contains(&byte)) || authority.contains('?') {
            return None;
        }
        let bracket = authority.find(']').map_or(0, |at| at + 1);
        let (name, port) = match authority[bracket..].split_once(':') {
            Some((before, port)) => {
                (&authority[..bracket + before.len()], port.parse().ok().filter(|port| *port != 0)?)
            }
            None => (authority, 80),
        };
        let host = name.strip_prefix('[').map_or(Some(name), |inner| inner.strip_suffix(']'))?;
        let path = if path.is_empty() { "/" } else { path };
        (!host.is_empty()).then(|| Self { authority: authority.into(), host: host.into(), port, path: path.into() })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "http://{}{}", self.authority, self.path)
    }
}

/// Why a POST failed.
#[derive(Debug)]
pub enum Failure {
    /// The server has not accepted it, so that it may be sent again.
    Refused(io::Error),
    /// It was sent, and whether it was accepted is not known.
    Unknown(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(error) | Self::Unknown(error)) = self;
        error.fmt(formatter)
    }
}

/// Sends `body` to `url` with header `fields`, each a line that ends in CRLF, and waits for the response.
///
/// # Errors
/// The status is none of 200 to 299, or there is none.
pub fn post(url: &Url, fields: fmt::Arguments<'_>, body: &[u8]) -> Result<(), Failure> {
    let mut stream = connect(url).map_err(Failure::Refused)?;
    let Url { authority, path, .. } = url;
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\n{fields}content-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).map_err(Failure::Refused)?;
    stream.write_all(body).map_err(Failure::Unknown)?;
    let mut response = Vec::new();
    match stream.take(MAX_RESPONSE).read_to_end(&mut response) {
        // A server that resets the connection after its response has still answered.
        Err(error) if response.is_empty() => return Err(Failure::Unknown(error)),
        _ => {}
    }
    let status = response.split(|&byte| byte == b' ').nth(1).unwrap_or_default();
    match status {
        [b'2', _, _] => Ok(()),
        [b'1'..=b'9', _, _] => {
            Err(Failure::Refused(io::Error::other(format!("status {}", String::from_utf8_lossy(status)))))
        }
        _ => Err(Failure::Unknown(io::Error::new(ErrorKind::InvalidData, "the response is not HTTP"))),
    }
}

fn connect(url: &Url) -> io::Result<TcpStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in (&*url.host, url.port).to_socket_addrs()? {
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

/// The address at which this machine itself reaches a socket bound to `address`.
pub fn reachable(mut address: SocketAddr) -> SocketAddr {
    // Also for `::`, which serves both families.
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    address
}

/// Asks for `/health` on a new connection; `Ok` for any well-formed HTTP response whose head arrives within `timeout`.
///
/// # Errors
/// There is no such response; [`ErrorKind::TimedOut`] where there is none in time.
pub fn probe(address: SocketAddr, timeout: Duration) -> io::Result<()> {
    let deadline = Instant::now() + timeout;
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_write_timeout(Some(timeout))?;
    // A server that answers without reading (too many connections) may have closed already: its answer counts.
    let _ = write!(stream, "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while head.len() < MAX_HEAD {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => head.extend_from_slice(&buffer[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(ErrorKind::TimedOut.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        match httparse::Response::new(&mut headers).parse(&head) {
            Ok(httparse::Status::Complete(_)) => return Ok(()),
            Ok(httparse::Status::Partial) => {}
            Err(error) => return Err(io::Error::new(ErrorKind::InvalidData, error)),
        }
    }
    Err(io::Error::new(ErrorKind::InvalidData, "the head of the response does not end"))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn urls() {
        for (text, shown, host, port) in [
            ("http://localhost:4318", "http://localhost:4318/", "localhost", 4318),
            ("http://[::1]:4318/otlp", "http://[::1]:4318/otlp", "::1", 4318),
            ("http://ntfy.local/pi?up=1", "http://ntfy.local/pi?up=1", "ntfy.local", 80),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!((url.to_string().as_str(), &*url.host, url.port), (shown, host, port));
        }
        for bad in ["", "localhost:4318", "https://a:4318", "http://", "http://:4318", "http://a:0", "http://a:x"] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
        for bad in ["http://a b", "http://u@a", "http://a?q", "http://a/#x", "http://a/\r\nx: y", "http://[::1"] {
            assert_eq!(Url::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_a_server_may_have_accepted_is_distinguished() {
        // Answers one request.
        let server = |answer: &'static str| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = Url::parse(&format!("http://{}/topic", listener.local_addr().unwrap())).unwrap();
            let thread = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let mut length = 0;
                while !request[..length].ends_with(b"body") {
                    length += stream.read(&mut request[length..]).unwrap();
                }
                stream.write_all(answer.as_bytes()).unwrap();
                String::from_utf8_lossy(&request[..length]).into_owned()
            });
            (post(&url, format_args!("title: a\r\n"), b"body"), thread.join().unwrap())
        };
        let (outcome, request) = server("HTTP/1.1 200 OK\r\n\r\n");
        assert!(outcome.is_ok() && request.starts_with("POST /topic HTTP/1.1\r\nhost: 127.0.0.1:"), "{request}");
        assert!(request.contains("\r\ntitle: a\r\ncontent-length: 4\r\n"), "{request}");
        assert!(
            matches!(server("HTTP/1.1 503 Busy\r\n\r\n").0, Err(Failure::Refused(error)) if error.to_string() == "status 503")
        );
        assert!(matches!(server("SSH-2.0-x y\r\n").0, Err(Failure::Unknown(_))));
        assert!(matches!(server("").0, Err(Failure::Unknown(_))));
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = Url::parse(&format!("http://{gone}")).unwrap();
        assert!(matches!(post(&nobody, format_args!(""), b""), Err(Failure::Refused(_))));
    }

    #[test]
    fn a_server_on_every_address_is_reached_on_loopback() {
        assert_eq!(reachable("[::]:8080".parse().unwrap()), "127.0.0.1:8080".parse().unwrap());
        assert_eq!(reachable("192.0.2.7:80".parse().unwrap()), "192.0.2.7:80".parse().unwrap());
    }
}
