//! HTTP/1.1 (RFC 9110, RFC 9112) without I/O: no runtime, no socket, no route.
//!
//! [`Session`] is one connection as a value: bytes in, requests out; responses in, bytes out. It stands on [`parse_head`],
//! which turns bytes into a [`Head`] or a [`Reject`], and [`BodyDecoder`], which finds where a body ends. All engines decide
//! with these, so they cannot disagree on a status or on whether a connection is kept.

pub mod authority;
mod body;
mod date;
mod head;
mod method;
mod response;
mod session;
mod target;

pub use body::{BodyDecoder, Decoded};
pub use date::{http_date, rfc3339_now};
pub use head::{FetchSite, Framing, Head, Limits, Parsed, parse_head};
pub use method::Method;
pub use response::{Envelope, JSON, Reject, Response, error_body, reason};
pub use session::{Expired, GATHER_BYTES, Incoming, Next, Session, Timeouts};

/// Requests whose target (RFC 9112 §3.2) is longer than this many bytes are answered 414.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Requests with more header fields than this are answered 431.
pub const MAX_HEADERS: usize = 100;
