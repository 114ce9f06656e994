//! The samples that `/sse/metrics` streams: serialised once, shared by every subscriber.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// A quarter of an hour of samples is kept.
const KEPT: usize = 900;

/// As many of them a subscriber is given at once.
const HISTORY: usize = 300;

/// One second's sample.
#[derive(Debug)]
pub struct Sample {
    /// Rises by one each second from 1.
    pub id: u64,
    /// The object of `/metrics`, one line.
    json: Box<str>,
    /// The whole event as it goes to a subscriber.
    pub event: Bytes,
}

/// What a client asks for when it asks for events.
#[derive(Debug, Clone, Copy)]
pub struct Subscription {
    /// It has all samples up to this one.
    pub after: Option<u64>,
    pub(super) http10: bool,
}

impl Subscription {
    /// The status line that opens its stream.
    pub fn status_line(self) -> &'static str {
        if self.http10 { "HTTP/1.0 200 OK\r\n" } else { "HTTP/1.1 200 OK\r\n" }
    }
}

/// The last quarter of an hour.
#[derive(Default)]
pub struct EventLog(Mutex<Log>);

#[derive(Default)]
struct Log {
    samples: VecDeque<Arc<Sample>>,
    /// What newcomers of this second are given, made for the first of them.
    opening: Option<Bytes>,
}

impl EventLog {
    /// What every stream begins with after its status line: headers, and how soon to come back after an interruption.
    /// The connection's end is the stream's end, so no length is told.
    pub const PREAMBLE: &str = "content-type: text/event-stream\r\ncache-control: no-cache\r\n\
         access-control-allow-origin: *\r\nx-accel-buffering: no\r\nconnection: close\r\n\r\nretry: 2000\n\n";

    /// Sent now and then so that a page can tell a quiet stream from a dead one.
    pub const HEARTBEAT: &str = "event: heartbeat\ndata: {}\n\n";

    /// Adds the next sample.
    pub(super) fn push(&self, json: &str) -> Arc<Sample> {
        let mut log = self.lock();
        let id = log.newest() + 1;
        let event = format!("id: {id}\ndata: {json}\n\n").into();
        let sample = Arc::new(Sample { id, json: json.into(), event });
        log.opening = None;
        log.samples.push_back(Arc::clone(&sample));
        if log.samples.len() > KEPT {
            log.samples.pop_front();
        }
        sample
    }

    /// The `history` event for a subscriber that has everything up to `after`; its id is that of its newest sample.
    ///
    /// An id this server never gave out (it restarted meanwhile) counts as none.
    pub fn history(&self, after: Option<u64>) -> Bytes {
        let log = &mut *self.lock();
        let newest = log.newest();
        let samples = log.samples.iter();
        if let Some(after) = after.filter(|&id| id <= newest) {
            return history_event(samples.filter(|sample| sample.id > after), newest);
        }
        let skipped = log.samples.len().saturating_sub(HISTORY);
        log.opening.get_or_insert_with(|| history_event(samples.skip(skipped), newest)).clone()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    /// The id of the newest sample; 0 before the first.
    fn newest(&self) -> u64 {
        self.samples.back().map_or(0, |last| last.id)
    }
}

fn history_event<'a>(samples: impl Iterator<Item = &'a Arc<Sample>>, newest: u64) -> Bytes {
    let mut event = format!("event: history\nid: {newest}\ndata: [");
    for (index, sample) in samples.enumerate() {
        if index > 0 {
            event.push(',');
        }
        event.push_str(&sample.json);
    }
    event.push_str("]\n\n");
    event.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(event: &Bytes) -> Vec<u64> {
        let text = std::str::from_utf8(event).unwrap();
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let list: Vec<serde_json::Value> = serde_json::from_str(data).unwrap();
        list.iter().map(|sample| sample["n"].as_u64().unwrap()).collect()
    }

    #[test]
    fn history_is_bounded_and_resumes() {
        let log = EventLog::default();
        assert_eq!(log.history(None), Bytes::from("event: history\nid: 0\ndata: []\n\n"));
        for n in 1..=1000 {
            log.push(&format!("{{\"n\":{n}}}"));
        }
        assert_eq!(log.lock().samples.len(), KEPT);
        let event = log.history(None);
        assert!(event.starts_with(b"event: history\nid: 1000\n"));
        assert_eq!(ids(&event), (701..=1000).collect::<Vec<_>>());
        assert_eq!(log.history(None).as_ptr(), event.as_ptr(), "all who come in one second share one event");
        assert_eq!(ids(&log.history(Some(998))), [999, 1000]);
        assert_eq!(ids(&log.history(Some(1000))), [0_u64; 0]);
        assert_eq!(ids(&log.history(Some(5000))).len(), HISTORY);
    }
}
