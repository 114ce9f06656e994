//! HTTP/1 by hyper for both tokio engines: a connection's life from its first byte until it rests in the lobby.
//!
//! hyper sees one admissible request at a time. In front of it stands the [`gate`], which reads the socket, holds every
//! request to the shared rules and tells [`connection`] when a deadline, a refusal or idleness ends hyper's part. Then
//! hyper gives the socket back, with its 16 KiB of buffers, and whatever comes next is the same on all engines.

mod accept;
mod connection;
mod exchange;
mod gate;
mod service;
mod work;

use std::future::Future;

pub(super) use accept::{accept_loop, beat};
pub(super) use connection::{serve_connection, serve_woken};
pub(super) use work::{do_work, until};

use crate::http::Response;

/// How an engine does the work of a request to `/`.
pub(super) trait Execute: Clone + Send + Sync + 'static {
    /// Does the work, or gives the answer that says why it was not done.
    ///
    /// Both times are in milliseconds of the engine's clock: the work must begin before `start_by` and end before
    /// `end_by`.
    fn work(&self, start_by: u64, end_by: u64) -> impl Future<Output = Result<(), Response>> + Send;
}
