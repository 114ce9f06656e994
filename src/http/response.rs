//! What goes back: a status, a few headers and a body held in shared bytes.

use std::borrow::Cow;

use bytes::Bytes;

use super::date::http_date;

/// The content type of every JSON answer.
pub const JSON: &str = "application/json";

/// A complete answer. Engines add the framing, `Date` and `Connection` headers.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code, 200 to 599.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Further headers, in lower case; their values hold no CR, LF or NUL.
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, which a HEAD request or a 304 leaves out although its length is still sent for HEAD.
    pub body: Bytes,
    /// Whether the connection must close after it.
    pub is_last: bool,
    /// The body follows later and ends with the connection: no length is sent.
    pub is_stream: bool,
}

/// A request refused before it reached the application. The connection always closes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reject {
    /// Status code, 400 to 505.
    pub status: u16,
    /// What was wrong, for the client's developer.
    pub message: &'static str,
    /// The request was a HEAD: the refusal has no body (RFC 9110 §9.3.2).
    pub head_only: bool,
}

/// How the response to one request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// The request was HTTP/1.0 and is answered in it.
    pub http10: bool,
    /// The connection stays open after this response.
    pub keep_alive: bool,
    /// The request was a HEAD: headers only.
    pub head_only: bool,
}

impl Envelope {
    /// For an answer that closes the connection, whatever was asked.
    pub const CLOSING: Self = Self { http10: false, keep_alive: false, head_only: false };
}

impl Response {
    /// A 200 with `body`.
    pub fn ok(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: 200, content_type, headers: Vec::new(), body: body.into(), is_last: false, is_stream: false }
    }

    /// An error as the contract's JSON, `{"error":message}`.
    pub fn error(status: u16, message: &str) -> Self {
        Self { status, ..Self::ok(JSON, error_body(message)) }
    }

    /// The same response with one more header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether a response of this status has neither a body nor a description of one.
    pub fn is_bodiless(&self) -> bool {
        matches!(self.status, 204 | 304)
    }

    /// Appends status line, headers and, unless the envelope is for headers only, the body to `out`. The order of the
    /// fields is that of hyper, so that every engine's responses are alike.
    pub fn write_to(&self, out: &mut Vec<u8>, envelope: Envelope) {
        out.reserve(192 + self.body.len());
        out.extend_from_slice(if envelope.http10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
        let mut digits = itoa::Buffer::new();
        out.extend_from_slice(digits.format(self.status).as_bytes());
        out.push(b' ');
        out.extend_from_slice(reason(self.status).as_bytes());
        if !self.is_bodiless() {
            field(out, "content-type", self.content_type.as_bytes());
        }
        for (name, value) in &self.headers {
            field(out, name, value.as_bytes());
        }
        if !envelope.keep_alive {
            field(out, "connection", b"close");
        } else if envelope.http10 {
            field(out, "connection", b"keep-alive");
        }
        if !self.is_bodiless() && !self.is_stream {
            field(out, "content-length", digits.format(self.body.len()).as_bytes());
        }
        field(out, "date", &http_date());
        out.extend_from_slice(b"\r\n\r\n");
        if !envelope.head_only && !self.is_bodiless() {
            out.extend_from_slice(&self.body);
        }
    }
}

/// A line end and a header field.
fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
}

impl Reject {
    /// A refusal with `status`.
    pub const fn new(status: u16, message: &'static str) -> Self {
        Self { status, message, head_only: false }
    }

    /// 400: the request's syntax or framing is wrong.
    pub const fn bad_request(message: &'static str) -> Self {
        Self::new(400, message)
    }

    /// The answer to send before closing.
    pub fn response(self) -> Response {
        let response = Response { is_last: true, ..Response::error(self.status, self.message) };
        // A 405 must name the allowed methods (RFC 9110 §15.5.6).
        if self.status == 405 { response.with("allow", "GET, HEAD") } else { response }
    }
}

/// `{"error":message}`.
pub fn error_body(message: &str) -> Bytes {
    serde_json::json!({ "error": message }).to_string().into()
}

/// The reason phrase (RFC 9110 §15) of a status this server sends.
pub fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(response: &Response, envelope: Envelope) -> String {
        let mut out = Vec::new();
        response.write_to(&mut out, envelope);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_head_response_has_the_length_but_no_body() {
        let text = written(&Response::ok(JSON, "{}"), Envelope { http10: false, keep_alive: true, head_only: true });
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(text.contains("\r\ncontent-length: 2\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }

    #[test]
    fn a_reject_closes_and_says_so() {
        let text = written(&Reject::new(431, "too big").response(), Envelope::CLOSING);
        assert!(text.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
        assert!(text.contains("\r\nconnection: close\r\n"));
        assert!(text.ends_with("\r\n\r\n{\"error\":\"too big\"}"));
    }

    #[test]
    fn error_messages_are_escaped() {
        assert_eq!(error_body("a \"b\""), r#"{"error":"a \"b\""}"#.as_bytes());
    }
}
