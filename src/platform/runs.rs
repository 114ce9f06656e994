//! How the runs of one engine's service ended, in a small file of its state directory that outlives reboots.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A run at least this long was sound: a failure after it is the first of its row.
const SOUND: u64 = 60;
/// Longest pause before a start.
const LONGEST_PAUSE: u64 = 60;
/// Longest pause before a start after wrong settings or a taken port, which rarely change by themselves.
const LONGEST_PAUSE_AFTER_USAGE: u64 = 300;

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Runs {
    /// The kernel's name for the time since it booted.
    boot: String,
    /// Seconds after that boot at which the last run began.
    began: u64,
    /// Failures of this boot without a sound run in between.
    failures: u32,
    /// Whether the last failure was one of settings.
    usage: bool,
    /// Runs that ended by a failure, ever.
    pub crashes: u64,
    /// Those of them that the watchdog ended.
    pub watchdog: u64,
    /// The last of them.
    pub last: Option<Failure>,
}

/// One run that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When, as RFC 3339.
    pub time: String,
    /// Why, such as `watchdog (ABRT)` or `exit-code (2)`.
    pub reason: String,
    /// Seconds that it had run.
    pub after_seconds: u64,
}

/// The moment, as far as runs are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// The kernel's name for the time since it booted.
    pub boot: String,
    /// Seconds since then.
    pub uptime: u64,
}

impl Now {
    /// The moment of the call; `None` without procfs.
    pub fn read() -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let uptime = super::firmware::parse_uptime(&fs::read_to_string("/proc/uptime").ok()?)? as u64;
        Some(Self { boot, uptime })
    }
}

impl Runs {
    /// The file of `engine`; `None` where no service manager made a state directory.
    pub fn path(engine: &str) -> Option<PathBuf> {
        let directory = std::env::var_os("STATE_DIRECTORY").filter(|path| !path.is_empty())?;
        Some(Path::new(&directory).join(format!("{engine}.runs.json")))
    }

    /// What the file says; nothing when it is missing or damaged.
    pub fn load(path: &Path) -> Self {
        fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Replaces the file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let unfinished = path.with_extension("new");
        fs::write(&unfinished, serde_json::to_vec(self)?)?;
        fs::rename(unfinished, path)
    }

    /// How long to wait before the next run: not at all after a first failure, then 2 s and five times as long each time. A
    /// failed start writes ten lines into the journal: so it is less than one a second.
    pub fn pause(&self, now: &Now) -> Duration {
        if self.boot != now.boot || self.failures < 2 {
            return Duration::ZERO;
        }
        let longest = if self.usage { LONGEST_PAUSE_AFTER_USAGE } else { LONGEST_PAUSE };
        Duration::from_secs((2 * 5_u64.pow((self.failures - 2).min(16))).min(longest))
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// A run begins.
    pub fn begin(&mut self, now: Now) {
        if self.boot != now.boot {
            self.failures = 0;
            self.boot = now.boot;
        }
        self.began = now.uptime;
    }

    /// The run ended as `result`, `code` and `status` say (`$SERVICE_RESULT`, `$EXIT_CODE` and `$EXIT_STATUS` of
    /// systemd.exec(5)). Gives the failure, if it was one.
    pub fn end(&mut self, now: &Now, time: String, result: &str, code: &str, status: &str) -> Option<&Failure> {
        if result == "success" {
            self.failures = 0;
            return None;
        }
        if self.boot != now.boot {
            self.begin(now.clone());
        }
        let after_seconds = now.uptime.saturating_sub(self.began);
        self.failures = if after_seconds >= SOUND { 1 } else { self.failures.saturating_add(1) };
        self.usage = code == "exited" && status == "2";
        self.crashes += 1;
        self.watchdog += u64::from(result == "watchdog");
        let reason = if status.is_empty() { result.to_owned() } else { format!("{result} ({status})") };
        Some(self.last.insert(Failure { time, reason, after_seconds }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(uptime: u64) -> Now {
        Now { boot: "this".into(), uptime }
    }

    fn fail(runs: &mut Runs, began: u64, ended: u64, status: &str) -> u64 {
        runs.begin(at(began));
        let code = if status == "2" { "exited" } else { "killed" };
        runs.end(&at(ended), String::new(), "exit-code", code, status).unwrap();
        runs.pause(&at(ended)).as_secs()
    }

    #[test]
    fn pauses_grow_while_runs_fail_early() {
        let mut runs = Runs::default();
        let pauses: Vec<_> = (0..9).map(|run| fail(&mut runs, run, run + 1, "SEGV")).collect();
        assert_eq!(pauses, [0, 2, 10, 50, 60, 60, 60, 60, 60]);
        assert_eq!(fail(&mut runs, 100, 200, "SEGV"), 0, "after a sound run");
        assert_eq!(runs.crashes, 10);
    }

    #[test]
    fn wrong_settings_are_tried_more_seldom() {
        let mut runs = Runs::default();
        let pauses: Vec<_> = (0..10).map(|run| fail(&mut runs, run, run, "2")).collect();
        assert_eq!(pauses, [0, 2, 10, 50, 250, 300, 300, 300, 300, 300]);
        for run in 0..100 {
            assert_eq!(fail(&mut runs, run, run, "2"), 300);
        }
    }

    #[test]
    fn being_stopped_and_a_reboot_end_a_row() {
        let mut runs = Runs::default();
        for run in 0..5 {
            fail(&mut runs, run, run, "9");
        }
        let rebooted = Now { boot: "next".into(), uptime: 5 };
        assert_eq!(runs.pause(&rebooted), Duration::ZERO);
        let mut after = runs.clone();
        after.begin(rebooted);
        assert_eq!((after.failures(), after.crashes), (0, 5));
        assert_eq!(runs.end(&at(9), String::new(), "success", "killed", "TERM"), None);
        assert_eq!((runs.failures(), runs.pause(&at(9))), (0, Duration::ZERO));
    }

    #[test]
    fn the_file_keeps_the_reason() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("may.runs.json");
        assert_eq!(Runs::load(&path), Runs::default());
        let mut runs = Runs::default();
        runs.begin(at(100));
        runs.end(&at(112), "2026-01-01T00:00:00Z".into(), "watchdog", "killed", "ABRT");
        runs.save(&path).unwrap();
        let loaded = Runs::load(&path);
        assert_eq!(loaded, runs);
        let last = loaded.last.unwrap();
        assert_eq!((loaded.watchdog, last.reason.as_str(), last.after_seconds), (1, "watchdog (ABRT)", 12));
        fs::write(&path, "{").unwrap();
        assert_eq!(Runs::load(&path), Runs::default());
    }
}
