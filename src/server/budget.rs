//! A bound on memory that clients can make the server hold, over all connections of the process.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that may be held at once.
pub(super) struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// A part of a budget, given back when dropped.
pub(super) struct Charge {
    budget: &'static Budget,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Bytes held now.
    #[cfg(test)]
    pub(super) fn used(&self) -> usize {
        self.used.load(Relaxed)
    }

    /// A charge of nothing, to be resized.
    pub(super) fn charge(&'static self) -> Charge {
        Charge { budget: self, bytes: 0 }
    }
}

impl Charge {
    /// Makes this charge one of `bytes`; `false` and unchanged when the budget does not allow it.
    pub(super) fn resize(&mut self, bytes: usize) -> bool {
        let used = &self.budget.used;
        if bytes <= self.bytes {
            used.fetch_sub(self.bytes - bytes, Relaxed);
        } else {
            let more = bytes - self.bytes;
            if used.fetch_add(more, Relaxed) + more > self.budget.limit {
                used.fetch_sub(more, Relaxed);
                return false;
            }
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_stay_within_the_budget_and_come_back() {
        let budget: &'static Budget = Box::leak(Box::new(Budget::new(100)));
        let (mut first, mut second) = (budget.charge(), budget.charge());
        assert!(first.resize(60) && second.resize(40));
        assert!(!second.resize(41));
        assert!(first.resize(20) && second.resize(80));
        drop(first);
        assert!(second.resize(100) && !second.resize(101));
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
