//! A client that sends exactly the bytes it is given and reads responses as a strict HTTP/1 client would.

use std::fmt;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use serde_json::Value;

use super::PATIENCE;

/// One connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Read from the socket and not yet taken.
    buffer: Vec<u8>,
}

/// A whole response. Header names are in lower case.
pub(crate) struct Response {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Opens a connection; nothing it does later may block for longer than [`PATIENCE`].
pub(crate) fn connect(address: SocketAddr) -> Client {
    try_connect(address).unwrap_or_else(|error| panic!("{address}: {error}"))
}

/// The same where there may be nobody to connect to.
pub(crate) fn try_connect(address: SocketAddr) -> std::io::Result<Client> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true).expect("nodelay");
    stream.set_read_timeout(Some(PATIENCE)).expect("read timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("write timeout");
    Ok(Client { stream, buffer: Vec::new() })
}

impl Client {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("send");
    }

    /// `GET path` with `fields` (each ending in CRLF) on this connection.
    pub(crate) fn get(&mut self, path: &str, fields: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n{fields}\r\n"));
        self.response()
    }

    /// `POST path` with a Content-Length body.
    pub(crate) fn post(&mut self, path: &str, body: impl AsRef<[u8]>) -> Response {
        let body = body.as_ref();
        self.send(format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len()));
        self.send(body);
        self.response()
    }

    /// The next response; a 100 counts as one.
    pub(crate) fn response(&mut self) -> Response {
        self.read_response(false).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// The next response, to a HEAD request: it ends with its header.
    pub(crate) fn head_response(&mut self) -> Response {
        self.read_response(true).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// The next response, or what was there instead of one.
    pub(crate) fn read_response(&mut self, to_head: bool) -> Result<Response, String> {
        let mut response = self.read_header()?;
        let length = response.header("content-length").map(str::parse::<usize>);
        let bodiless = to_head || response.status < 200 || matches!(response.status, 204 | 304);
        response.body = match length {
            _ if bodiless => Vec::new(),
            Some(Ok(length)) => {
                while self.buffer.len() < length {
                    self.fill()?;
                }
                self.buffer.drain(..length).collect()
            }
            Some(Err(error)) => return Err(format!("content-length: {error}")),
            None if response.header("transfer-encoding").is_some() => {
                return Err(format!("no response here is chunked: {response:?}"));
            }
            None => {
                while self.fill_unless_closed()? {}
                std::mem::take(&mut self.buffer)
            }
        };
        Ok(response)
    }

    /// Status line and headers only, for a response that is read as a stream.
    pub(crate) fn read_header(&mut self) -> Result<Response, String> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let head = String::from_utf8(head).map_err(|error| error.to_string())?;
        let mut lines = head.trim_end().split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let (version, rest) = status_line.split_once(' ').ok_or(status_line)?;
        let status = rest.get(..3).and_then(|digits| digits.parse().ok()).ok_or(status_line)?;
        let headers = lines
            .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())))
            .collect::<Option<_>>()
            .ok_or(head.as_str())?;
        Ok(Response { version: version.to_owned(), status, headers, body: Vec::new() })
    }

    /// The next line of a stream, without its LF.
    pub(crate) fn line(&mut self) -> Result<String, String> {
        let end = loop {
            if let Some(at) = self.buffer.iter().position(|&byte| byte == b'\n') {
                break at;
            }
            self.fill()?;
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    /// Whether the server closes without another byte; fails when a byte comes, the connection is reset, or nothing
    /// happens.
    pub(crate) fn expect_close(&mut self) {
        match self.fill_unless_closed() {
            Ok(false) if self.buffer.is_empty() => {}
            Ok(_) => panic!("unexpected bytes before the close: {}", self.buffer.escape_ascii()),
            Err(error) => panic!("no orderly close: {error}"),
        }
    }

    /// Sends FIN and keeps reading.
    pub(crate) fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("shutdown");
    }

    /// Closes with a reset instead of a FIN.
    pub(crate) fn reset(self) {
        set_socket_linger(&self.stream, Some(Duration::ZERO)).expect("linger");
    }

    /// Bytes read from the socket and not yet taken by a response.
    pub(crate) fn unread(&self) -> &[u8] {
        &self.buffer
    }

    fn fill(&mut self) -> Result<(), String> {
        if self.fill_unless_closed()? {
            Ok(())
        } else {
            Err(format!("closed after {:?}", self.buffer.escape_ascii().to_string()))
        }
    }

    /// Reads once more; false at the end of the stream.
    fn fill_unless_closed(&mut self) -> Result<bool, String> {
        let mut chunk = [0; 16 * 1024];
        loop {
            return match self.stream.read(&mut chunk) {
                Ok(0) => Ok(false),
                Ok(count) => {
                    self.buffer.extend_from_slice(&chunk[..count]);
                    Ok(true)
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(format!("{error} after {:?}", self.buffer.escape_ascii().to_string())),
            };
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} {} {:?} {:.300}",
            self.version,
            self.status,
            self.headers,
            self.body.escape_ascii().to_string()
        )
    }
}

impl Response {
    /// The value of a header that comes at most once.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert!(values.next().is_none(), "{name} twice in {self:?}");
        value
    }

    /// Whether it announces that the connection closes.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("a body in UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.text()))
    }

    /// The same response, after asserting its status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The same response, after asserting that it is an error of the contract: JSON with a message.
    #[track_caller]
    pub(crate) fn expect_error(self, status: u16) -> Self {
        let response = self.expect(status);
        let body = response.json();
        assert!(body["error"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        response
    }
}
