//! Messages that wait to be delivered: in their order, each once, as long as the receiver can be reached at some time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::client::{Failure, Url, post};

/// Messages that wait at most; further ones are dropped and logged.
const MAX_WAITING: usize = 32;

/// Characters of a title at most.
const MAX_TITLE: usize = 200;

/// Between attempts while the receiver cannot be reached: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(120));

/// What a person reads.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) title: String,
    pub(super) text: String,
    /// Something is wrong, rather than over.
    pub(super) is_bad: bool,
}

/// The messages to one receiver.
#[derive(Debug)]
pub(super) struct Outbox {
    /// Its path may be a secret, which the log must not have.
    url: Url,
    /// This machine's name, for a person with several.
    host: String,
    waiting: VecDeque<Message>,
    /// The receiver was not reached: the next attempt, and the pause before it.
    failing: Option<(Instant, Duration)>,
}

impl Outbox {
    pub(super) fn new(url: Url) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { url, host, waiting: VecDeque::new(), failing: None }
    }

    /// Adds a message.
    pub(super) fn push(&mut self, message: Message) {
        let Message { title, text, .. } = &message;
        tracing::warn!(event = "alert", "{title}. {text}");
        if self.waiting.len() < MAX_WAITING {
            self.waiting.push_back(message);
        } else {
            tracing::warn!(
                event = "alert",
                "this alert is not sent: {MAX_WAITING} others wait for {}",
                self.url.authority
            );
        }
    }

    /// Sends what waits, unless the receiver could not be reached a moment ago.
    pub(super) fn deliver(&mut self, now: Instant) {
        if self.failing.is_some_and(|(next, _)| now < next) {
            return;
        }
        while let Some(message) = self.waiting.front() {
            match self.send(message) {
                Ok(()) => {
                    self.failing = None;
                }
                Err(Failure::Refused(error)) => {
                    if self.failing.is_none() {
                        tracing::warn!(
                            event = "alert",
                            "cannot send alerts to {}, will retry: {error}",
                            self.url.authority
                        );
                    }
                    let pause = self.failing.map_or(PAUSES.0, |(_, pause)| (pause * 2).min(PAUSES.1));
                    self.failing = Some((now + pause, pause));
                    return;
                }
                // It may have arrived, and a person need not read it twice.
                Err(Failure::Unknown(error)) => {
                    tracing::warn!(event = "alert", "an alert may not have arrived at {}: {error}", self.url.authority);
                }
            }
            self.waiting.pop_front();
        }
    }

    /// As a topic of ntfy takes it: title, priority and tags are fields, the text is the body. Other receivers read the body.
    fn send(&self, message: &Message) -> Result<(), Failure> {
        let (priority, tags) = if message.is_bad { ("high", "warning") } else { ("default", "white_check_mark") };
        let title = format!("{}: {}", self.host, message.title);
        let title: String = title.chars().filter(|character| (' '..='~').contains(character)).take(MAX_TITLE).collect();
        let fields = format_args!(
            "title: {title}\r\npriority: {priority}\r\ntags: {tags}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        );
        let body = format!("{title}\n{}\n", message.text);
        post(&self.url, fields, body.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn message(number: usize) -> Message {
        Message { title: format!("number {number}"), text: "text".into(), is_bad: true }
    }

    #[test]
    fn the_outbox_is_bounded_and_patient() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut outbox = Outbox::new(Url::parse(&format!("http://{gone}/pi")).unwrap());
        (0..MAX_WAITING + 3).for_each(|number| outbox.push(message(number)));
        assert_eq!(outbox.waiting.len(), MAX_WAITING);
        let start = Instant::now();
        outbox.deliver(start);
        let (next, pause) = outbox.failing.unwrap();
        assert_eq!((next - start, pause, outbox.waiting.len()), (PAUSES.0, PAUSES.0, MAX_WAITING));
        outbox.deliver(next);
        assert_eq!(outbox.failing.unwrap().1, PAUSES.0 * 2);
        for _ in 0..10 {
            outbox.deliver(outbox.failing.unwrap().0);
        }
        assert_eq!((outbox.failing.unwrap().1, outbox.waiting.len()), (PAUSES.1, MAX_WAITING));
    }
}
