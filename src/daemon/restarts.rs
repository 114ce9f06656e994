//! Pauses between restarts that grow while runs fail, and the log line that says why a run failed.
//!
//! systemd 252 knows only a constant `RestartSec=`: short, so that a crash is over soon, which makes a start that always
//! fails write ten lines into the journal several times a second.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::platform::runs::{Now, Runs};

use super::notify::Notifier;

/// Where the services' settings are.
const SETTINGS: [&str; 2] = ["/usr/lib/fastgo", "/etc/fastgo"];

/// Waits if the runs before this one failed, and notes that one begins. Call it before settings are read and sockets
/// are bound, and before signals are caught: stopping a service that waits here ends it at once, and resets the count.
pub fn begin(engine: &str, notifier: Notifier) {
    let (Some(path), Some(now)) = (Runs::path(engine), Now::read()) else { return };
    let mut runs = Runs::load(&path);
    let pause = runs.pause(&now);
    // Corrected settings take effect at once: the wait belonged to the old ones.
    if !pause.is_zero() && !settings_changed_since(engine, &path) {
        notifier.extend_timeout(pause + std::time::Duration::from_secs(30));
        let reason = runs.last.as_ref().map(|last| last.reason.as_str()).unwrap_or_default();
        let failures = runs.failures();
        notifier.status(&format!("failed {failures} times in a row, {reason}: starting again in {pause:?}"));
        std::thread::sleep(pause);
    }
    runs.begin(Now::read().unwrap_or(now));
    // Not worth refusing to serve: without the file restarts are merely not paced.
    let _ = runs.save(&path);
}

/// Whether a settings file of `engine` has changed since the end of its last run was noted in `record`. Within a second of
/// it counts as since.
fn settings_changed_since(engine: &str, record: &Path) -> bool {
    let changed = |path: &Path| path.metadata().map(|file| file.ctime()).ok();
    let Some(noted) = changed(record) else { return false };
    SETTINGS
        .iter()
        .filter_map(|directory| changed(&Path::new(directory).join(format!("{engine}.env"))))
        .any(|time| time + 1 >= noted)
}

/// Notes how the run of `engine` ended: systemd's `ExecStopPost=`, which passes the result in the environment.
///
/// # Errors
/// The file cannot be written.
pub fn end(engine: &str) -> anyhow::Result<()> {
    let (Some(path), Some(now)) = (Runs::path(engine), Now::read()) else { return Ok(()) };
    let variable = |name| std::env::var(name).unwrap_or_default();
    let time = String::from_utf8_lossy(&crate::http::rfc3339_now()).into_owned();
    let mut runs = Runs::load(&path);
    let failure = runs
        .end(&now, time, &variable("SERVICE_RESULT"), &variable("EXIT_CODE"), &variable("EXIT_STATUS"))
        .map(|failure| format!("{engine} failed after {} s: {}", failure.after_seconds, failure.reason));
    if let Some(failure) = failure {
        let (failures, pause) = (runs.failures(), runs.pause(&now));
        tracing::error!(event = "crash", failures, "{failure}; next start in {pause:?}");
    }
    Ok(runs.save(&path)?)
}
