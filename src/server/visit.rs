//! A connection in the hands of its event loop.

use std::net::TcpStream;

use super::permit::PermitKind;
use super::table::Key;

/// What the event loop knows of the connection that it serves.
pub(super) struct Visit {
    pub(super) key: Key,
    /// `None` once it was handed over.
    pub(super) stream: Option<TcpStream>,
    pub(super) permit: PermitKind,
    /// The reactor watches it.
    pub(super) is_watched: bool,
    /// The client has closed its sending side, so reads go on until they say so.
    pub(super) hung_up: bool,
    /// All that has arrived was read, so that more comes with an event of its own.
    pub(super) is_drained: bool,
}

impl Visit {
    /// A connection that was just accepted.
    pub(super) fn first(key: Key, stream: TcpStream, permit: PermitKind) -> Self {
        Self { key, stream: Some(stream), permit, is_watched: false, hung_up: false, is_drained: false }
    }

    /// A connection that the reactor watches.
    pub(super) fn again(key: Key, stream: TcpStream, permit: PermitKind, hung_up: bool) -> Self {
        Self { key, stream: Some(stream), permit, is_watched: true, hung_up, is_drained: false }
    }
}
