//! Deadlines of many connections: constant time to set, time in proportion to what expired to look.
//!
//! A wheel of lists, one for each tick. A deadline that moves later stays in its list and is moved when the wheel comes to
//! it, so that a connection which asks again and again costs a store.

use crate::clock::Moment;

/// Lists in the wheel; deadlines further away than one turn are looked at once a turn.
const SPOKES: usize = 256;

/// No entry, no list.
const NONE: u32 = u32::MAX;

/// The deadlines of a table's entries, by their keys.
pub(super) struct Deadlines {
    tick_ms: u64,
    /// The first entry of each list.
    lists: [u32; SPOKES],
    entries: Vec<Entry>,
    /// The tick up to which the wheel has turned.
    turned_to: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    deadline: Moment,
    /// The tick whose list it is in; meaningless when it is in none.
    tick: u64,
    previous: u32,
    next: u32,
    is_linked: bool,
}

const UNLINKED: Entry = Entry { deadline: Moment::NEVER, tick: 0, previous: NONE, next: NONE, is_linked: false };

impl Deadlines {
    /// No deadlines; they are met within one tick.
    pub(super) fn new(tick_ms: u64, now: Moment) -> Self {
        let tick_ms = tick_ms.max(1);
        Self { tick_ms, lists: [NONE; SPOKES], entries: Vec::new(), turned_to: now.millis() / tick_ms }
    }

    /// Sets the deadline of `key`.
    pub(super) fn set(&mut self, key: usize, deadline: Moment) {
        if key >= self.entries.len() {
            self.entries.resize(key + 1, UNLINKED);
        }
        self.entries[key].deadline = deadline;
        let tick = self.tick_of(deadline);
        let entry = self.entries[key];
        if !entry.is_linked || tick < entry.tick {
            self.unlink(key);
            self.link(key, tick);
        }
    }

    /// Removes the deadline of `key`.
    pub(super) fn clear(&mut self, key: usize) {
        if key < self.entries.len() {
            self.unlink(key);
        }
    }

    /// Turns the wheel towards `now` and puts up to `most` keys whose deadline has passed into `expired`; they have none
    /// afterwards. Whether it came to `now`; if not, the next call goes on from there.
    pub(super) fn expire(&mut self, now: Moment, most: usize, expired: &mut Vec<usize>) -> bool {
        let to = now.millis() / self.tick_ms;
        // After a long pause each list is looked at once, not once for each turn that was missed.
        let from = (self.turned_to + 1).max((to + 1).saturating_sub(SPOKES as u64));
        for tick in from..=to {
            let mut next = self.lists[tick as usize % SPOKES];
            while next != NONE {
                if expired.len() >= most {
                    self.turned_to = self.turned_to.max(tick - 1);
                    return false;
                }
                let key = next as usize;
                let entry = self.entries[key];
                next = entry.next;
                if entry.tick > to {
                    continue;
                }
                self.unlink(key);
                if entry.deadline <= now {
                    expired.push(key);
                } else {
                    self.link(key, self.tick_of(entry.deadline).max(to + 1));
                }
            }
        }
        self.turned_to = self.turned_to.max(to);
        true
    }

    /// Gives back memory when there are no entries with keys from `keys` on.
    pub(super) fn shrink(&mut self, keys: usize) {
        self.entries.truncate(keys);
        self.entries.shrink_to_fit();
    }

    /// The first tick at which `deadline` has passed.
    fn tick_of(&self, deadline: Moment) -> u64 {
        (deadline.millis() / self.tick_ms + 1).max(self.turned_to + 1)
    }

    fn link(&mut self, key: usize, tick: u64) {
        let list = &mut self.lists[tick as usize % SPOKES];
        let first = std::mem::replace(list, key as u32);
        if first != NONE {
            self.entries[first as usize].previous = key as u32;
        }
        let entry = &mut self.entries[key];
        (entry.tick, entry.previous, entry.next, entry.is_linked) = (tick, NONE, first, true);
    }

    fn unlink(&mut self, key: usize) {
        let entry = self.entries[key];
        if !entry.is_linked {
            return;
        }
        match entry.previous {
            NONE => self.lists[entry.tick as usize % SPOKES] = entry.next,
            previous => self.entries[previous as usize].next = entry.next,
        }
        if entry.next != NONE {
            self.entries[entry.next as usize].previous = entry.previous;
        }
        self.entries[key].is_linked = false;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const TICK_MS: u64 = 10;

    #[test]
    fn agrees_with_a_sorted_list() {
        let mut seed = 7_u64;
        let mut random = move |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        let mut now = Moment::from_millis(1_000_000);
        let mut deadlines = Deadlines::new(TICK_MS, now);
        let mut expected = BTreeMap::new();
        for _ in 0..200_000 {
            let key = random(50) as usize;
            match random(8) {
                0 => {
                    deadlines.clear(key);
                    expected.remove(&key);
                }
                1..=5 => {
                    let deadline = Moment::from_millis(now.millis() + random(6_000));
                    deadlines.set(key, deadline);
                    expected.insert(key, deadline);
                }
                _ => {
                    let bound = if random(100) == 0 { 20_000 } else { 40 };
                    now = Moment::from_millis(now.millis() + random(bound));
                    let mut is_all = false;
                    while !is_all {
                        let mut expired = Vec::new();
                        let most = 1 + random(30) as usize;
                        is_all = deadlines.expire(now, most, &mut expired);
                        assert!(expired.len() <= most && (is_all || expired.len() == most));
                        for key in expired {
                            let deadline = expected.remove(&key).expect("a deadline that was set");
                            assert!(deadline <= now);
                        }
                    }
                    let late = Moment::from_millis(now.millis() - TICK_MS);
                    assert!(expected.values().all(|&deadline| deadline > late), "missed by more than a tick");
                }
            }
        }
    }
}
