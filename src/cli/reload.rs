//! `systemctl reload`: new settings for a running service.
//!
//! The environment of a process does not change. systemd reads the settings files again for the command of `ExecReload=`,
//! which is [`send`]: it checks what it was given, leaves it in the service's runtime directory, and sends a signal. The
//! service takes it from there ([`Reload::take`]), applies what can be changed while it runs, and names the rest.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};

use super::summary;
use crate::config::{Config, EngineKind, LIVE, Settings};
use crate::daemon::logging;
use crate::server::capacity;

/// The file that passes the settings, in the runtime directory.
const FILE: &str = "settings";

fn file() -> Option<PathBuf> {
    let directory = std::env::var_os("RUNTIME_DIRECTORY").filter(|path| !path.is_empty())?;
    Some(PathBuf::from(directory).join(FILE))
}

/// Passes the settings of this environment to the service of `engine`, `$MAINPID`.
///
/// # Errors
/// A setting is wrong, and the service goes on as it was; or this is not the service's own environment.
pub(super) fn send(engine: EngineKind, settings: &Settings) -> anyhow::Result<ExitCode> {
    settings.resolve(engine, 0)?;
    let file = file().context("RUNTIME_DIRECTORY is not set: systemctl reload calls this")?;
    let process = std::env::var("MAINPID").ok().and_then(|id| Pid::from_raw(id.parse().ok()?));
    let process = process.context("MAINPID is not set: systemctl reload calls this")?;
    let unfinished = file.with_extension("new");
    fs::write(&unfinished, serde_json::to_vec(&settings.variables())?)?;
    fs::rename(unfinished, file)?;
    kill_process(process, Signal::HUP).context("cannot signal the service")?;
    Ok(ExitCode::SUCCESS)
}

/// What a running server needs to take new settings.
pub(super) struct Reload {
    given: Settings,
    engine: EngineKind,
}

impl Reload {
    /// A server that runs with the settings `given`.
    pub(super) fn new(given: Settings, engine: EngineKind) -> Self {
        Self { given, engine }
    }

    /// Applies the settings that were passed to `config`, and says what became of them.
    ///
    /// # Errors
    /// None were passed, or one is wrong; nothing has changed then.
    pub(super) fn take(&mut self, config: &Config) -> anyhow::Result<String> {
        let Some(file) = file() else { anyhow::bail!("no settings were passed: only systemctl reload does that") };
        let text = match fs::read(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                anyhow::bail!("no settings were passed: use systemctl reload")
            }
            text => text.with_context(|| file.display().to_string())?,
        };
        // What was passed counts once.
        fs::remove_file(&file)?;
        let given = self.given.with_variables(&serde_json::from_slice(&text)?);
        let new = given.resolve(self.engine, 0)?;
        let changed = self.given.changes(&given, self.engine);
        self.given = given;
        for clamp in capacity::clamp(&new) {
            tracing::warn!(event = "clamp", "{clamp}");
        }
        config.live.copy(&new.live);
        logging::set_filter(new.log);
        let (applied, later): (Vec<_>, Vec<_>) = changed.into_iter().partition(|name| LIVE.contains(name));
        if !applied.is_empty() {
            tracing::info!(event = "settings", "now {}, {}", summary::of_engine(config), summary::of_limits(config));
        }
        Ok(match (applied.join(", "), later.join(", ")) {
            (applied, later) if applied.is_empty() && later.is_empty() => "settings unchanged".to_owned(),
            (applied, later) if later.is_empty() => format!("settings changed: {applied}"),
            (applied, later) if applied.is_empty() => format!("takes a restart: {later}"),
            (applied, later) => format!("settings changed: {applied}; takes a restart: {later}"),
        })
    }
}
