//! Threads that the server cannot do without.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::Builder;

/// Starts a thread whose end is the end of the process: should it panic, the service manager starts a whole server again
/// instead of leaving one that answers only in part.
///
/// # Errors
/// The thread cannot be started.
pub fn spawn_critical(name: &str, run: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let thread_name = name.to_owned();
    Builder::new().name(name.to_owned()).spawn(move || {
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            tracing::error!(event = "panic", thread = thread_name, "a thread that the server needs has panicked");
            std::process::abort();
        }
    })?;
    Ok(())
}
