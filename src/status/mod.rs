//! `fastgo status`: what runs on this machine, where it is reached, what failed, and how the board is.
//!
//! [`mod@unit`] asks systemd, [`probe`] asks the engines, [`report`] writes it down. Nothing needs root.

mod probe;
mod report;
mod unit;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::{fs, io};

use serde_json::Value;

use crate::config::{EngineKind, TOKEN_VARIABLE};
use crate::daemon::addresses;
use crate::platform::Roots;
use crate::platform::siblings::Siblings;
use crate::terminal::Paint;
use unit::Unit;

/// Show what runs on this machine, where, and what failed
///
/// Exits with 1 when an engine that is enabled does not answer.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// The `/metrics` of the engine that listens on `address`.
///
/// # Errors
/// Nothing listens there, it is not fastgo, or it asks for an access token that is neither in the environment nor in
/// settings that the caller may read.
pub fn metrics(engine: EngineKind, address: SocketAddr) -> io::Result<Value> {
    let settings = fs::read_to_string(format!("/etc/fastgo/{}.env", engine.name())).unwrap_or_default();
    probe::metrics(crate::client::reachable(address), token_in(&settings))
}

/// The access token among the lines of a settings file.
fn token_in(settings: &str) -> Option<&str> {
    let values = settings.lines().filter_map(|line| line.trim().strip_prefix(TOKEN_VARIABLE)?.strip_prefix('='));
    values.map(|value| value.trim_matches(['"', '\'', ' '])).next_back().filter(|token| !token.is_empty())
}

/// One engine as it was found.
#[derive(Debug, Default)]
struct Engine {
    name: &'static str,
    /// Its service; `None` where systemd does not know it.
    unit: Option<Unit>,
    /// Where it listens or, when it does not, would by default.
    address: Option<SocketAddr>,
    /// What `/metrics` said, or why it did not.
    metrics: Option<Value>,
    silence: Option<String>,
    /// It runs, and shows its figures only to who has the access token.
    is_locked: bool,
    /// The newest error in its journal, when it does not answer.
    error: Option<String>,
}

impl Engine {
    fn find(kind: EngineKind, siblings: &Siblings) -> Self {
        let name = kind.name();
        let unit = Unit::read(&format!("fastgo@{name}.service"));
        let published = siblings.address(name).ok().flatten();
        let address = published.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, kind.default_port())));
        let mut engine = Self { name, unit, address: published, ..Self::default() };
        match metrics(kind, address) {
            Ok(metrics) if metrics["server_type"] == name => {
                engine.address = Some(address);
                engine.metrics = Some(metrics);
            }
            Ok(_) => engine.silence = Some(format!("port {} belongs to another program", address.port())),
            Err(error) => {
                engine.is_locked = error.kind() == io::ErrorKind::PermissionDenied;
                engine.silence = Some(error.to_string());
            }
        }
        if engine.is_locked {
            engine.address = Some(address);
        }
        if !engine.answers() && engine.is_wanted() {
            engine.error = unit::last_error(&format!("fastgo@{name}.service"));
        }
        engine
    }

    /// Whether it is expected to run.
    fn is_wanted(&self) -> bool {
        self.unit.as_ref().is_some_and(Unit::is_wanted)
    }

    fn answers(&self) -> bool {
        self.metrics.is_some() || self.is_locked
    }

    fn urls(&self) -> Vec<String> {
        self.address.map(addresses::urls).unwrap_or_default()
    }
}

/// Prints the state of each engine; the exit code is 0 when all that are enabled answer and at least one does, else 1.
pub fn run(args: &StatusArgs) -> ExitCode {
    let siblings = Siblings::of_machine(&Roots::system());
    let engines: Vec<_> = EngineKind::ALL.into_iter().map(|kind| Engine::find(kind, &siblings)).collect();
    if args.json {
        println!("{:#}", report::json(&engines));
    } else {
        println!("{}", report::text(&engines, Paint::for_stream(&io::stdout())));
    }
    let answering = engines.iter().any(Engine::answers);
    let missing = engines.iter().any(|engine| engine.is_wanted() && !engine.answers());
    ExitCode::from(u8::from(missing || !answering))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_in_the_settings() {
        assert_eq!(token_in("# ACCESS_TOKEN=old\nWORK=none\nACCESS_TOKEN=\"a-token\"\n"), Some("a-token"));
        assert_eq!(token_in("ACCESS_TOKEN=\nACCESS_TOKENS=x"), None);
    }
}
