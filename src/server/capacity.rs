//! How many connections this machine can hold, and how much memory their buffers may take.

use super::permit::{OWN_DESCRIPTORS, RESERVE};
use crate::config::Config;
use crate::platform::Roots;
use crate::platform::limits::{BYTES_PER_CONNECTION, MEMORY_SHARE, MachineLimits, RESERVED_FILES, raise_nofile};

/// Kept back at least, where very few are allowed: for the reserve for watching, what is open beside connections, and a few
/// refusals.
const LEAST_RESERVED_FDS: u64 = RESERVE + OWN_DESCRIPTORS + 20;

/// Memory for buffers on the smallest machine.
const LEAST_BUFFER_BYTES: u64 = 8 << 20;

/// Raises the soft limit on open files to the hard one, then lowers `max_connections` to what descriptors and memory
/// allow one of the engines that share the machine. Gives a line for each reason.
pub fn clamp(config: &Config) -> Vec<String> {
    let descriptors = raise_nofile().ok().flatten();
    let memory = MachineLimits::read(&Roots::system()).mem_total_bytes;
    let engines = config.peers.len().max(1);
    let mut clamps = Vec::new();
    let mut lower = |allowed: u64, why: String| {
        let allowed = usize::try_from(allowed.max(1)).unwrap_or(usize::MAX);
        let wanted = config.live.max_connections();
        if allowed < wanted {
            clamps.push(format!("max-connections lowered from {wanted} to {allowed}: {why}"));
            config.live.set_max_connections(allowed);
        }
    };
    if let Some(descriptors) = descriptors {
        let reserved = (descriptors / 4).clamp(LEAST_RESERVED_FDS, RESERVED_FILES);
        lower(
            descriptors.saturating_sub(reserved),
            format!("{descriptors} open files are allowed, {reserved} of them are reserved"),
        );
    }
    if let Some(memory) = memory {
        let engines = engines as u64;
        let share = if engines > 1 { format!(", shared by {engines} engines") } else { String::new() };
        lower(
            memory / MEMORY_SHARE / engines / BYTES_PER_CONNECTION,
            format!("they take half of {} MiB memory{share}", memory >> 20),
        );
    }
    clamps
}

/// Memory that unfinished requests and unsent responses may take: a sixteenth of this machine's, shared by its engines.
pub(super) fn buffer_bytes(config: &Config) -> usize {
    let memory = MachineLimits::read(&Roots::system()).mem_total_bytes.unwrap_or(LEAST_BUFFER_BYTES);
    (memory / 16 / config.peers.len().max(1) as u64).max(LEAST_BUFFER_BYTES) as usize
}
