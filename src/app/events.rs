//! The samples that `/sse/metrics` streams: serialised once, shared by every subscriber.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::http::Response;

/// Samples kept, and sent at the start of a stream: five minutes.
const HISTORY: usize = 300;

/// A subscriber that missed no more than this many samples is sent just those.
const RESUMED: u64 = 16;

/// What a stream is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// `/sse/metrics`
    Metrics,
    /// `/sse/courses`
    Courses,
}

/// One event for every stream of a channel; a channel has at most one a second.
#[derive(Debug)]
pub struct Sample {
    /// Rises by one with each event; that of metrics is higher than any id of a process that served before.
    pub id: u64,
    /// The whole event as it goes to a subscriber.
    pub event: Bytes,
    /// What it is about.
    pub channel: Channel,
    /// Where the event holds its JSON.
    json: Range<usize>,
}

/// What a client asks for when it asks for events.
#[derive(Debug, Clone, Copy)]
pub struct Subscription {
    /// It has all samples up to this one.
    pub after: Option<u64>,
    /// What it follows.
    pub channel: Channel,
}

impl Sample {
    /// An event with `json` as its data.
    pub(super) fn new(channel: Channel, id: u64, json: &[u8]) -> Arc<Self> {
        let before = format!("id: {id}\ndata: ");
        let range = before.len()..before.len() + json.len();
        let event = [before.as_bytes(), json, b"\n\n"].concat().into();
        Arc::new(Self { id, event, channel, json: range })
    }
}

/// The last five minutes.
pub struct EventLog(Mutex<Log>);

struct Log {
    samples: VecDeque<Arc<Sample>>,
    /// The id of the newest sample.
    newest: u64,
    /// The history events made in this second, by how many samples they hold; shared by all who come in it.
    histories: Vec<(usize, Bytes)>,
}

impl Default for EventLog {
    fn default() -> Self {
        // One sample a second: ids that start at the time of the start never repeat those of the process before.
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        Self(Mutex::new(Log { samples: VecDeque::new(), newest: started, histories: Vec::new() }))
    }
}

impl EventLog {
    /// What the body of every stream begins with: how soon to come back after an interruption.
    pub const OPENING: &str = "retry: 2000\n\n";

    /// Sent regularly, so that a page can distinguish a quiet stream from a broken one.
    pub const HEARTBEAT: &str = "event: heartbeat\ndata: {}\n\n";

    /// The header of every stream. The connection's end is the stream's end.
    pub(super) fn stream_head() -> Response {
        let head = Response { is_stream: true, is_last: true, ..Response::ok("text/event-stream", Self::OPENING) };
        head.with("cache-control", "no-cache").with("vary", "origin").with("x-accel-buffering", "no")
    }

    /// Adds the next sample.
    pub(super) fn push(&self, json: &str) -> Arc<Sample> {
        let mut log = self.lock();
        log.newest += 1;
        let sample = Sample::new(Channel::Metrics, log.newest, json.as_bytes());
        log.histories.clear();
        log.samples.push_back(Arc::clone(&sample));
        if log.samples.len() > HISTORY {
            log.samples.pop_front();
        }
        sample
    }

    /// The `history` event for a subscriber that has everything up to `after`, and the id of its newest sample.
    ///
    /// A subscriber that missed a few samples gets just those, any other all that are kept. So few different events are
    /// made in one second, whatever clients ask for.
    pub fn history(&self, after: Option<u64>) -> (u64, Bytes) {
        let log = &mut *self.lock();
        let missed = after.and_then(|id| log.newest.checked_sub(id)).filter(|&missed| missed <= RESUMED);
        let count = missed.map_or(log.samples.len(), |missed| (missed as usize).min(log.samples.len()));
        if let Some((_, event)) = log.histories.iter().find(|(held, _)| *held == count) {
            return (log.newest, event.clone());
        }
        let event = log.history_event(count);
        log.histories.push((count, event.clone()));
        (log.newest, event)
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn history_event(&self, count: usize) -> Bytes {
        let mut event = format!("event: history\nid: {}\ndata: [", self.newest).into_bytes();
        for (index, sample) in self.samples.iter().skip(self.samples.len() - count).enumerate() {
            if index > 0 {
                event.push(b',');
            }
            event.extend_from_slice(&sample.event[sample.json.clone()]);
        }
        event.extend_from_slice(b"]\n\n");
        event.into()
    }
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
        let first = log.lock().newest;
        assert!(first >= 1_700_000_000, "an id of this process is higher than any of one that served before");
        assert_eq!(log.history(None).1, Bytes::from(format!("event: history\nid: {first}\ndata: []\n\n")));
        for n in 1..=1000 {
            log.push(&format!("{{\"n\":{n}}}"));
        }
        assert_eq!(log.lock().samples.len(), HISTORY);
        let event = log.history(None).1;
        assert!(event.starts_with(format!("event: history\nid: {}\n", first + 1000).as_bytes()));
        assert_eq!(ids(&event), (701..=1000).collect::<Vec<_>>());
        assert_eq!(ids(&log.history(Some(first + 998)).1), [999, 1000]);
        assert_eq!(ids(&log.history(Some(first + 1000)).1), [0_u64; 0]);
    }

    #[test]
    fn subscribers_of_one_second_share_few_events() {
        let log = EventLog::default();
        let first = log.lock().newest;
        for n in 1..=1000 {
            log.push(&format!("{{\"n\":{n}}}"));
        }
        let all = log.history(None).1;
        for after in (0..first + 2000).rev().take(3000).chain([0, u64::MAX]) {
            let event = log.history(Some(after)).1;
            assert!(event.as_ptr() == all.as_ptr() || ids(&event).len() <= RESUMED as usize);
        }
        assert!(log.lock().histories.len() <= RESUMED as usize + 2);
    }
}
