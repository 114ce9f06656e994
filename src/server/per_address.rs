//! How many connections one client address has, where that is limited. An entry for each address that has one, so never
//! more entries than connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZero;
use std::sync::{Mutex, MutexGuard, PoisonError};

use slab::Slab;

/// Counts connections by address.
pub(super) struct PerAddress {
    /// Connections that one address may have; 0 is no limit.
    most: u32,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    by_address: HashMap<IpAddr, usize>,
    /// Each address and its connections.
    entries: Slab<(IpAddr, u32)>,
}

/// Names the entry that a connection is counted in, in as few bytes as a connection can spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry(NonZero<u32>);

/// The address has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl PerAddress {
    pub(super) fn new(most: u32) -> Self {
        Self { most, table: Mutex::default() }
    }

    /// Counts a connection; `address` is asked for only where there is a limit. `None`: it is not counted.
    pub(super) fn enter(&self, address: impl FnOnce() -> Option<IpAddr>) -> Result<Option<Entry>, TooMany> {
        if self.most == 0 {
            return Ok(None);
        }
        let Some(address) = address() else { return Ok(None) };
        let mut table = self.table();
        let Table { by_address, entries } = &mut *table;
        let index = *by_address.entry(address).or_insert_with(|| entries.insert((address, 0)));
        let (_, count) = &mut entries[index];
        if *count >= self.most {
            return Err(TooMany);
        }
        *count += 1;
        Ok(NonZero::new(index as u32 + 1).map(Entry))
    }

    /// One connection less.
    pub(super) fn leave(&self, Entry(number): Entry) {
        let mut table = self.table();
        let index = number.get() as usize - 1;
        let Some((address, count)) = table.entries.get_mut(index) else { return };
        *count -= 1;
        if *count == 0 {
            let address = *address;
            table.entries.remove(index);
            table.by_address.remove(&address);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_own_limit_and_leaves_nothing_behind() {
        let counts = PerAddress::new(2);
        let enter = |text: &str| counts.enter(|| Some(text.parse().unwrap()));
        let first = enter("192.0.2.1").unwrap().unwrap();
        let second = enter("192.0.2.1").unwrap().unwrap();
        assert_eq!(enter("192.0.2.1"), Err(TooMany));
        let other = enter("192.0.2.2").unwrap().unwrap();
        counts.leave(first);
        let again = enter("192.0.2.1").unwrap().unwrap();
        for entry in [second, again, other] {
            counts.leave(entry);
        }
        let table = counts.table();
        assert!(table.by_address.is_empty() && table.entries.is_empty());
    }

    #[test]
    fn without_a_limit_nobody_is_asked() {
        assert_eq!(PerAddress::new(0).enter(|| panic!("asked")), Ok(None));
    }
}
