//! Where a request's body ends: a byte-at-a-time decoder for both framings that keeps no copy of the body.

use super::head::{Framing, Limits};
use super::response::Reject;

/// Chunk extensions and trailers may take this many bytes in one request; they are read and ignored.
const MAX_CHUNK_OVERHEAD: usize = 16 * 1024;

/// Decodes one request's body, however it was split into reads.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    /// Bytes of body that may still come before the limit is passed (chunked only).
    allowance: u64,
    /// Bytes of extensions and trailers seen.
    overhead: usize,
}

/// One step of decoding.
#[derive(Debug, PartialEq, Eq)]
pub enum Decoded<'buf> {
    /// The body has ended; what follows in the input is the next request.
    End,
    /// All input was taken and more is needed.
    NeedMore,
    /// The next piece of the body's content.
    Content(&'buf [u8]),
}

/// Where the decoder is; a chunk's number is its size so far, or what is still to come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// This many bytes of a body with a Content-Length are still to come.
    Length(u64),
    /// Before the first digit of a chunk-size line.
    SizeStart,
    Size(u64),
    /// After the size, where only white space may stand before an extension.
    AfterSize(u64),
    /// In a chunk extension, ignored.
    Extension(u64),
    /// The LF that ends a chunk-size line.
    SizeLf(u64),
    Chunk(u64),
    /// CR and LF after a chunk's data.
    ChunkCr,
    ChunkLf,
    /// At the start of a trailer line.
    TrailerStart,
    TrailerName,
    /// In a trailer's value, ignored.
    TrailerValue,
    /// The LF that ends a trailer line.
    TrailerLf,
    /// The LF of the empty line that ends the body.
    FinalLf,
    Ended,
}

impl BodyDecoder {
    /// A decoder for the body that follows a head with this framing.
    pub fn new(framing: Framing, limits: &Limits) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Ended,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::SizeStart,
        };
        Self { state, allowance: limits.max_body_bytes, overhead: 0 }
    }

    /// Takes bytes from the front of `input`, moving it past what it took.
    pub fn next<'buf>(&mut self, input: &mut &'buf [u8]) -> Result<Decoded<'buf>, Reject> {
        loop {
            match self.state {
                State::Ended => return Ok(Decoded::End),
                State::Length(left) | State::Chunk(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let (piece, rest) = input.split_at(take);
                    *input = rest;
                    self.state = match (self.state, left - take as u64) {
                        (State::Length(_), 0) => State::Ended,
                        (State::Length(_), left) => State::Length(left),
                        (_, 0) => State::ChunkCr,
                        (_, left) => State::Chunk(left),
                    };
                    return Ok(if take == 0 { Decoded::NeedMore } else { Decoded::Content(piece) });
                }
                _ => {
                    let Some((&byte, rest)) = input.split_first() else { return Ok(Decoded::NeedMore) };
                    *input = rest;
                    self.state = self.step(byte)?;
                }
            }
        }
    }

    /// The state after one byte of chunked framing (RFC 9112 §7.1). Line ends are CRLF and nothing else.
    fn step(&mut self, byte: u8) -> Result<State, Reject> {
        const BAD_CHUNK: Reject = Reject::bad_request("malformed chunked body");
        let next = match (self.state, byte) {
            (State::SizeStart, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => State::Size(digit(byte)),
            (State::Size(size), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                // More than 15 digits cannot be a size within any limit.
                if size >> 56 != 0 {
                    return Err(BAD_CHUNK);
                }
                State::Size(size << 4 | digit(byte))
            }
            (State::Size(size) | State::AfterSize(size) | State::Extension(size), b'\r') => {
                let left = self.allowance.checked_sub(size);
                self.allowance = left.ok_or(Reject::new(413, "request body too large"))?;
                State::SizeLf(size)
            }
            (State::Size(size) | State::AfterSize(size), b' ' | b'\t') => State::AfterSize(size),
            (State::Size(size) | State::AfterSize(size), b';')
            | (State::Extension(size), b'\t' | b' '..=b'~' | 0x80..) => State::Extension(size),
            (State::SizeLf(0) | State::TrailerLf, b'\n') => State::TrailerStart,
            (State::SizeLf(size), b'\n') => State::Chunk(size),
            (State::ChunkCr, b'\r') => State::ChunkLf,
            (State::ChunkLf, b'\n') => State::SizeStart,
            (State::TrailerStart, b'\r') => State::FinalLf,
            (State::FinalLf, b'\n') => State::Ended,
            (State::TrailerStart | State::TrailerName, byte) if is_token(byte) => State::TrailerName,
            (State::TrailerValue, b'\r') => State::TrailerLf,
            (State::TrailerName, b':') | (State::TrailerValue, b'\t' | b' '..=b'~' | 0x80..) => State::TrailerValue,
            _ => return Err(BAD_CHUNK),
        };
        // Leading zeros, too, could go on for ever.
        if matches!(
            next,
            State::Size(0) | State::AfterSize(_) | State::Extension(_) | State::TrailerName | State::TrailerValue
        ) {
            self.overhead += 1;
            if self.overhead > MAX_CHUNK_OVERHEAD {
                return Err(Reject::new(431, "chunk extensions and trailers too large"));
            }
        }
        Ok(next)
    }
}

fn digit(byte: u8) -> u64 {
    u64::from(char::from(byte).to_digit(16).unwrap_or_default())
}

/// tchar of RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_head_bytes: 1024, max_body_bytes: 10 };

    /// Content and the rest; `None` when the body has not ended.
    type Content = Option<(Vec<u8>, Vec<u8>)>;

    /// What `wire` holds when it arrives in pieces of `step` bytes, or the status it is refused with.
    fn decode(framing: Framing, wire: &[u8], step: usize) -> Result<Content, u16> {
        let mut decoder = BodyDecoder::new(framing, &LIMITS);
        let mut collected = Vec::new();
        let mut seen = 0;
        for piece in wire.chunks(step) {
            let mut input = piece;
            loop {
                match decoder.next(&mut input).map_err(|reject| reject.status)? {
                    Decoded::Content(bytes) => collected.extend_from_slice(bytes),
                    Decoded::NeedMore => break,
                    Decoded::End => {
                        let rest = seen + piece.len() - input.len();
                        return Ok(Some((collected, wire[rest..].to_vec())));
                    }
                }
            }
            seen += piece.len();
        }
        Ok(None)
    }

    #[test]
    fn content_and_rest_do_not_depend_on_the_split() {
        for (framing, wire, content, rest) in [
            (Framing::Length(3), "abcGET", "abc", "GET"),
            (Framing::Length(0), "GET", "", "GET"),
            (Framing::Chunked, "3\r\nabc\r\n0\r\n\r\nGET", "abc", "GET"),
            (Framing::Chunked, "1 ;a=b\r\na\r\n0A\r\n", "", ""),
            (Framing::Chunked, "2;x=\"y\"\r\nab\r\n00\r\nA: b\r\nC:\r\n\r\n", "ab", ""),
        ] {
            for step in 1..=wire.len() {
                match decode(framing, wire.as_bytes(), step) {
                    Ok(Some(seen)) => assert_eq!(seen, (content.into(), rest.into())),
                    // The fourth asks for one byte more than the limit.
                    verdict => assert_eq!(verdict, Err(413), "{wire:?}"),
                }
            }
        }
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for wire in [
            "x\r\n",
            "\r\n",
            "-1\r\n",
            "0x1\r\n",
            "1\n",
            "1\r\nabc",
            "1\r\na\n0\r\n\r\n",
            "1\r\r\n",
            "1 1\r\n",
            "1;\n\r\n",
            "0\r\n \r\n",
            "0\r\nname\r\n\r\n",
            "0\r\n\n",
            "fffffffffffffffff\r\n",
            ";a\r\n",
            "1;a\0\r\n",
        ] {
            for step in 1..=wire.len() {
                assert_eq!(decode(Framing::Chunked, wire.as_bytes(), step), Err(400), "{wire:?}");
            }
        }
        assert_eq!(decode(Framing::Chunked, b"fffffffffffffff\r\n", 1), Err(413));
        let endless = format!("1;{}", "a".repeat(MAX_CHUNK_OVERHEAD + 1));
        assert_eq!(decode(Framing::Chunked, endless.as_bytes(), 100), Err(431));
        let zeros = "0".repeat(MAX_CHUNK_OVERHEAD + 1);
        assert_eq!(decode(Framing::Chunked, zeros.as_bytes(), 100), Err(431));
    }
}
