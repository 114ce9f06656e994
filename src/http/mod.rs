//! The vocabulary of HTTP/1 that every engine shares. Knows no runtime, no socket and no route.
//!
//! [`parse_head`] turns bytes into a [`Head`] or a [`Reject`], [`BodyDecoder`] finds where a request's body ends, and
//! [`Response`] is what goes back. All three engines decide with these same functions, so they cannot disagree on a
//! status or on whether a connection may be kept.

mod body;
mod clock;
mod head;
mod response;
mod target;

pub use body::{BodyDecoder, Decoded};
pub use clock::{http_date, rfc3339_now};
pub use head::{Framing, Head, Limits, Method, Parsed, parse_head};
pub use response::{Envelope, JSON, Reject, Response, error_body, reason};

/// Requests whose target (RFC 9112 §3.2) is longer than this many bytes are answered 414.
pub const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Requests with more header fields than this are answered 431. hyper's own limit is the same.
pub const MAX_HEADERS: usize = 100;
