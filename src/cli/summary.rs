//! The settings in force, in words for the start message.

use bytesize::ByteSize;
use fastgo::config::{Config, EngineKind};

/// What sets an engine apart: its threads, its queue and its work.
pub(super) fn of_engine(config: &Config) -> String {
    let queue =
        if config.engine == EngineKind::WorkerPool { format!(", queue {}", config.queue_size) } else { String::new() };
    format!("{} workers{queue}, work {}", config.workers, config.work)
}

/// What all engines have alike.
pub(super) fn of_limits(config: &Config) -> String {
    format!(
        "up to {} connections; {:?} read, {:?} write, {:?} idle, {:?} stop; {} head, {} body",
        config.max_connections,
        config.read_timeout,
        config.write_timeout,
        config.idle_timeout,
        config.shutdown_timeout,
        size(config.limits.max_head_bytes as u64),
        size(config.limits.max_body_bytes),
    )
}

/// `16 KiB`, `1.5 MiB`.
fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string().replace(".0 ", " ")
}
