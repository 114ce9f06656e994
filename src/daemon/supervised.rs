//! A child's side of `fastgo all`: it says on stdout where it listens, and does not outlive its supervisor.

use std::io::Write;
use std::net::SocketAddr;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// Set for the children of `fastgo all`: the supervisor's process id.
pub(super) const SUPERVISED: &str = "FASTGO_SUPERVISED";
/// What a child writes on stdout before its address once it answers. Not a log line: filters do not hide it.
pub(super) const LISTENING: &str = "listening ";

/// Whether this process is a child of `fastgo all`.
pub fn is_supervised() -> bool {
    std::env::var_os(SUPERVISED).is_some()
}

/// Has the kernel send SIGTERM to this process when the supervisor ends, however it ends. Does nothing in a process
/// that is not supervised.
///
/// # Errors
/// The supervisor has gone already.
pub fn end_with_supervisor() -> anyhow::Result<()> {
    let Ok(supervisor) = std::env::var(SUPERVISED) else { return Ok(()) };
    set_parent_process_death_signal(Some(Signal::TERM))?;
    // It may have ended between the fork and the line above.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().to_string());
    anyhow::ensure!(parent.as_deref() == Some(supervisor.as_str()), "the supervisor is gone");
    Ok(())
}

/// Reports to the supervisor, if there is one, that this process answers at `address`.
pub fn report_listening(address: SocketAddr) {
    if is_supervised() {
        let _ = writeln!(std::io::stdout(), "{LISTENING}{address}");
    }
}
