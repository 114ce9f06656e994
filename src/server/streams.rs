//! The streams of `/sse/metrics` and `/sse/courses`: one thread sends each sample to every subscriber, and cuts off those that do not read.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use slab::Slab;

use super::Server;
use super::heartbeat::{Beat, INTERVAL};
use super::permit::Permit;
use super::reactor::NUDGE;
use super::socket::{self, Sent};
use crate::app::{Channel, EventLog, Sample, Subscription};
use crate::clock::Moment;
use crate::metrics::{Counted, Gauge};

/// Streams open at once.
const MAX_STREAMS: u64 = 4_096;

/// Events that may wait for one subscriber to read; one that is further behind is cut off.
const MAX_BEHIND: usize = 32;

/// Every so many samples of metrics a heartbeat event is sent.
const HEARTBEAT_EVERY: u64 = 15;

/// What a subscriber's socket is watched for: room to write, and the client's end.
const WATCHED: EventFlags = EventFlags::OUT.union(EventFlags::RDHUP).union(EventFlags::ET);

/// All streams of one server.
pub(super) struct Streams {
    epoll: OwnedFd,
    nudge: OwnedFd,
    open: Gauge,
    ended: AtomicBool,
    inbox: Mutex<Inbox>,
}

/// What the stream thread has not seen yet.
#[derive(Default)]
struct Inbox {
    newcomers: Vec<Subscriber>,
    samples: Vec<Arc<Sample>>,
}

struct Subscriber {
    stream: TcpStream,
    _permit: Permit,
    _place: Counted<'static>,
    subscription: Subscription,
    /// What the socket has not taken yet, oldest first, and since when it waits.
    pending: VecDeque<(Moment, Bytes)>,
    /// The socket is full; an event says when it is not.
    is_blocked: bool,
}

impl Streams {
    pub(super) fn new() -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let nudge = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &nudge, EventData::new_u64(NUDGE), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, nudge, open: Gauge::default(), ended: AtomicBool::new(false), inbox: Mutex::default() })
    }

    /// A place for another stream, if there is one.
    pub(super) fn place(&'static self) -> Option<Counted<'static>> {
        self.open.enter_below(MAX_STREAMS)
    }

    /// Begins a stream on a connection; `opening` is the response so far.
    pub(super) fn subscribe(
        &self,
        stream: TcpStream,
        permit: Permit,
        place: Counted<'static>,
        opening: &[u8],
        subscription: Subscription,
    ) {
        let now = Moment::now();
        let pending = VecDeque::from([(now, Bytes::copy_from_slice(opening))]);
        let newcomer = Subscriber { stream, _permit: permit, _place: place, subscription, pending, is_blocked: false };
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).newcomers.push(newcomer);
        self.wake();
    }

    /// Sends a sample to every subscriber.
    pub(super) fn publish(&self, sample: Arc<Sample>) {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner).samples.push(sample);
        self.wake();
    }

    /// Ends every stream, and those that are still to begin.
    pub(super) fn end(&self) {
        self.ended.store(true, Relaxed);
        self.wake();
    }

    fn wake(&self) {
        // Fails only when the thread has many wake-ups to see already.
        let _ = rustix::io::write(&self.nudge, &1_u64.to_ne_bytes());
    }

    /// The stream thread.
    pub(super) fn run(&self, server: &Server, beat: &Beat) {
        let mut subscribers: Slab<Subscriber> = Slab::new();
        let mut events = Vec::with_capacity(1024);
        let patience = server.timeouts().write;
        let tick = INTERVAL.min(patience / 4).max(Duration::from_millis(10));
        let wait = Timespec::try_from(tick).expect("short");
        let mut next_look = Moment::now();
        loop {
            events.clear();
            // An interrupted wait is a short one.
            let _ = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait));
            beat.beat();
            let now = Moment::now();
            for event in &events {
                // No subscriber has the key of a wake-up.
                let key = event.data.u64() as usize;
                if subscribers.get_mut(key).is_some_and(|one| !one.on_event(server, event.flags, now)) {
                    subscribers.remove(key);
                }
            }
            let inbox = std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
            for sample in inbox.samples {
                subscribers.retain(|_, subscriber| subscriber.on_sample(server, &sample, now));
            }
            for newcomer in inbox.newcomers {
                self.welcome(server, &mut subscribers, newcomer, now);
            }
            if now >= next_look {
                next_look = now + tick;
                subscribers.retain(|_, subscriber| subscriber.write(server, now));
            }
            if self.ended.load(Relaxed) {
                for subscriber in subscribers.drain() {
                    // The client sees the end of the stream; an error means that it is gone.
                    let _ = subscriber.stream.shutdown(Shutdown::Write);
                }
            }
            if subscribers.is_empty() {
                subscribers.shrink_to_fit();
            }
            server.app.metrics.counters.subscribers.store(subscribers.len() as u64, Relaxed);
        }
    }

    fn welcome(&self, server: &Server, subscribers: &mut Slab<Subscriber>, newcomer: Subscriber, now: Moment) {
        let key = subscribers.insert(newcomer);
        let data = EventData::new_u64(key as u64);
        let subscriber = &mut subscribers[key];
        let (newest, history) = server.app.history(subscriber.subscription);
        subscriber.subscription.after = Some(newest);
        subscriber.pending.push_back((now, history));
        if epoll::add(&self.epoll, &subscriber.stream, data, WATCHED).is_err() || !subscriber.write(server, now) {
            subscribers.remove(key);
        }
    }
}

impl Subscriber {
    /// Something happened on the socket; whether the stream goes on.
    fn on_event(&mut self, server: &Server, flags: EventFlags, now: Moment) -> bool {
        self.is_blocked &= !flags.contains(EventFlags::OUT);
        !flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR) && self.write(server, now)
    }

    /// Sends a sample, if the stream is one of its kind; whether the stream goes on.
    fn on_sample(&mut self, server: &Server, sample: &Sample, now: Moment) -> bool {
        let Subscription { channel, after } = self.subscription;
        // A subscriber that came after the sample has it in its history.
        if channel == sample.channel && after.is_none_or(|newest| newest < sample.id) {
            self.pending.push_back((now, sample.event.clone()));
        }
        if sample.channel == Channel::Metrics && sample.id.is_multiple_of(HEARTBEAT_EVERY) {
            self.pending.push_back((now, Bytes::from_static(EventLog::HEARTBEAT.as_bytes())));
        }
        self.write(server, now)
    }

    /// Sends what the socket takes. The stream ends when the client is gone, or does not read as fast as events come.
    fn write(&mut self, server: &Server, now: Moment) -> bool {
        let patience = server.timeouts().write;
        let mut is_behind = false;
        while !self.is_blocked
            && let Some((_, bytes)) = self.pending.front_mut()
        {
            match socket::transmit(&self.stream, bytes) {
                Sent::Bytes(count) => {
                    server.app.metrics.counters.bytes_written(count);
                    bytes.advance(count);
                    if bytes.is_empty() {
                        self.pending.pop_front();
                    }
                }
                Sent::Full => self.is_blocked = true,
                Sent::TimedOut => {
                    is_behind = true;
                    break;
                }
                Sent::Broken => return false,
            }
        }
        is_behind |= self.pending.len() > MAX_BEHIND
            || self.pending.front().is_some_and(|(since, _)| now.since(*since) >= patience);
        if is_behind {
            server.timed_out();
            socket::reset_on_close(&self.stream);
        } else if self.pending.is_empty() {
            self.pending.shrink_to_fit();
        }
        !is_behind
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;
    use crate::server::tests::server;

    /// A subscriber and its client.
    fn subscriber(server: &'static Server) -> (Subscriber, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let stream = listener.accept().unwrap().0;
        let permit = server.permit(&stream).unwrap();
        let (place, pending) = (server.streams.place().unwrap(), VecDeque::new());
        let subscription = Subscription { after: None, channel: Channel::Metrics };
        (Subscriber { stream, _permit: permit, _place: place, subscription, pending, is_blocked: false }, client)
    }

    #[test]
    fn an_event_has_its_own_time_however_slowly_it_is_read() {
        let server = server(1 << 20);
        let (mut subscriber, mut client) = subscriber(server);
        let began = Moment::from_millis(1_000_000);
        subscriber.pending.push_back((began, vec![b'x'; 32 << 20].into()));
        assert!(subscriber.write(server, began) && subscriber.is_blocked);
        for second in 1..15 {
            client.read_exact(&mut vec![0; 64 << 10]).unwrap();
            subscriber.is_blocked = false;
            assert!(subscriber.write(server, began + Duration::from_secs(second)));
        }
        subscriber.is_blocked = false;
        assert!(!subscriber.write(server, began + server.timeouts().write));
        assert_eq!(server.app.metrics.counters.timed_out.load(Relaxed), 1);
    }

    #[test]
    fn few_events_wait_for_a_subscriber_and_few_subscribers_for_events() {
        let server = server(1 << 20);
        let (mut subscriber, _client) = subscriber(server);
        subscriber.is_blocked = true;
        let now = Moment::now();
        let mut write = |events| {
            subscriber.pending.resize(events, (now, Bytes::from_static(b"x")));
            subscriber.write(server, now)
        };
        assert_eq!((write(MAX_BEHIND), write(MAX_BEHIND + 1)), (true, false));
        let places: Vec<_> = (1..MAX_STREAMS).map(|_| server.streams.place().unwrap()).collect();
        assert!(server.streams.place().is_none());
        drop((subscriber, places));
        assert!(server.streams.place().is_some());
    }
}
