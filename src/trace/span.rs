//! Finished spans: plain values.

use std::time::Instant;

use super::context::Context;

/// A finished span.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) context: Context,
    pub(super) parent: Option<u64>,
    pub(super) start: Instant,
    pub(super) end: Instant,
    pub(super) details: Details,
}

/// What a span is about.
#[derive(Debug)]
pub(super) enum Details {
    /// A request, from its last byte to its response; without a status its client went away.
    Request { method: &'static str, route: &'static str, status: Option<u16> },
    /// A wait for a worker, or for a batch: the one it became part of, where that belongs to another trace.
    Queue { batch: Option<Context> },
    /// A transaction of `commands` with its sync, in the trace of the first of its members; the others are linked.
    Batch { commands: usize, members: Box<[Context]>, failed: bool },
    /// The commit of a batch: the sync.
    Commit,
}

impl Span {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self.details {
            Details::Request { method, route, .. } => format!("{method} {route}"),
            Details::Queue { .. } => "queue".into(),
            Details::Batch { .. } => "batch".into(),
            Details::Commit => "commit".into(),
        }
    }

    /// Spans of other traces that it has to do with.
    pub(super) fn links(&self) -> &[Context] {
        match &self.details {
            Details::Queue { batch } => batch.as_slice(),
            Details::Batch { members, .. } => members,
            Details::Request { .. } | Details::Commit => &[],
        }
    }
}
