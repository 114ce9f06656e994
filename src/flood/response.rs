//! Finds the end of one HTTP/1.x response in whatever pieces it arrives (RFC 9112, section 6.3).

use super::tally::Failure;

/// Headers that do not fit in this many bytes are not worth waiting for.
const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

/// Reads one response to a GET request; bodies are counted, never kept.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// The start of a head (or of a chunk-size line) that has not arrived completely.
    partial: Vec<u8>,
    stage: Stage,
    status: u16,
    keep_alive: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Stage {
    #[default]
    Head,
    /// Bytes still to come.
    Sized(u64),
    ChunkSize,
    /// Bytes still to come, the CRLF that ends the chunk included.
    Chunk(u64),
    /// Lines after the last chunk, up to an empty one.
    Trailers,
    UntilClose,
    Done,
}

impl Response {
    /// Takes the next bytes; true when they completed the response.
    ///
    /// # Errors
    /// [`Failure::BadResponse`] when they are not HTTP/1.x, or go on after the end of the response.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<bool, Failure> {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Head => self.head(bytes)?,
                Stage::Sized(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.stage = if left == 0 { Stage::Done } else { Stage::Sized(left) };
                    rest
                }
                Stage::Chunk(left) => {
                    let (rest, left) = skip(bytes, left);
                    self.stage = if left == 0 { Stage::ChunkSize } else { Stage::Chunk(left) };
                    rest
                }
                Stage::ChunkSize | Stage::Trailers => self.line(bytes)?,
                Stage::UntilClose => &[],
                Stage::Done => return Err(Failure::BadResponse),
            };
        }
        Ok(self.stage == Stage::Done)
    }

    /// The server closed: fine only where that is what ends the body.
    pub(super) fn end(&mut self) -> Result<(), Failure> {
        if self.stage == Stage::UntilClose {
            self.stage = Stage::Done;
            return Ok(());
        }
        Err(Failure::ClosedEarly)
    }

    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// Whether the connection may carry another request.
    pub(super) fn keep_alive(&self) -> bool {
        self.keep_alive
    }

    fn head<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Failure> {
        let before = self.partial.len();
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        let joined;
        let whole = if before == 0 {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            &joined
        };
        let parsed = response.parse(whole).map_err(|_| Failure::BadResponse)?;
        let httparse::Status::Complete(length) = parsed else {
            if whole.len() > MAX_HEAD {
                return Err(Failure::BadResponse);
            }
            self.partial = whole.to_vec();
            return Ok(&[]);
        };
        self.status = response.code.unwrap_or_default();
        if self.status == 101 {
            return Err(Failure::BadResponse);
        }
        // 1xx is not the final response: the next head is.
        if self.status >= 200 {
            self.frame(&response)?;
        }
        Ok(&bytes[length - before..])
    }

    fn frame(&mut self, response: &httparse::Response<'_, '_>) -> Result<(), Failure> {
        self.keep_alive = response.version == Some(1);
        let mut length: Option<u64> = None;
        let mut coding: Option<bool> = None;
        for header in response.headers.iter() {
            let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
            let mut tokens = value.split(',').map(str::trim);
            if header.name.eq_ignore_ascii_case("content-length") {
                if !value.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(Failure::BadResponse);
                }
                let parsed = value.parse().map_err(|_| Failure::BadResponse)?;
                if length.replace(parsed).is_some_and(|earlier| earlier != parsed) {
                    return Err(Failure::BadResponse);
                }
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                coding = tokens.next_back().map(|last| last.eq_ignore_ascii_case("chunked"));
            } else if header.name.eq_ignore_ascii_case("connection") {
                for token in tokens {
                    if token.eq_ignore_ascii_case("close") {
                        self.keep_alive = false;
                    } else if token.eq_ignore_ascii_case("keep-alive") && response.version == Some(0) {
                        self.keep_alive = true;
                    }
                }
            }
        }
        self.stage = match (self.status, coding, length) {
            (204 | 304, ..) | (_, None, Some(0)) => Stage::Done,
            (_, Some(true), _) => Stage::ChunkSize,
            (_, None, Some(length)) => Stage::Sized(length),
            (_, Some(false), _) | (_, None, None) => Stage::UntilClose,
        };
        self.keep_alive &= self.stage != Stage::UntilClose;
        Ok(())
    }

    /// One line of the chunked framing: a chunk size, or a trailer.
    fn line<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Failure> {
        let Some(end) = bytes.iter().position(|&byte| byte == b'\n') else {
            if self.partial.len() + bytes.len() > MAX_HEAD {
                return Err(Failure::BadResponse);
            }
            self.partial.extend_from_slice(bytes);
            return Ok(&[]);
        };
        self.partial.extend_from_slice(&bytes[..end]);
        let line = self.partial.strip_suffix(b"\r").unwrap_or(&self.partial);
        self.stage = match self.stage {
            Stage::Trailers if line.is_empty() => Stage::Done,
            Stage::Trailers => Stage::Trailers,
            _ => {
                let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
                let size = std::str::from_utf8(digits)
                    .ok()
                    .map(str::trim_end)
                    .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
                    .and_then(|text| u64::from_str_radix(text, 16).ok())
                    .and_then(|size| size.checked_add(2))
                    .ok_or(Failure::BadResponse)?;
                if size == 2 { Stage::Trailers } else { Stage::Chunk(size) }
            }
        };
        self.partial.clear();
        Ok(&bytes[end + 1..])
    }
}

/// Drops up to `left` bytes; what remains of both.
fn skip(bytes: &[u8], left: u64) -> (&[u8], u64) {
    let taken = left.min(bytes.len() as u64);
    (&bytes[taken as usize..], left - taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `text` whole and byte by byte: both must agree.
    fn read(text: &str) -> Result<(bool, u16, bool), Failure> {
        let mut whole = Response::default();
        let at_once = whole.feed(text.as_bytes()).map(|done| (done, whole.status(), whole.keep_alive()));
        let mut response = Response::default();
        let mut outcome = Ok(false);
        for byte in text.as_bytes() {
            outcome = response.feed(&[*byte]);
            if outcome.is_err() {
                break;
            }
        }
        let in_pieces = outcome.map(|done| (done, response.status(), response.keep_alive()));
        assert_eq!(at_once, in_pieces, "{text:?}");
        at_once
    }

    #[test]
    fn every_framing_ends_where_it_should() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", (true, 200, true)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", (false, 200, true)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", (true, 200, false)),
            ("HTTP/1.1 204 No Content\r\n\r\n", (true, 204, true)),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
                (true, 200, true),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", (false, 200, true)),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 503 Busy\r\nContent-Length: 1\r\n\r\nx",
                (true, 503, true),
            ),
            ("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", (true, 200, false)),
            ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", (true, 200, true)),
            ("HTTP/1.1 200 OK\r\n\r\nuntil the end", (false, 200, false)),
        ] {
            assert_eq!(read(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_not_a_response_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            assert_eq!(read(text), Err(Failure::BadResponse), "{text:?}");
        }
        let mut response = Response::default();
        assert_eq!(response.feed(b"HTTP/1.1 200 OK\r\nX: "), Ok(false));
        assert_eq!(response.feed(&vec![b'x'; MAX_HEAD]), Err(Failure::BadResponse));
    }

    #[test]
    fn only_a_close_delimited_body_may_end_with_the_connection() {
        let mut response = Response::default();
        assert_eq!(response.feed(b"HTTP/1.1 200 OK\r\n\r\nsome"), Ok(false));
        assert_eq!(response.end(), Ok(()));
        let mut response = Response::default();
        assert_eq!(response.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsome"), Ok(false));
        assert_eq!(response.end(), Err(Failure::ClosedEarly));
    }
}
