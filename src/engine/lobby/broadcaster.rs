//! Who reads `/sse/metrics`: one thread takes a sample each second and writes the same bytes to every subscriber.
//!
//! A subscriber is a socket and a few words, whichever engine accepted it, so a thousand dashboards cost a thousand
//! writes a second and nothing else.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::super::connections::Permit;
use super::super::memory::tidy;
use crate::app::{App, EventLog, Subscription};

/// Between two samples.
const INTERVAL: Duration = Duration::from_secs(1);

/// Samples between two heartbeats.
const HEARTBEAT_EVERY: u64 = 15;

/// How soon a subscriber whose socket was full is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// The writing end of every stream.
pub(crate) struct Broadcaster {
    app: Arc<App>,
    newcomers: Mutex<Option<Sender<Newcomer>>>,
    arrivals: Mutex<Option<Receiver<Newcomer>>>,
    ended: AtomicBool,
}

struct Newcomer {
    stream: TcpStream,
    permit: Permit,
    subscription: Subscription,
}

struct Subscriber {
    stream: TcpStream,
    _permit: Permit,
    /// What it has not taken yet, oldest first.
    pending: VecDeque<Bytes>,
    /// Since when the oldest of it waits.
    waiting_since: Option<Instant>,
}

impl Broadcaster {
    pub(crate) fn new(app: Arc<App>) -> Self {
        let (sender, receiver) = channel();
        Self {
            app,
            newcomers: Mutex::new(Some(sender)),
            arrivals: Mutex::new(Some(receiver)),
            ended: AtomicBool::new(false),
        }
    }

    /// Begins a stream on a connection that has sent its whole request.
    pub(crate) fn subscribe(&self, stream: TcpStream, permit: Permit, subscription: Subscription) {
        // Once the streams have ended, the connection simply closes.
        if let Some(newcomers) = &*self.newcomers.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = newcomers.send(Newcomer { stream, permit, subscription });
        }
    }

    /// Ends every stream.
    pub(crate) fn end(&self) {
        self.ended.store(true, Relaxed);
        self.newcomers.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The sampler's thread: returns after [`Self::end`].
    pub(crate) fn run(&self, mut each_second: impl FnMut()) {
        let Some(arrivals) = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let mut subscribers: Vec<Subscriber> = Vec::new();
        let mut next_sample = Instant::now() + INTERVAL;
        while !self.ended.load(Relaxed) {
            let blocked = subscribers.iter().any(|subscriber| !subscriber.pending.is_empty());
            let until_sample = next_sample.saturating_duration_since(Instant::now());
            match arrivals.recv_timeout(if blocked { until_sample.min(RETRY) } else { until_sample }) {
                Ok(newcomer) => subscribers.push(self.welcome(newcomer)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= next_sample {
                // A machine that slept does not make up for the seconds it missed.
                next_sample = (next_sample + INTERVAL).max(Instant::now() + INTERVAL / 2);
                let sample = self.app.sample();
                for subscriber in &mut subscribers {
                    subscriber.pending.push_back(sample.event.clone());
                    if sample.id.is_multiple_of(HEARTBEAT_EVERY) {
                        subscriber.pending.push_back(Bytes::from_static(EventLog::HEARTBEAT.as_bytes()));
                    }
                }
                each_second();
                tidy();
            }
            let patience = self.app.config.write_timeout;
            subscribers.retain_mut(|subscriber| subscriber.write(&self.app, patience));
            self.app.metrics.counters.subscribers.store(subscribers.len() as u64, Relaxed);
        }
        for subscriber in subscribers {
            let _ = subscriber.stream.shutdown(Shutdown::Write);
        }
        self.app.metrics.counters.subscribers.store(0, Relaxed);
    }

    fn welcome(&self, newcomer: Newcomer) -> Subscriber {
        let _ = newcomer.stream.set_nonblocking(true);
        let history = self.app.events.history(newcomer.subscription.after);
        let opening = [newcomer.subscription.status_line(), EventLog::PREAMBLE].concat();
        let pending = VecDeque::from([Bytes::from(opening), history]);
        Subscriber { stream: newcomer.stream, _permit: newcomer.permit, pending, waiting_since: None }
    }
}

impl Subscriber {
    /// Writes what is pending; `false` when the client is gone or has not read for longer than `patience`.
    fn write(&mut self, app: &App, patience: Duration) -> bool {
        while let Some(bytes) = self.pending.front_mut() {
            match send(&self.stream, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count) => {
                    app.metrics.counters.bytes_written(count);
                    self.waiting_since = None;
                    bytes::Buf::advance(bytes, count);
                    if bytes.is_empty() {
                        self.pending.pop_front();
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    let since = *self.waiting_since.get_or_insert_with(Instant::now);
                    if since.elapsed() < patience {
                        return true;
                    }
                    app.metrics.counters.timed_out.fetch_add(1, Relaxed);
                    return false;
                }
                Err(_) => return false,
            }
        }
        true
    }
}
