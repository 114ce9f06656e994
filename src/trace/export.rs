//! The thread that sends spans to a collector: what it cannot send is dropped and counted, and no request waits for it.

use std::time::Duration;

use super::buffer::Buffer;
use super::endpoint::Endpoint;
use super::otlp::{self, Epoch};
use super::span::Span;
use crate::client::post;

/// Spans of one request: a body of up to a megabyte.
const SPANS: usize = 2048;

/// Between two looks at what waits.
const INTERVAL: Duration = Duration::from_secs(1);

/// Between attempts while no collector answers: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Sends what comes into `buffer` until it is closed.
pub(super) fn run(buffer: &Buffer, endpoint: &Endpoint, service: &str) {
    let mut failing: Option<Duration> = None;
    let (mut taken, mut body) = (Vec::new(), Vec::new());
    loop {
        if let Some(pause) = failing {
            buffer.rest(pause);
        }
        let is_last = buffer.take(INTERVAL, &mut taken);
        let mut chunks = taken.chunks(SPANS);
        while let Some(spans) = chunks.next() {
            body.clear();
            otlp::write_request(&mut body, service, spans, Epoch::now());
            match post(&endpoint.0, format_args!("content-type: application/json\r\n"), &body) {
                Ok(()) => {
                    buffer.count(spans.len(), 0);
                    if failing.take().is_some() {
                        tracing::info!(event = "traces", "traces are sent to {endpoint} again");
                    }
                }
                Err(error) => {
                    // Those behind it would fail as well.
                    buffer.count(0, spans.len() + chunks.by_ref().map(<[Span]>::len).sum::<usize>());
                    if failing.is_none() {
                        tracing::warn!(event = "traces", "traces are dropped: cannot send them to {endpoint}: {error}");
                    }
                    failing = Some(failing.map_or(PAUSES.0, |pause| (pause * 2).min(PAUSES.1)));
                }
            }
        }
        if is_last {
            return buffer.finished();
        }
    }
}
