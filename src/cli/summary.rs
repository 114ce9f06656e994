//! The current settings, as text for the start message.

use crate::config::Config;
use bytesize::ByteSize;

/// What differs between engines: threads, pool, queue and work.
pub(super) fn of_engine(config: &Config) -> String {
    let pool = if config.engine.has_pool() {
        let most = if config.adaptive_workers { "up to " } else { "" };
        format!(", {most}{} workers, queue {}", config.workers, config.queue_size)
    } else {
        String::new()
    };
    format!("{} threads{pool}, work {}", config.threads, config.live.work())
}

/// What is the same on all engines.
pub(super) fn of_limits(config: &Config) -> String {
    let live = &config.live;
    let (timeouts, limits) = (live.timeouts(), live.limits());
    format!(
        "up to {} connections; {:?} read, {:?} write, {:?} idle, {:?} stop; {} head, {} body",
        live.max_connections(),
        timeouts.read,
        timeouts.write,
        timeouts.idle,
        live.shutdown_timeout(),
        size(limits.max_head_bytes as u64),
        size(limits.max_body_bytes),
    )
}

/// `16 KiB`, `1.5 MiB`.
fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string().replace(".0 ", " ")
}
