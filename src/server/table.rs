//! The connections of one serving thread: an entry each, and what the server is doing with it.

use std::net::TcpStream;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use slab::Slab;

use super::budget::Charge;
use super::deadlines::Deadlines;
use super::permit::{Permit, PermitKind};
use crate::app::{App, Request};
use crate::clock::Moment;
use crate::http::Session;

/// How soon a connection of the reserve must have asked.
const RESERVE_PATIENCE: Duration = Duration::from_secs(1);

/// Names one connection; a key that is used again differs in its generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    generation: u32,
}

/// A connection's protocol state while it waits for its client, and the memory it is allowed.
pub(super) struct Held {
    pub(super) session: Session<Request>,
    pub(super) charge: Charge,
}

/// What a connection is doing.
pub(super) enum State {
    /// Between two requests.
    Idle(TcpStream),
    /// Part of a request has come, or part of a response could not be sent.
    Waiting(TcpStream, Box<Held>),
    /// There is more to do, in the event loop's next turn.
    Resumed(TcpStream, Box<Held>),
    /// The event loop is serving it.
    Serving,
    /// A detached response is being made; what happens on the socket meanwhile is noted.
    Pending {
        /// Something has arrived.
        readable: bool,
        /// The client is gone: no response can be sent.
        is_reset: bool,
        /// Woken when the client is gone.
        waker: Option<Waker>,
    },
    /// The last response was sent; what still arrives is thrown away until the client closes its side.
    Lingering(TcpStream),
}

struct Slot {
    generation: u32,
    /// Counted as idle; stays so while a request is served that needs no wait.
    is_idle: bool,
    /// Watched for room to write as well.
    watches_room: bool,
    permit: Permit,
    state: State,
}

/// What the event loop is to do with a connection on whose socket something happened.
pub(super) enum Taken {
    /// Serve it.
    Serve(TcpStream, Option<Box<Held>>, PermitKind),
    /// Throw away its input.
    Lingering(TcpStream),
    /// Nothing.
    Nothing,
}

/// The entries of one serving thread's connections.
pub(super) struct Table {
    app: Arc<App>,
    slots: Slab<Slot>,
    deadlines: Deadlines,
    generation: u32,
    /// Those that are [`State::Resumed`], or were closed since.
    resumed: Vec<Key>,
    most: usize,
}

impl From<Key> for u64 {
    fn from(key: Key) -> Self {
        Self::from(key.generation) << 32 | Self::from(key.index)
    }
}

impl From<u64> for Key {
    fn from(data: u64) -> Self {
        Self { index: data as u32, generation: (data >> 32) as u32 }
    }
}

impl Table {
    pub(super) fn new(app: Arc<App>, tick: Duration) -> Self {
        Self {
            app,
            slots: Slab::new(),
            deadlines: Deadlines::new(tick.as_millis() as u64, Moment::now()),
            generation: 0,
            resumed: Vec::new(),
            most: 0,
        }
    }

    /// Adds a connection that is being served.
    pub(super) fn insert(&mut self, permit: Permit) -> Key {
        // The generations of the reactor's own two descriptors are never given out.
        self.generation = (self.generation + 1) & 0x7FFF_FFFF;
        let generation = self.generation;
        let slot = Slot { generation, is_idle: false, watches_room: false, permit, state: State::Serving };
        let index = self.slots.insert(slot) as u32;
        self.most = self.most.max(self.slots.len());
        Key { index, generation }
    }

    /// The state of a connection, unless it is gone.
    pub(super) fn state(&mut self, key: Key) -> Option<&mut State> {
        self.slot(key).map(|slot| &mut slot.state)
    }

    /// Notes that a connection is watched for room to write from now on; whether it was already.
    pub(super) fn watch_room(&mut self, key: Key) -> bool {
        self.slot(key).is_some_and(|slot| std::mem::replace(&mut slot.watches_room, true))
    }

    /// Has a connection served in the event loop's next turn.
    pub(super) fn resume(&mut self, key: Key, stream: TcpStream, held: Box<Held>) {
        self.set(key, State::Resumed(stream, held), Moment::NEVER);
        self.resumed.push(key);
    }

    /// Whether there are connections to be served in the next turn.
    pub(super) fn has_resumed(&self) -> bool {
        !self.resumed.is_empty()
    }

    /// Takes the connections that are to be served although nothing has happened on them.
    pub(super) fn take_resumed(&mut self) -> Vec<(Key, Taken)> {
        let keys = std::mem::take(&mut self.resumed);
        let take = |key| {
            let slot = self.slot(key)?;
            let State::Resumed(stream, held) = std::mem::replace(&mut slot.state, State::Serving) else { return None };
            Some((key, Taken::Serve(stream, Some(held), slot.permit.kind)))
        };
        keys.into_iter().filter_map(take).collect()
    }

    /// Takes a connection on which something happened, or whose deadline has passed, for the event loop. One that is to be
    /// resumed is left until then. One whose response is being made is left as well: that something happened is noted, and when
    /// the client is gone the response's task is woken.
    pub(super) fn take(&mut self, key: Key, is_client_gone: bool) -> Taken {
        let Some(slot) = self.slot(key) else { return Taken::Nothing };
        match std::mem::replace(&mut slot.state, State::Serving) {
            State::Idle(stream) => Taken::Serve(stream, None, slot.permit.kind),
            State::Waiting(stream, held) => Taken::Serve(stream, Some(held), slot.permit.kind),
            State::Lingering(stream) => Taken::Lingering(stream),
            State::Pending { is_reset, mut waker, .. } => {
                let is_reset = is_reset || is_client_gone;
                if is_reset && let Some(waker) = waker.take() {
                    waker.wake();
                }
                slot.state = State::Pending { readable: true, is_reset, waker };
                Taken::Nothing
            }
            other => {
                slot.state = other;
                Taken::Nothing
            }
        }
    }

    /// Puts a connection into a state in which it waits until `deadline`.
    pub(super) fn set(&mut self, key: Key, state: State, mut deadline: Moment) {
        let Some(slot) = self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation) else {
            return;
        };
        if slot.permit.kind == PermitKind::Reserve && matches!(state, State::Idle(_) | State::Waiting(..)) {
            deadline = deadline.min(Moment::now() + RESERVE_PATIENCE);
        }
        let is_idle = matches!(state, State::Idle(_));
        if is_idle != std::mem::replace(&mut slot.is_idle, is_idle) {
            self.app.metrics.counters.idle_changed(if is_idle { 1 } else { -1 });
        }
        slot.state = state;
        if deadline == Moment::NEVER {
            self.deadlines.clear(key.index as usize);
        } else {
            self.deadlines.set(key.index as usize, deadline);
        }
    }

    /// Removes a connection and gives its permit.
    pub(super) fn remove(&mut self, key: Key) -> Option<Permit> {
        self.slot(key)?;
        self.deadlines.clear(key.index as usize);
        let slot = self.slots.remove(key.index as usize);
        if slot.is_idle {
            self.app.metrics.counters.idle_changed(-1);
        }
        // A reallocation costs as much as the entries that are left: once for each halving.
        if self.slots.is_empty() && self.most > 1024 {
            self.slots.shrink_to_fit();
            self.deadlines.shrink();
            self.most = 0;
        }
        Some(slot.permit)
    }

    /// Up to `most` connections whose deadline has passed by `now`, and whether those are all.
    pub(super) fn expire(&mut self, now: Moment, most: usize) -> (Vec<Key>, bool) {
        let mut expired = Vec::new();
        let is_all = self.deadlines.expire(now, most, &mut expired);
        (expired.into_iter().filter_map(|index| self.key_at(index)).collect(), is_all)
    }

    /// Every connection that is idle.
    pub(super) fn idle(&self) -> Vec<Key> {
        let idle = self.slots.iter().filter(|(_, slot)| matches!(slot.state, State::Idle(_)));
        idle.map(|(index, slot)| Key { index: index as u32, generation: slot.generation }).collect()
    }

    /// How many connections only wait for their client to close.
    pub(super) fn lingering(&self) -> u64 {
        let lingers =
            |slot: &Slot| matches!(slot.state, State::Lingering(_)) && !matches!(slot.permit.kind, PermitKind::Refused);
        self.slots.iter().filter(|(_, slot)| lingers(slot)).count() as u64
    }

    fn key_at(&self, index: usize) -> Option<Key> {
        self.slots.get(index).map(|slot| Key { index: index as u32, generation: slot.generation })
    }

    fn slot(&mut self, key: Key) -> Option<&mut Slot> {
        self.slots.get_mut(key.index as usize).filter(|slot| slot.generation == key.generation)
    }
}
