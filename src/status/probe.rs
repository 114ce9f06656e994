//! Asks a running engine for its `/metrics`.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::config::authorization;

/// How long an engine may take for each step.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of the longest answer that is read; a usual one has some 4 KiB.
const MAX_ANSWER: u64 = 1 << 20;

/// The metrics of the engine at `address`.
///
/// # Errors
/// Nothing listens there, or it is not fastgo; [`io::ErrorKind::PermissionDenied`] where the token is missing or wrong.
pub(super) fn metrics(address: SocketAddr, token: Option<&str>) -> io::Result<Value> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let shown = authorization(token);
    let request = format!(
        "GET /metrics HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n{shown}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
    parse(&answer)
}

fn parse(answer: &[u8]) -> io::Result<Value> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(answer).map_err(io::Error::other)? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Err(io::ErrorKind::UnexpectedEof.into()),
    };
    match response.code {
        Some(200) => serde_json::from_slice(&answer[head..]).map_err(io::Error::other),
        Some(401) => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it asks for the access token")),
        code => Err(io::Error::other(format!("it answered {}", code.unwrap_or_default()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_with_json_counts() {
        let good = b"HTTP/1.1 200 OK\r\ncontent-length: 21\r\n\r\n{\"server_type\":\"may\"}";
        assert_eq!(parse(good).unwrap()["server_type"], "may");
        assert!(parse(&good[..30]).is_err());
        assert!(parse(&good[..good.len() - 1]).is_err());
        assert!(parse(b"SSH-2.0-OpenSSH_9.2\r\n").is_err());
        let full = parse(b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"error\":\"\"}").unwrap_err();
        assert_eq!(full.to_string(), "it answered 503");
    }
}
