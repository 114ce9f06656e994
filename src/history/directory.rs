//! A locked folder for each engine in the state directory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

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
    fn one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let first = Folder::open(directory.path().join("may")).unwrap();
        assert_eq!(Folder::open(directory.path().join("may")).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(Folder::open(directory.path().join("hyper")).is_ok());
        drop(first);
        assert!(Folder::open(directory.path().join("may")).is_ok());
    }
}
