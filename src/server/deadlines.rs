//! Deadlines of many connections: constant time to set, time in proportion to what expired to look.
//!
//! A wheel of lists, one for each tick. A deadline that moves later stays in its list and is moved when the wheel comes to
//! it, so that a connection which asks again and again costs a store.

use crate::clock::Moment;

/// Lists in the wheel; deadlines further away than one turn are looked at once a turn.
const SPOKES: usize = 256;

/// The deadlines of a table's entries, by their keys.
pub(super) struct Deadlines {
    tick_ms: u64,
    /// The tick up to which the wheel has turned.
    turned_to: u64,
    /// The heads of the circular lists, then an entry for each key.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    deadline: Moment,
    /// The tick whose list it is in; 0 when it is in none.
    tick: u64,
    previous: u32,
    next: u32,
}

impl Deadlines {
    /// No deadlines; they are met within one tick.
    pub(super) fn new(tick_ms: u64, now: Moment) -> Self {
        let tick_ms = tick_ms.max(1);
        let head = |list| Entry { deadline: Moment::NEVER, tick: 0, previous: list, next: list };
        Self { tick_ms, turned_to: now.millis() / tick_ms, entries: (0..SPOKES as u32).map(head).collect() }
    }

    /// Sets the deadline of `key`.
    pub(super) fn set(&mut self, key: usize, deadline: Moment) {
        let (index, tick) = (SPOKES + key, self.tick_of(deadline));
        if index >= self.entries.len() {
            self.entries.resize(index + 1, Entry { deadline, tick: 0, previous: 0, next: 0 });
        }
        let entry = &mut self.entries[index];
        entry.deadline = deadline;
        if entry.tick == 0 || tick < entry.tick {
            self.unlink(index);
            self.link(index, tick);
        }
    }

    /// Removes the deadline of `key`.
    pub(super) fn clear(&mut self, key: usize) {
        if SPOKES + key < self.entries.len() {
            self.unlink(SPOKES + key);
        }
    }

    /// Turns the wheel towards `now` and puts up to `most` keys whose deadline has passed into `expired`; they have none
    /// afterwards. Whether it came to `now`; if not, the next call goes on from there.
    pub(super) fn expire(&mut self, now: Moment, most: usize, expired: &mut Vec<usize>) -> bool {
        let to = now.millis() / self.tick_ms;
        // After a long pause each list is looked at once, not once for each turn that was missed.
        let from = (self.turned_to + 1).max((to + 1).saturating_sub(SPOKES as u64));
        for tick in from..=to {
            let head = tick as usize % SPOKES;
            let mut index = self.entries[head].next as usize;
            while index != head {
                if expired.len() >= most {
                    self.turned_to = self.turned_to.max(tick - 1);
                    return false;
                }
                let entry = self.entries[index];
                if entry.tick <= to {
                    self.unlink(index);
                    if entry.deadline <= now {
                        expired.push(index - SPOKES);
                    } else {
                        self.link(index, self.tick_of(entry.deadline).max(to + 1));
                    }
                }
                index = entry.next as usize;
            }
        }
        self.turned_to = self.turned_to.max(to);
        true
    }

    /// Gives back the memory of all keys, none of which has a deadline.
    pub(super) fn shrink(&mut self) {
        self.entries.truncate(SPOKES);
        self.entries.shrink_to_fit();
    }

    /// The first tick at which `deadline` has passed.
    fn tick_of(&self, deadline: Moment) -> u64 {
        (deadline.millis() / self.tick_ms + 1).max(self.turned_to + 1)
    }

    fn link(&mut self, index: usize, tick: u64) {
        let head = tick as usize % SPOKES;
        let next = std::mem::replace(&mut self.entries[head].next, index as u32);
        self.entries[next as usize].previous = index as u32;
        let entry = &mut self.entries[index];
        (entry.tick, entry.previous, entry.next) = (tick, head as u32, next);
    }

    fn unlink(&mut self, index: usize) {
        let Entry { tick, previous, next, .. } = self.entries[index];
        if tick != 0 {
            self.entries[previous as usize].next = next;
            self.entries[next as usize].previous = previous;
            self.entries[index].tick = 0;
        }
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
