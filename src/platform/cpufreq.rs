//! CPU clock: now, the most the governor may set, and the governor.

use std::path::{Path, PathBuf};

use super::source::{Reader, entries};

/// The first frequency policy. All cores of a Raspberry Pi share one clock, so one policy is enough.
pub(super) fn find(sys: &Path) -> Option<PathBuf> {
    entries(&sys.join("devices/system/cpu/cpufreq"), "policy").into_iter().next()
}

/// MHz from a file in kHz (`Documentation/admin-guide/pm/cpufreq.rst`).
pub(super) fn parse(text: &str) -> Option<f64> {
    let kilohertz: u32 = text.trim().parse().ok()?;
    (kilohertz > 0).then(|| f64::from(kilohertz) / 1000.0)
}

/// The governor's name, such as `ondemand`.
pub(super) fn read_governor(policy: &Path, reader: &mut Reader) -> Option<String> {
    let name = reader.text(&policy.join("scaling_governor"))?.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_kilohertz() {
        assert_eq!(parse("1800000\n"), Some(1800.0));
        assert_eq!(parse("600000\n"), Some(600.0));
        for bad in ["", "0", "<unknown>", "-1", "1.8e6"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
