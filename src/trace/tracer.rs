//! Which requests are traced, and the spans that wait for export.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::context::Context;
use super::endpoint::Endpoint;
use super::export;
use super::span::Span;

/// Spans that wait for export at most; more are dropped and counted. About a megabyte.
pub(super) const MAX_WAITING: usize = 8192;

/// With so many the exporter does not wait for its next second.
const PLENTY: usize = 2048;

/// The share of traces that begin here and are recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(f64);

impl Share {
    /// What a value must look like.
    pub const EXPECTED: &str = "a number from 0 to 1";

    /// A number from 0 to 1.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).map(Self)
    }

    /// Every trace.
    pub const ALL: Self = Self(1.0);
}

/// The traces of one server. It lives as long as the process.
#[derive(Debug)]
pub struct Tracer {
    share: Share,
    state: Mutex<State>,
    /// There is something for the exporter to do.
    work: Condvar,
    /// The exporter has sent what it could after [`Tracer::close`].
    closed: Condvar,
    exported: AtomicU64,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Span>,
    closing: bool,
    closed: bool,
}

/// What the exporter is to do.
pub(super) struct Work {
    pub(super) spans: Vec<Span>,
    /// The process ends after this.
    pub(super) is_last: bool,
}

impl Tracer {
    /// A tracer, and the thread that sends its spans to `endpoint` in the name of `service`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn start(endpoint: Endpoint, share: Share, service: String) -> io::Result<&'static Self> {
        let tracer: &'static Self = Box::leak(Box::new(Self::new(share)));
        std::thread::Builder::new().name("traces".into()).spawn(move || export::run(tracer, &endpoint, &service))?;
        Ok(tracer)
    }

    pub(super) fn new(share: Share) -> Self {
        Self {
            share,
            state: Mutex::default(),
            work: Condvar::new(),
            closed: Condvar::new(),
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    /// Spans that a collector has accepted.
    pub fn exported(&self) -> u64 {
        self.exported.load(Relaxed)
    }

    /// Spans that were dropped because too many waited, or because no collector took them.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// The exporter sends what waits and ends; returns when it has, or at `deadline`.
    pub fn close(&self, deadline: Instant) {
        let mut state = self.lock();
        state.closing = true;
        self.work.notify_one();
        while !state.closed {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.closed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The same trace as one to be recorded, or nothing. The decision depends on the id alone, so that every server that
    /// has the same share decides alike.
    pub(super) fn sample(&self, context: Context) -> Option<Context> {
        let chance = (context.trace as u64 >> 11) as f64 / (1_u64 << 53) as f64;
        (chance < self.share.0).then_some(Context { sampled: true, ..context })
    }

    /// Takes finished spans, or drops those for which there is no room. Never waits for the exporter.
    pub(super) fn record(&self, spans: impl IntoIterator<Item = Span>) {
        let mut dropped = 0;
        let mut state = self.lock();
        let before = state.waiting.len();
        for span in spans {
            if state.waiting.len() < MAX_WAITING {
                state.waiting.push(span);
            } else {
                dropped += 1;
            }
        }
        let is_plenty = before < PLENTY && state.waiting.len() >= PLENTY;
        drop(state);
        self.dropped.fetch_add(dropped, Relaxed);
        if is_plenty {
            self.work.notify_one();
        }
    }

    /// Waits for spans: until there are plenty, `pause` is over or the process ends. For the exporter.
    pub(super) fn take(&self, pause: Duration) -> Work {
        let mut state = self.lock();
        if !state.closing {
            let wait =
                self.work.wait_timeout_while(state, pause, |state| !state.closing && (state.waiting.len() < PLENTY));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        Work { spans: std::mem::take(&mut state.waiting), is_last: state.closing }
    }

    /// Waits until `pause` is over or the process ends, whatever comes. For the exporter when no collector answers.
    pub(super) fn rest(&self, pause: Duration) {
        let wait = self.work.wait_timeout_while(self.lock(), pause, |state| !state.closing);
        drop(wait.unwrap_or_else(PoisonError::into_inner));
    }

    /// Records whether spans were sent.
    pub(super) fn count(&self, exported: usize, dropped: usize) {
        self.exported.fetch_add(exported as u64, Relaxed);
        self.dropped.fetch_add(dropped as u64, Relaxed);
    }

    /// The exporter has ended.
    pub(super) fn finished(&self) {
        self.lock().closed = true;
        self.closed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::span::{Active, batch};
    use super::*;

    fn tracer(share: &str) -> &'static Tracer {
        Box::leak(Box::new(Tracer::new(Share::parse(share).unwrap())))
    }

    fn begin(tracer: &'static Tracer, parent: Option<&str>) -> Option<Active> {
        let parent = parent.map(|text| Context::parse(text.as_bytes()).unwrap());
        Active::begin(Some(tracer), parent, "GET", "/")
    }

    #[test]
    fn the_buffer_is_bounded_and_counts_what_it_drops() {
        let tracer = tracer("1");
        for _ in 0..MAX_WAITING + 5 {
            begin(tracer, None).unwrap().end(200);
        }
        assert_eq!(tracer.dropped(), 5);
        assert_eq!(tracer.take(Duration::ZERO).spans.len(), MAX_WAITING);
        begin(tracer, None).unwrap().end(200);
        assert_eq!((tracer.take(Duration::ZERO).spans.len(), tracer.dropped()), (1, 5));
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
        let spans = tracer.take(Duration::ZERO).spans;
        let names: Vec<_> = spans.iter().map(Span::name).collect();
        assert_eq!(names, ["queue", "queue", "queue", "batch", "commit", "GET /", "GET /", "GET /"]);
        assert_eq!((spans[3].parent, spans[3].context.trace), (Some(spans[5].context.span), spans[5].context.trace));
        assert_eq!(spans[4].parent, Some(spans[3].context.span));
        assert_eq!(spans[0].links(), []);
        assert_eq!(spans[1].links(), [spans[3].context]);
        assert_eq!(spans[3].links(), [spans[6].context, spans[7].context]);
        assert!(spans.iter().all(|span| span.end >= span.start));
    }

    #[test]
    fn closing_waits_for_the_exporter_but_not_longer_than_it_may() {
        let tracer = tracer("1");
        let start = Instant::now();
        tracer.close(start + Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(tracer.take(Duration::from_secs(60)).is_last);
        tracer.rest(Duration::from_secs(60));
        tracer.finished();
        tracer.close(start + Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
