//! How many connections this machine can hold, told before the first one comes.

use crate::config::Config;
use crate::platform::Roots;
use crate::platform::limits::{Limits, raise_nofile};

/// Descriptors for everything but connections: libraries, logs, listeners, epolls, those being turned away.
const RESERVED_FDS: u64 = 1_024;

/// As few of them as one can do with where hardly any are allowed.
const LEAST_RESERVED_FDS: u64 = 48;

/// Kernel and user memory that a connection costs at rest, both generously rounded up.
const BYTES_PER_CONNECTION: u64 = 6 * 1024;

/// Raises the soft limit on open files to the hard one, then lowers `max_connections` to what descriptors and memory
/// allow. Gives a line for each reason.
pub fn clamp(config: &mut Config) -> Vec<String> {
    let descriptors = raise_nofile().ok().flatten();
    let memory = Limits::read(&Roots::system()).mem_total_bytes;
    let mut clamps = Vec::new();
    let mut lower = |allowed: u64, why: String| {
        let allowed = usize::try_from(allowed.max(1)).unwrap_or(usize::MAX);
        if allowed < config.max_connections {
            clamps.push(format!("max-connections lowered from {} to {allowed}: {why}", config.max_connections));
            config.max_connections = allowed;
        }
    };
    if let Some(descriptors) = descriptors {
        let reserved = (descriptors / 4).clamp(LEAST_RESERVED_FDS, RESERVED_FDS);
        lower(
            descriptors.saturating_sub(reserved),
            format!("{descriptors} open files are allowed, {reserved} of them are kept back"),
        );
    }
    if let Some(memory) = memory {
        lower(memory / 2 / BYTES_PER_CONNECTION, format!("half of {} MiB memory would be taken", memory >> 20));
    }
    clamps
}
