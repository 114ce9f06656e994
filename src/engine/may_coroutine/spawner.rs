//! Which connections get a coroutine: all that have something to say, up to what the kernel can map.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use super::connection::Connection;
use super::watch::Watches;
use crate::engine::connections::{Permit, Server};
use crate::platform::Roots;
use crate::platform::limits::Limits;

/// Memory maps of one stack: its pages and its guard page.
const MAPS_PER_STACK: u64 = 2;

/// Memory maps for everything else.
const RESERVED_MAPS: u64 = 4_096;

/// Where the kernel does not say, its default is assumed.
const DEFAULT_MAX_MAP_COUNT: u64 = 65_530;

/// Starts coroutines.
pub(super) struct Spawner {
    server: Arc<Server>,
    pub(super) watches: Arc<Watches>,
    /// The most that may run; starting more would fail for want of memory maps and end the process.
    most: u64,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    running: u64,
    /// Connections that wait for another one's coroutine to end.
    waiting: VecDeque<(TcpStream, Permit)>,
}

impl Spawner {
    pub(super) fn new(server: Arc<Server>, watches: Arc<Watches>) -> Self {
        let maps = Limits::read(&Roots::system()).max_map_count.unwrap_or(DEFAULT_MAX_MAP_COUNT);
        let most = (maps.saturating_sub(RESERVED_MAPS) / MAPS_PER_STACK).max(64);
        if most < server.app.config.max_connections as u64 {
            tracing::info!(
                event = "clamp",
                "up to {most} connections are active at once, as vm.max_map_count is {maps}; further ones wait their turn"
            );
        }
        Self { server, watches, most, queue: Mutex::default() }
    }

    /// Serves `stream` in a coroutine, as soon as one may run.
    pub(super) fn serve(self: &Arc<Self>, stream: TcpStream, permit: Permit) {
        let mut queue = self.queue();
        if queue.running >= self.most {
            queue.waiting.push_back((stream, permit));
            return;
        }
        queue.running += 1;
        drop(queue);
        self.spawn(stream, permit);
    }

    fn spawn(self: &Arc<Self>, stream: TcpStream, permit: Permit) {
        let spawner = Arc::clone(self);
        may::go!(move || {
            let mut next = Some((stream, permit));
            while let Some((stream, permit)) = next {
                spawner.run(stream, permit);
                next = spawner.next();
            }
        });
    }

    /// One connection's coroutine. A panic costs that connection and nothing else.
    fn run(&self, stream: TcpStream, permit: Permit) {
        let counters = &self.server.app.metrics.counters;
        counters.task_started();
        let served = catch_unwind(AssertUnwindSafe(|| {
            if let Some(connection) = Connection::new(&self.server, &self.watches, stream) {
                connection.serve(permit);
            }
        }));
        if served.is_err() {
            tracing::error!(event = "panic", "a connection's coroutine panicked");
        }
        counters.task_ended();
    }

    /// The next connection for a coroutine whose own has ended, or the coroutine's leave.
    fn next(&self) -> Option<(TcpStream, Permit)> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        if next.is_none() {
            queue.running -= 1;
        }
        next
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
