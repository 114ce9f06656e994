//! What the bare servers share: the address they listen on and the answer they give.

pub mod hello;

use std::net::{Ipv4Addr, SocketAddrV4};

/// The body of every answer: as long as fastgo's own `/health` of the hyper engine, and constant, so that a peer does
/// no work per request but HTTP itself.
pub const BODY: &str = r#"{"status":"healthy","server":"hyper","time":"2026-01-01T00:00:00Z"}"#;

/// Value of `Content-Type`.
pub const JSON: &str = "application/json";

/// The loopback address with the port that the first argument names.
///
/// # Panics
/// When the first argument is missing or is no port number.
pub fn address() -> SocketAddrV4 {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).expect("usage: SERVER PORT");
    SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
}

/// Whether a request's path is one of the two that fastgo and its peers have in common.
pub fn is_known(path: &str) -> bool {
    matches!(path, "/" | "/health")
}
