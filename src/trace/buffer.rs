//! The spans that wait for export: what does not fit is dropped and counted.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::span::Span;

/// Spans that wait for export at most; more are dropped and counted. About a megabyte, and as much for those being sent.
pub(super) const MAX_WAITING: usize = 8192;

/// With so many the exporter does not wait for its next second.
const PLENTY: usize = 2048;

/// Finished spans, from all threads to the exporter.
#[derive(Debug, Default)]
pub struct Buffer {
    state: Mutex<State>,
    /// There is something for the exporter to do.
    work: Condvar,
    /// The exporter has sent what it could after [`Buffer::close`].
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

impl Buffer {
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

    /// Waits for spans: until there are plenty, `pause` is over or the process ends. Puts them in place of what is in `spans`,
    /// whose memory is used for those to come, and returns whether the process ends after this. For the exporter.
    pub(super) fn take(&self, pause: Duration, spans: &mut Vec<Span>) -> bool {
        spans.clear();
        let mut state = self.lock();
        if !state.closing {
            let wait =
                self.work.wait_timeout_while(state, pause, |state| !state.closing && (state.waiting.len() < PLENTY));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut state.waiting, spans);
        state.closing
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
    use super::*;

    #[test]
    fn closing_waits_for_the_exporter_but_not_longer_than_it_may() {
        let buffer = Buffer::default();
        let start = Instant::now();
        buffer.close(start + Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(buffer.take(Duration::from_secs(60), &mut Vec::new()));
        buffer.rest(Duration::from_secs(60));
        buffer.finished();
        buffer.close(start + Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(30));
    }
}
