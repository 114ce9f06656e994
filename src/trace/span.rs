//! Spans: plain values that travel with the work they describe.

use std::time::{Duration, Instant};

use super::context::Context;
use super::tracer::Tracer;

/// The span of a request under way. Dropped without an end, it is recorded as one whose client went away.
#[derive(Debug)]
pub struct Active {
    context: Context,
    /// The span of the client that sent the request, if it sent one.
    parent: Option<u64>,
    /// `None`: the trace goes through here, but nothing is recorded.
    tracer: Option<&'static Tracer>,
    method: &'static str,
    route: &'static str,
    started: Instant,
    ended: bool,
}

/// A request's wait in a queue.
#[derive(Debug, Clone, Copy)]
pub struct Queued {
    /// The span of the request.
    request: Context,
    tracer: &'static Tracer,
    since: Instant,
}

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

impl Active {
    /// The span of a request that begins now, if it is traced: `parent` is what its client sent.
    pub fn begin(
        tracer: Option<&'static Tracer>,
        parent: Option<Context>,
        method: &'static str,
        route: &'static str,
    ) -> Option<Self> {
        let context = match (parent, tracer) {
            (Some(parent), _) => parent.child(),
            (None, Some(tracer)) => tracer.sample(Context::new())?,
            (None, None) => return None,
        };
        let tracer = tracer.filter(|_| context.sampled);
        let parent = parent.map(|parent| parent.span);
        Some(Self { context, parent, tracer, method, route, started: Instant::now(), ended: false })
    }

    /// For the header `traceparent` of the response, and for the log.
    pub fn context(&self) -> Context {
        self.context
    }

    /// Since when it lasts.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Whether it is recorded.
    pub fn is_recorded(&self) -> bool {
        self.tracer.is_some()
    }

    /// The request begins to wait in a queue now; `None` if it is not recorded.
    pub fn queued(&self) -> Option<Queued> {
        let tracer = self.tracer?;
        Some(Queued { request: self.context, tracer, since: Instant::now() })
    }

    /// The response has this status.
    pub fn end(mut self, status: u16) {
        self.record(Some(status));
    }

    fn record(&mut self, status: Option<u16>) {
        if let Some(tracer) = self.tracer.filter(|_| !std::mem::replace(&mut self.ended, true)) {
            let details = Details::Request { method: self.method, route: self.route, status };
            let (context, parent, start) = (self.context, self.parent, self.started);
            tracer.record([Span { context, parent, start, end: Instant::now(), details }]);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.record(None);
    }
}

impl Queued {
    /// The wait ends now.
    pub fn end(self) {
        self.tracer.record([self.span(Instant::now(), None)]);
    }

    fn span(self, end: Instant, batch: Option<Context>) -> Span {
        let details = Details::Queue { batch };
        Span { context: self.request.child(), parent: Some(self.request.span), start: self.since, end, details }
    }
}

/// Records what a batch of `commands` took, of which `members` are traced: it was taken from the queue at `taken` and ends
/// now, after a `commit` of that length; `None`: it failed.
///
/// The batch belongs to the trace of its first member. The others are linked to it, as it is to them.
pub fn batch(members: impl Iterator<Item = Queued>, commands: usize, taken: Instant, commit: Option<Duration>) {
    let members: Vec<Queued> = members.collect();
    let Some(first) = members.first() else { return };
    let (end, failed) = (Instant::now(), commit.is_none());
    let context = first.request.child();
    let links = members[1..].iter().map(|member| member.request).collect();
    let queues = members.iter().enumerate().map(|(index, member)| member.span(taken, (index > 0).then_some(context)));
    let details = Details::Batch { commands, members: links, failed };
    let batch = Span { context, parent: Some(first.request.span), start: taken, end, details };
    let commit = commit.map(|took| {
        let start = end.checked_sub(took).map_or(taken, |start| start.max(taken));
        Span { context: context.child(), parent: Some(context.span), start, end, details: Details::Commit }
    });
    first.tracer.record(queues.chain([batch]).chain(commit));
}
