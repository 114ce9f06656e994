//! Spans under way: plain values that travel with the work they describe.

use std::time::{Duration, Instant};

use super::context::Context;
use super::span::{Details, Span};
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

    /// The request, which has just begun, begins to wait in a queue; `None` if it is not recorded.
    pub fn queued(&self) -> Option<Queued> {
        let tracer = self.tracer?;
        Some(Queued { request: self.context, tracer, since: self.started })
    }

    /// The response has this status.
    pub fn end(mut self, status: u16) {
        self.record(Some(status));
    }

    fn record(&mut self, status: Option<u16>) {
        if let Some(tracer) = self.tracer.filter(|_| !std::mem::replace(&mut self.ended, true)) {
            let details = Details::Request { method: self.method, route: self.route, status };
            let (context, parent, start) = (self.context, self.parent, self.started);
            tracer.buffer().record([Span { context, parent, start, end: Instant::now(), details }]);
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
        self.tracer.buffer().record([self.span(Instant::now(), None)]);
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
    first.tracer.buffer().record(queues.chain([batch]).chain(commit));
}

#[cfg(test)]
mod tests {
    use super::super::buffer::MAX_WAITING;
    use super::super::tracer::Share;
    use super::*;

    fn tracer(share: &str) -> &'static Tracer {
        Box::leak(Box::new(Tracer::new(Share::parse(share).unwrap())))
    }

    fn begin(tracer: &'static Tracer, parent: Option<&str>) -> Option<Active> {
        let parent = parent.map(|text| Context::parse(text.as_bytes()).unwrap());
        Active::begin(Some(tracer), parent, "GET", "/")
    }

    fn waiting(tracer: &Tracer) -> Vec<Span> {
        let mut spans = Vec::new();
        tracer.buffer().take(Duration::ZERO, &mut spans);
        spans
    }

    #[test]
    fn the_buffer_is_bounded_and_counts_what_it_drops() {
        let tracer = tracer("1");
        for _ in 0..MAX_WAITING + 5 {
            begin(tracer, None).unwrap().end(200);
        }
        assert_eq!(tracer.buffer().dropped(), 5);
        assert_eq!(waiting(tracer).len(), MAX_WAITING);
        begin(tracer, None).unwrap().end(200);
        assert_eq!((waiting(tracer).len(), tracer.buffer().dropped()), (1, 5));
    }

    #[test]
    fn a_client_decides_for_its_own_traces_and_the_share_for_all_others() {
        let off = Share::parse("0").unwrap();
        assert!(Share::parse("1.1").is_none() && Share::parse("-0.1").is_none() && Share::parse("NaN").is_none());
        let none: &'static Tracer = Box::leak(Box::new(Tracer::new(off)));
        let sampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let unsampled = sampled.replace("-01", "-00");
        assert!(begin(none, None).is_none());
        assert!(begin(none, Some(sampled)).unwrap().is_recorded());
        let passing = begin(tracer("1"), Some(&unsampled)).unwrap();
        assert!(!passing.is_recorded() && passing.queued().is_none());
        assert!(passing.context().to_string().starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        let half = tracer("0.5");
        let traced = (0..2000).filter(|_| begin(half, None).is_some()).count();
        assert!((850..1150).contains(&traced), "{traced}");
        // Without a tracer a trace still goes through.
        let parent = Context::parse(sampled.as_bytes());
        assert!(Active::begin(None, parent, "GET", "/").is_some_and(|active| !active.is_recorded()));
        assert!(Active::begin(None, None, "GET", "/").is_none());
    }

    #[test]
    fn a_batch_is_in_the_trace_of_its_first_member_and_linked_to_the_others() {
        let tracer = tracer("1");
        let requests: Vec<_> = (0..3).map(|_| begin(tracer, None).unwrap()).collect();
        let queued: Vec<_> = requests.iter().filter_map(Active::queued).collect();
        let taken = Instant::now();
        batch(queued.into_iter(), 7, taken, Some(Duration::from_millis(1)));
        drop(requests);
        let spans = waiting(tracer);
        let names: Vec<_> = spans.iter().map(Span::name).collect();
        assert_eq!(names, ["queue", "queue", "queue", "batch", "commit", "GET /", "GET /", "GET /"]);
        assert_eq!((spans[3].parent, spans[3].context.trace), (Some(spans[5].context.span), spans[5].context.trace));
        assert_eq!(spans[4].parent, Some(spans[3].context.span));
        assert_eq!(spans[0].links(), []);
        assert_eq!(spans[1].links(), [spans[3].context]);
        assert_eq!(spans[3].links(), [spans[6].context, spans[7].context]);
        assert!(spans.iter().all(|span| span.end >= span.start));
    }
}
