//! Where state is kept: the state directory of this machine, and in it a locked folder for each engine.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The state directory: `$STATE_DIRECTORY` as systemd sets it, else `fastgo` in the XDG state directory; `None` when
/// the environment names neither.
pub fn state_directory() -> Option<PathBuf> {
    choose(|variable| env::var_os(variable))
}

fn choose(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let given = variable("STATE_DIRECTORY").and_then(|list| env::split_paths(&list).next());
    // systemd may give several directories; the XDG specification has relative paths ignored.
    given.filter(|path| path.is_absolute()).or_else(|| {
        let xdg = path("XDG_STATE_HOME").or_else(|| path("HOME").map(|home| home.join(".local/state")));
        xdg.map(|state| state.join("fastgo"))
    })
}

/// One engine's folder, which no other process uses as long as this exists.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder and takes its lock.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        for name in ["history", "runs"] {
            fs::create_dir_all(path.join(name))?;
        }
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where samples are kept.
    pub(super) fn history(&self) -> PathBuf {
        self.path.join("history")
    }

    /// Where runs are kept.
    pub(super) fn runs(&self) -> PathBuf {
        self.path.join("runs")
    }
}

/// The files of `directory` whose names are a number and `suffix`, lowest number first.
pub(super) fn numbered(directory: &Path, suffix: &str) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(suffix)).and_then(|digits| digits.parse().ok());
        if let Some(number) = number {
            files.push((number, entry.path()));
        }
    }
    files.sort_unstable();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_where() {
        let chosen = |set: &[(&str, &str)]| {
            choose(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        assert_eq!(
            chosen(&[("STATE_DIRECTORY", "/var/lib/fastgo"), ("HOME", "/root")]),
            Some("/var/lib/fastgo".into())
        );
        assert_eq!(chosen(&[("STATE_DIRECTORY", "/a:/b")]), Some("/a".into()));
        assert_eq!(chosen(&[("XDG_STATE_HOME", "/s"), ("HOME", "/root")]), Some("/s/fastgo".into()));
        assert_eq!(chosen(&[("XDG_STATE_HOME", "s"), ("HOME", "/root")]), Some("/root/.local/state/fastgo".into()));
        assert_eq!(chosen(&[("STATE_DIRECTORY", ""), ("HOME", "")]), None);
        assert_eq!(chosen(&[]), None);
    }

    #[test]
    fn one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = Folder::open(directory.path().join("may")).unwrap();
        assert_eq!(Folder::open(directory.path().join("may")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(Folder::open(directory.path().join("hyper")).is_ok());
        drop(first);
        assert!(Folder::open(directory.path().join("may")).is_ok());
    }
}
