//! The streams of `/sse/metrics` and `/sse/courses`: one thread sends each sample to every subscriber, and cuts off those that do not read.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
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
    open: AtomicU64,
    ended: AtomicBool,
    inbox: Mutex<Inbox>,
}

/// What the stream thread has not seen yet.
#[derive(Default)]
struct Inbox {
    newcomers: Vec<Subscriber>,
    samples: Vec<Arc<Sample>>,
}

/// One of the streams that may be open; free again when dropped.
pub(super) struct Place(&'static AtomicU64);

struct Subscriber {
    stream: TcpStream,
    _permit: Permit,
    _place: Place,
    subscription: Subscription,
    /// What the socket has not taken yet, oldest first, and since when it waits.
    pending: VecDeque<(Moment, Bytes)>,
    /// The socket is full; an event says when it is not.
    is_blocked: bool,
}

/// Why a stream ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The client has closed it.
    Gone,
    /// The client does not read as fast as events come.
    Behind,
}

impl Streams {
    pub(super) fn new() -> anyhow::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let nudge = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &nudge, EventData::new_u64(NUDGE), EventFlags::IN | EventFlags::ET)?;
        let (open, ended) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self { epoll, nudge, open, ended, inbox: Mutex::default() })
    }

    /// A place for another stream, if there is one.
    pub(super) fn place(&'static self) -> Option<Place> {
        let place = Place(&self.open);
        (self.open.fetch_add(1, Relaxed) < MAX_STREAMS).then_some(place)
    }

    /// Begins a stream on a connection; `opening` is the response so far.
    pub(super) fn subscribe(
        &self,
        stream: TcpStream,
        permit: Permit,
        place: Place,
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
                let key = event.data.u64();
                if key != NUDGE {
                    on_event(server, &mut subscribers, key as usize, event.flags, now);
                }
            }
            let inbox = std::mem::take(&mut *self.inbox.lock().unwrap_or_else(PoisonError::into_inner));
            for sample in inbox.samples {
                broadcast(server, &mut subscribers, &sample, now);
            }
            for newcomer in inbox.newcomers {
                self.welcome(server, &mut subscribers, newcomer, now);
            }
            if now >= next_look {
                next_look = now + tick;
                end_late(server, &mut subscribers, now);
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
        let watched = epoll::add(&self.epoll, &subscriber.stream, data, WATCHED).is_ok();
        let outcome = if watched { subscriber.write(server, now) } else { Err(End::Gone) };
        if let Err(reason) = outcome {
            end(server, subscribers, key, &reason);
        }
    }
}

fn on_event(server: &Server, subscribers: &mut Slab<Subscriber>, key: usize, flags: EventFlags, now: Moment) {
    let Some(subscriber) = subscribers.get_mut(key) else { return };
    let gone = flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR);
    subscriber.is_blocked &= !flags.contains(EventFlags::OUT);
    let outcome = if gone { Err(End::Gone) } else { subscriber.write(server, now) };
    if let Err(reason) = outcome {
        end(server, subscribers, key, &reason);
    }
}

fn broadcast(server: &Server, subscribers: &mut Slab<Subscriber>, sample: &Sample, now: Moment) {
    let mut ended = Vec::new();
    let is_heartbeat = sample.channel == Channel::Metrics && sample.id.is_multiple_of(HEARTBEAT_EVERY);
    for (key, subscriber) in subscribers.iter_mut() {
        let Subscription { channel, after } = subscriber.subscription;
        // A subscriber that came after the sample has it in its history.
        if channel == sample.channel && after.is_none_or(|newest| newest < sample.id) {
            subscriber.pending.push_back((now, sample.event.clone()));
        }
        if is_heartbeat {
            subscriber.pending.push_back((now, Bytes::from_static(EventLog::HEARTBEAT.as_bytes())));
        }
        if let Err(reason) = subscriber.write(server, now) {
            ended.push((key, reason));
        }
    }
    for (key, reason) in ended {
        end(server, subscribers, key, &reason);
    }
}

fn end_late(server: &Server, subscribers: &mut Slab<Subscriber>, now: Moment) {
    let is_late = |subscriber: &Subscriber| subscriber.is_late(now, server.timeouts().write);
    let late: Vec<usize> = subscribers.iter().filter(|(_, one)| is_late(one)).map(|(key, _)| key).collect();
    for key in late {
        end(server, subscribers, key, &End::Behind);
    }
}

fn end(server: &Server, subscribers: &mut Slab<Subscriber>, key: usize, reason: &End) {
    let subscriber = subscribers.remove(key);
    if *reason == End::Behind {
        server.timed_out();
        socket::reset(subscriber.stream);
    }
}

impl Subscriber {
    /// Sends what the socket takes.
    fn write(&mut self, server: &Server, now: Moment) -> Result<(), End> {
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
                Sent::TimedOut => return Err(End::Behind),
                Sent::Broken => return Err(End::Gone),
            }
        }
        if self.pending.len() > MAX_BEHIND || self.is_late(now, server.timeouts().write) {
            return Err(End::Behind);
        }
        if self.pending.is_empty() {
            self.pending.shrink_to_fit();
        }
        Ok(())
    }

    /// Whether an event has waited for longer than `patience`.
    fn is_late(&self, now: Moment, patience: Duration) -> bool {
        self.pending.front().is_some_and(|(since, _)| now.since(*since) >= patience)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
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
        assert_eq!((subscriber.write(server, began), subscriber.is_blocked), (Ok(()), true));
        for second in 1..15 {
            client.read_exact(&mut vec![0; 64 << 10]).unwrap();
            subscriber.is_blocked = false;
            assert_eq!(subscriber.write(server, began + Duration::from_secs(second)), Ok(()));
        }
        subscriber.is_blocked = false;
        assert_eq!(subscriber.write(server, began + server.timeouts().write), Err(End::Behind));
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
        assert_eq!((write(MAX_BEHIND), write(MAX_BEHIND + 1)), (Ok(()), Err(End::Behind)));
        let places: Vec<_> = (1..MAX_STREAMS).map(|_| server.streams.place().unwrap()).collect();
        assert!(server.streams.place().is_none());
        drop((subscriber, places));
        assert!(server.streams.place().is_some());
    }
}
