//! Runs the commands that the checks propose.

use std::process::Command;

use anyhow::{Context as _, ensure};
use rustix::process::geteuid;

use super::finding::Check;

/// Runs the commands of every check that failed and has some that only change a limit.
///
/// # Errors
/// The caller is not root, or a command failed.
pub(super) fn run(checks: &[Check]) -> anyhow::Result<()> {
    ensure!(geteuid().is_root(), "--fix changes the system's settings: run it as root, sudo fastgo doctor --fix");
    for command in commands(checks) {
        println!("+ {command}");
        let status = Command::new("sh").args(["-c", &command]).status().context("cannot run sh")?;
        ensure!(status.success(), "{command}: {status}");
    }
    println!();
    Ok(())
}

/// The commands as root runs them.
fn commands(checks: &[Check]) -> Vec<String> {
    let failed = checks.iter().filter(|check| check.is_short() && check.automatic);
    failed.flat_map(|check| &check.fix).map(|command| command.replace("sudo ", "")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Facts, Role, checks};
    use super::*;
    use crate::platform::limits::MachineLimits;

    #[test]
    fn only_limits_are_changed_and_each_in_one_place() {
        let limits = MachineLimits {
            somaxconn: Some(4_096),
            max_map_count: Some(65_530),
            mem_total_bytes: Some(64 << 20),
            mem_available_bytes: Some(32 << 20),
            governor: Some("ondemand".into()),
            ..MachineLimits::default()
        };
        let facts = Facts { limits, ..Facts::default() };
        let commands = commands(&checks::all(&facts, Role::Server, 60_000));
        assert_eq!(
            commands,
            [
                "sysctl -w 'net.core.somaxconn=16384'",
                "echo 'net.core.somaxconn = 16384' | tee /etc/sysctl.d/90-fastgo-somaxconn.conf",
                "sysctl -w 'vm.max_map_count=1048576'",
                "echo 'vm.max_map_count = 1048576' | tee /etc/sysctl.d/90-fastgo-max_map_count.conf",
            ]
        );
    }
}
