//! The request head: parsed with `httparse` and held to the rules of RFC 9112 that decide status and framing.

use std::mem::MaybeUninit;

use super::method::Method;
use super::response::Reject;
use super::{MAX_HEADERS, MAX_TARGET_BYTES, target};

/// Sizes that a request may not exceed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Request line and headers together, in bytes; beyond it 431.
    pub max_head_bytes: usize,
    /// The body after transfer decoding, in bytes; beyond it 413.
    pub max_body_bytes: u64,
}

/// How long the request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `Content-Length`, 0 where the request has none.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
}

impl Default for Framing {
    fn default() -> Self {
        Self::Length(0)
    }
}

/// Where a browser says that a request comes from (Fetch Metadata, `Sec-Fetch-Site`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchSite {
    /// A page of this origin, or the person at the browser.
    SameOrigin,
    /// A page of another origin of this site: another port, for instance.
    SameSite,
    /// Any other page, or a value that no standard defines.
    CrossSite,
}

impl FetchSite {
    /// The meaning of a field's value.
    pub fn parse(value: &[u8]) -> Self {
        match value {
            b"same-origin" | b"none" => Self::SameOrigin,
            b"same-site" => Self::SameSite,
            _ => Self::CrossSite,
        }
    }
}

/// A complete, admissible request head, borrowed from the buffer it was parsed in.
#[expect(clippy::struct_excessive_bools, reason = "each answers a question of its own")]
#[derive(Debug, Default)]
pub struct Head<'buf> {
    /// Bytes that the head takes in the buffer, its closing empty line included.
    pub bytes: usize,
    /// The method.
    pub method: Method,
    /// The path, percent-encoded as it was sent, without the query.
    pub path: &'buf str,
    /// What follows the question mark, percent-encoded as it was sent; empty without one.
    pub query: &'buf str,
    /// The request is HTTP/1.0.
    pub http10: bool,
    /// The client asks for the connection to be kept (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// How the body is framed.
    pub framing: Framing,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// `Accept`, the last one sent.
    pub accept: Option<&'buf [u8]>,
    /// `Accept-Encoding`, the last one sent.
    pub accept_encoding: Option<&'buf [u8]>,
    /// `Content-Encoding`, the last one sent.
    pub content_encoding: Option<&'buf [u8]>,
    /// `If-None-Match`, the last one sent.
    pub if_none_match: Option<&'buf [u8]>,
    /// `Last-Event-ID`, the last one sent.
    pub last_event_id: Option<&'buf [u8]>,
    /// `X-Request-ID`, the last one sent.
    pub request_id: Option<&'buf [u8]>,
    /// `Host`.
    pub host: Option<&'buf [u8]>,
    /// `Origin`, the last one sent.
    pub origin: Option<&'buf [u8]>,
    /// `Sec-Fetch-Site`, the last one sent.
    pub fetch_site: Option<FetchSite>,
    /// `User-Agent` is that of a browser, which no page can change without asking first (Fetch: it is not a safelisted field).
    pub is_browser: bool,
    /// `Authorization`, the last one sent.
    pub authorization: Option<&'buf [u8]>,
    /// `Cookie`, the last one sent.
    pub cookie: Option<&'buf [u8]>,
    /// `Idempotency-Key`, the last one sent.
    pub idempotency_key: Option<&'buf [u8]>,
    /// `traceparent`, the last one sent.
    pub traceparent: Option<&'buf [u8]>,
    /// `X-Forwarded-For`, the last one sent.
    pub forwarded_for: Option<&'buf [u8]>,
}

/// What a buffer holds so far.
#[expect(clippy::large_enum_variant, reason = "it lives on the stack while one head is read")]
#[derive(Debug)]
pub enum Parsed<'buf> {
    /// Not yet a whole head.
    Partial,
    /// A head that the rules admit.
    Complete(Head<'buf>),
}

/// Parses the head at the front of `buf`.
///
/// The answer does not depend on how the bytes were split on their way here: never more than `max_head_bytes` are
/// looked at, in order.
pub fn parse_head<'buf>(buf: &'buf [u8], limits: &Limits) -> Result<Parsed<'buf>, Reject> {
    parse(buf, limits).map_err(|reject| Reject { head_only: is_head(buf), ..reject })
}

/// Whether the request line starts like that of a HEAD, to which no answer has a body. Only empty lines may precede it.
pub(super) fn is_head(buf: &[u8]) -> bool {
    let mut line = buf;
    while let [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] = line {
        line = rest;
    }
    line.starts_with(b"HEAD ")
}

/// Turns a later minor version of HTTP/1 in the request line into 1.1, which a server answers such a request in
/// (RFC 9110 §2.5). Returns whether there was one.
pub(super) fn reduce_to_http11(buf: &mut [u8]) -> bool {
    let Some(line) = buf.iter().position(|&byte| byte == b'\n').map(|end| &mut buf[..end]) else { return false };
    let end = line.trim_ascii_end().len();
    match &mut line[..end] {
        [.., b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9'] => {
            *minor = b'1';
            true
        }
        _ => false,
    }
}

fn parse<'buf>(buf: &'buf [u8], limits: &Limits) -> Result<Parsed<'buf>, Reject> {
    let window = &buf[..buf.len().min(limits.max_head_bytes)];
    let overflows = buf.len() > limits.max_head_bytes;
    let mut headers = [const { MaybeUninit::<httparse::Header<'buf>>::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(window, &mut headers) {
        Ok(httparse::Status::Complete(bytes)) => admit(bytes, &request, limits).map(Parsed::Complete),
        Ok(httparse::Status::Partial) if overflows => Err(too_large(window)),
        Ok(httparse::Status::Partial) => Ok(Parsed::Partial),
        Err(httparse::Error::TooManyHeaders) => Err(Reject::new(431, "more than 100 header fields")),
        Err(httparse::Error::Version) => match request_line(window) {
            Some(line) => Err(bad_version(line)),
            None if overflows => Err(too_large(window)),
            None => Ok(Parsed::Partial),
        },
        Err(_) => Err(Reject::bad_request("malformed request head")),
    }
}

/// 414 when it is the request line that does not fit, else 431.
fn too_large(window: &[u8]) -> Reject {
    match request_line(window) {
        Some(line) if line.len() <= MAX_TARGET_BYTES => Reject::new(431, "request head too large"),
        _ => Reject::new(414, "request target too long"),
    }
}

fn request_line(window: &[u8]) -> Option<&[u8]> {
    let start = window.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let line = &window[start..];
    line.iter().position(|&byte| byte == b'\n').map(|end| line[..end].trim_ascii_end())
}

fn bad_version(line: &[u8]) -> Reject {
    let mut words = line.split(|&byte| byte == b' ');
    match (words.nth(2), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Reject::new(505, "the HTTP version is not supported")
        }
        _ => Reject::bad_request("malformed request line"),
    }
}

fn admit<'buf>(bytes: usize, request: &httparse::Request<'_, 'buf>, limits: &Limits) -> Result<Head<'buf>, Reject> {
    let target = request.path.unwrap_or_default();
    if target.len() > MAX_TARGET_BYTES {
        return Err(Reject::new(414, "request target too long"));
    }
    let method = Method::parse(request.method.unwrap_or_default())?;
    let (path, query) = target::path_and_query(method, target)?;
    let mut head = Head { bytes, method, path, query, http10: request.version == Some(0), ..Head::default() };
    let mut fields = Fields::default();
    for header in request.headers.iter() {
        fields.note(header, &mut head)?;
    }
    fields.settle(&mut head, limits)?;
    Ok(head)
}

/// The header fields that decide about framing and connection, as they are met.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    chunked: bool,
    /// `Connection` names `close`.
    close: bool,
    /// `Connection` names `keep-alive`.
    keep_alive: bool,
}

impl Fields {
    fn note<'buf>(&mut self, header: &httparse::Header<'buf>, head: &mut Head<'buf>) -> Result<(), Reject> {
        let (name, value) = (header.name, header.value);
        // Length first: most headers a browser sends are passed over with one comparison.
        match name.len() {
            4 if name.eq_ignore_ascii_case("host") => {
                if head.host.replace(value).is_some() {
                    return Err(Reject::bad_request("more than one Host header"));
                }
                if !target::is_host(value) {
                    return Err(Reject::bad_request("invalid Host header"));
                }
            }
            6 if name.eq_ignore_ascii_case("accept") => head.accept = Some(value),
            6 if name.eq_ignore_ascii_case("origin") => head.origin = Some(value),
            6 if name.eq_ignore_ascii_case("cookie") => head.cookie = Some(value),
            6 if name.eq_ignore_ascii_case("expect") => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Reject::new(417, "the only expectation supported is 100-continue"));
                }
                head.expect_continue = !head.http10;
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    self.close |= option.eq_ignore_ascii_case(b"close");
                    self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            10 if name.eq_ignore_ascii_case("user-agent") => head.is_browser = value.starts_with(b"Mozilla/"),
            11 if name.eq_ignore_ascii_case("traceparent") => head.traceparent = Some(value),
            12 if name.eq_ignore_ascii_case("x-request-id") => head.request_id = Some(value),
            13 if name.eq_ignore_ascii_case("authorization") => head.authorization = Some(value),
            13 if name.eq_ignore_ascii_case("if-none-match") => head.if_none_match = Some(value),
            13 if name.eq_ignore_ascii_case("last-event-id") => head.last_event_id = Some(value),
            14 if name.eq_ignore_ascii_case("content-length")
                && self.length.replace(content_length(value)?).is_some() =>
            {
                return Err(Reject::bad_request("more than one Content-Length"));
            }
            14 if name.eq_ignore_ascii_case("sec-fetch-site") => head.fetch_site = Some(FetchSite::parse(value)),
            15 if name.eq_ignore_ascii_case("idempotency-key") => head.idempotency_key = Some(value),
            15 if name.eq_ignore_ascii_case("x-forwarded-for") => head.forwarded_for = Some(value),
            15 if name.eq_ignore_ascii_case("accept-encoding") => head.accept_encoding = Some(value),
            16 if name.eq_ignore_ascii_case("content-encoding") => head.content_encoding = Some(value),
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                if std::mem::replace(&mut self.chunked, true) {
                    return Err(Reject::bad_request("more than one Transfer-Encoding"));
                }
                check_transfer_encoding(value, head.http10)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The rules that need every field: RFC 9112 §3.2 (Host), §6.3 (framing), §9.3 (persistence).
    fn settle(&self, head: &mut Head<'_>, limits: &Limits) -> Result<(), Reject> {
        if head.host.is_none() && !head.http10 {
            return Err(Reject::bad_request("missing Host header"));
        }
        head.framing = match (self.chunked, self.length) {
            (true, Some(_)) => {
                return Err(Reject::bad_request("both Transfer-Encoding and Content-Length"));
            }
            (true, None) => Framing::Chunked,
            (false, length) => Framing::Length(length.unwrap_or(0)),
        };
        if matches!(head.framing, Framing::Length(length) if length > limits.max_body_bytes) {
            return Err(Reject::new(413, "request body too large"));
        }
        if head.framing == Framing::Length(0) {
            head.expect_continue = false;
        }
        head.keep_alive = !self.close && (!head.http10 || self.keep_alive);
        Ok(())
    }
}

/// One decimal number; signs, lists and anything past 64 bits are refused (RFC 9112 §6.3 item 5).
fn content_length(value: &[u8]) -> Result<u64, Reject> {
    let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|text| text.parse().ok()).ok_or(Reject::bad_request("invalid Content-Length"))
}

/// `chunked` alone is understood; another coding under it is 501, anything else 400 (RFC 9112 §6.1, §6.3).
fn check_transfer_encoding(value: &[u8], http10: bool) -> Result<(), Reject> {
    if http10 {
        return Err(Reject::bad_request("Transfer-Encoding in an HTTP/1.0 request"));
    }
    let mut codings = value.rsplit(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    let last = codings.next().unwrap_or_default();
    let others: Vec<&[u8]> = codings.filter(|coding| !coding.is_empty()).collect();
    if !last.eq_ignore_ascii_case(b"chunked") || others.iter().any(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
        Err(Reject::bad_request("the final transfer coding is not chunked"))
    } else if others.is_empty() {
        Ok(())
    } else {
        Err(Reject::new(501, "the only transfer coding known here is chunked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_head_bytes: 16 * 1024, max_body_bytes: 1024 };

    fn status(head: &str) -> u16 {
        match parse_head(head.as_bytes(), &LIMITS) {
            Ok(Parsed::Complete(_)) => 200,
            Ok(Parsed::Partial) => 0,
            Err(reject) => reject.status,
        }
    }

    #[test]
    fn only_empty_lines_may_precede_a_head_request() {
        let head_only = |head: &str| parse_head(head.as_bytes(), &LIMITS).unwrap_err().head_only;
        assert!(head_only("HEAD \x7f"));
        assert!(head_only("\r\n\nHEAD \x7f"));
        // Refused at the first byte, before a method could be seen: the whole of it must not be refused otherwise.
        assert!(!head_only(" "));
        assert!(!head_only(" HEAD / HTTP/1.1\r\n\r\n"));
        assert!(!head_only("\rHEAD / HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn framing_that_could_be_read_two_ways_is_refused() {
        for fields in [
            "Content-Length: 1\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nContent-Length: 1",
            "Content-Length: 1\r\nContent-Length: 1",
            "Content-Length: 1, 1",
            "Content-Length: +1",
            "Content-Length: -1",
            "Content-Length: 0x1",
            "Content-Length: ",
            "Content-Length: 18446744073709551616",
            "Content-Length : 1",
            "Transfer-Encoding: chunked, chunked",
            "Transfer-Encoding: identity",
            "Transfer-Encoding: chunked, gzip",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "X: a\r\n b",
        ] {
            assert_eq!(status(&format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")), 400, "{fields}");
        }
        assert_eq!(status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
        assert_eq!(status("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501);
    }

    #[test]
    fn versions_methods_and_hosts() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
            ("GET / HTTP/1.0\r\n\r\n", 200),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
            ("GET / HTTQ/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
            ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
            ("GET / HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n", 417),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n", 413),
        ] {
            assert_eq!(status(head), expected, "{head}");
        }
    }

    #[test]
    fn the_verdict_does_not_depend_on_the_split() {
        let long_target = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000));
        let long_line = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000));
        let long_head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(20_000));
        let late_garbage = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\0\r\n\r\n", "a".repeat(20_000));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100));
        for (head, expected) in
            [(long_target, 414), (long_line, 414), (long_head, 431), (late_garbage, 431), (many, 431)]
        {
            assert_eq!(status(&head), expected);
            let verdict = (1..=head.len())
                .step_by(7)
                .chain([head.len()])
                .map(|end| status(&head[..end]))
                .find(|&status| status != 0);
            assert_eq!(verdict, Some(expected));
        }
    }

    #[test]
    fn persistence_follows_version_and_connection_options() {
        for (head, expected) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", false),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false),
        ] {
            let Ok(Parsed::Complete(head)) = parse_head(head.as_bytes(), &LIMITS) else { panic!("{head}") };
            assert_eq!(head.keep_alive, expected);
        }
    }
}
