//! What systemd knows about a unit.

use std::collections::HashMap;
use std::process::{Command, Stdio};

/// The state of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// `active`, `activating`, `failed`, `inactive`, …
    pub(super) active: String,
    /// Whether it starts at boot: `enabled`, `disabled`, `masked`.
    pub(super) enabled: String,
    /// What the service last said about itself.
    pub(super) status: String,
    /// Automatic restarts since it was started.
    pub(super) restarts: u64,
}

impl Unit {
    /// `None` without systemd, and for a unit that it does not know.
    pub(super) fn read(name: &str) -> Option<Self> {
        let properties = "--property=LoadState,ActiveState,UnitFileState,StatusText,NRestarts";
        Self::parse(&output(Command::new("systemctl").args(["show", properties, "--", name]))?)
    }

    fn parse(text: &str) -> Option<Self> {
        let properties: HashMap<_, _> = text.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |name: &str| properties.get(name).copied().unwrap_or_default().to_owned();
        (properties.get("LoadState") == Some(&"loaded")).then(|| Self {
            active: text("ActiveState"),
            enabled: text("UnitFileState"),
            status: text("StatusText"),
            restarts: text("NRestarts").parse().unwrap_or_default(),
        })
    }

    /// Whether it runs or should.
    pub(super) fn is_wanted(&self) -> bool {
        self.enabled == "enabled" || !["inactive", ""].contains(&self.active.as_str())
    }
}

/// The newest error of a unit in the journal, as far as the caller may read it.
pub(super) fn last_error(unit: &str) -> Option<String> {
    let arguments = ["--quiet", "--boot", "--priority=err", "--lines=5", "--output=cat", "--no-pager", "--unit", unit];
    let text = output(Command::new("journalctl").args(arguments))?;
    // systemd's own "Failed to start" says less than what the process said before it.
    let lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let mut lines = lines.filter(|line| !line.starts_with("Failed to start") && !line.contains(" failed after "));
    lines.next().map(str::to_owned)
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_from_its_properties() {
        let text = "NRestarts=2\nStatusText=serving: 0 connections, x=1\nLoadState=loaded\nActiveState=active\n\
                    UnitFileState=enabled\n";
        let unit = Unit::parse(text).unwrap();
        let expected = Unit {
            active: "active".into(),
            enabled: "enabled".into(),
            status: "serving: 0 connections, x=1".into(),
            restarts: 2,
        };
        assert_eq!(unit, expected);
        assert_eq!(Unit::parse(&text.replace("loaded", "not-found")), None);
        assert_eq!(Unit::parse(""), None);
    }

    #[test]
    fn an_engine_that_was_disabled_and_stopped_is_not_missed() {
        let unit =
            |active: &str, enabled: &str| Unit { active: active.into(), enabled: enabled.into(), ..Unit::default() };
        assert!(unit("inactive", "enabled").is_wanted());
        assert!(unit("failed", "disabled").is_wanted());
        assert!(unit("activating", "disabled").is_wanted());
        assert!(!unit("inactive", "disabled").is_wanted());
    }
}
