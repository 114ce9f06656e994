//! Hands out a series of instants, each when it has come, as exactly as the kernel's sleep allows.
//!
//! The runtime's own timers tick in whole milliseconds; at a thousand requests a second that error would show up as
//! latency of the server. A thread that does nothing but sleep is some 60 µs off.

use std::thread;
use std::time::Instant;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Sends every instant of `schedule` when it has come (those already past, at once), until the receiver is gone.
///
/// # Errors
/// When no thread can be started.
pub(super) fn pace(
    schedule: impl Iterator<Item = Instant> + Send + 'static,
) -> std::io::Result<UnboundedReceiver<Instant>> {
    let (sender, receiver) = unbounded_channel();
    thread::Builder::new().name("pacer".to_owned()).spawn(move || {
        for due in schedule {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if sender.send(due).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
