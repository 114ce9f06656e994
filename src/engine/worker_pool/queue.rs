//! A bounded queue, first in, first out, that can also be left.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::metrics::{Counted, Gauge};

/// The queue. Memory is taken for what is in it.
pub(super) struct Queue<T> {
    capacity: usize,
    depth: &'static Gauge,
    entries: Mutex<Entries<T>>,
    filled: Notify,
}

struct Entries<T> {
    /// In the order of arrival.
    waiting: BTreeMap<u64, (T, Counted<'static>)>,
    next: u64,
}

/// A place in the queue. Dropped, it takes what still waits there out of the queue.
pub(super) struct Place<'a, T> {
    queue: &'a Queue<T>,
    number: u64,
}

impl<T> Queue<T> {
    /// A queue for `capacity` entries, counted by `depth`.
    pub(super) fn new(capacity: usize, depth: &'static Gauge) -> Self {
        let entries = Entries { waiting: BTreeMap::new(), next: 0 };
        Self { capacity, depth, entries: Mutex::new(entries), filled: Notify::new() }
    }

    /// Adds an entry; `None` when the queue is full.
    pub(super) fn push(&self, entry: T) -> Option<Place<'_, T>> {
        let mut entries = self.entries();
        if entries.waiting.len() >= self.capacity {
            return None;
        }
        let number = entries.next;
        entries.next += 1;
        entries.waiting.insert(number, (entry, self.depth.enter()));
        drop(entries);
        self.filled.notify_one();
        Some(Place { queue: self, number })
    }

    /// Takes the oldest entry, waiting for one if there is none.
    pub(super) async fn pop(&self) -> T {
        loop {
            let filled = self.filled.notified();
            if let Some((_, (entry, _))) = self.entries().waiting.pop_first() {
                return entry;
            }
            filled.await;
        }
    }

    fn entries(&self) -> MutexGuard<'_, Entries<T>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Place<'_, T> {
    /// Whether no worker has taken the entry yet.
    pub(super) fn is_queued(&self) -> bool {
        self.queue.entries().waiting.contains_key(&self.number)
    }
}

impl<T> Drop for Place<'_, T> {
    fn drop(&mut self) {
        drop(self.queue.entries().waiting.remove(&self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn entries_come_in_order_and_can_leave() {
        let depth: &'static Gauge = Box::leak(Box::default());
        let queue = Queue::new(3, depth);
        let first = queue.push(1).unwrap();
        let second = queue.push(2).unwrap();
        let third = queue.push(3).unwrap();
        assert!(queue.push(4).is_none());
        drop(second);
        assert_eq!(depth.get(), 2);
        let fourth = queue.push(4).unwrap();
        assert_eq!((queue.pop().await, queue.pop().await), (1, 3));
        assert!(!first.is_queued() && !third.is_queued() && fourth.is_queued());
        drop((first, third));
        assert_eq!(queue.pop().await, 4);
        assert_eq!(depth.get(), 0);
    }
}
