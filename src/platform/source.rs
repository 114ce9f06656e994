//! Where the kernel's files are found, and how one is read.

use std::{
    collections::HashMap,
    env,
    ffi::OsString,
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    str::FromStr,
};

use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

/// Longest file that is read, in bytes. The longest one looked at, `/proc/stat`, is a few KiB on a Raspberry Pi.
const MAX_BYTES: usize = 1 << 20;

/// The trees that all readings come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// procfs, `/proc`.
    pub proc: PathBuf,
    /// sysfs, `/sys`.
    pub sys: PathBuf,
    /// Runtime files, `/run`.
    pub run: PathBuf,
}

impl Roots {
    /// This machine's trees; `FASTGO_PROC_ROOT`, `FASTGO_SYS_ROOT` and `FASTGO_RUN_ROOT` put others in their place, for
    /// containers that mount the host's trees elsewhere and for looking at recorded boards.
    pub fn system() -> Self {
        Self::choose(|variable| env::var_os(variable))
    }

    fn choose(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let root = |name, default: &str| {
            let chosen = variable(name).filter(|path| !path.is_empty());
            PathBuf::from(chosen.unwrap_or_else(|| default.into()))
        };
        Self {
            proc: root("FASTGO_PROC_ROOT", "/proc"),
            sys: root("FASTGO_SYS_ROOT", "/sys"),
            run: root("FASTGO_RUN_ROOT", "/run"),
        }
    }
}

/// Reads small files into one buffer that is kept from file to file.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// Files of procfs, which the kernel writes again whenever they are read from the start: kept open, `netstat` costs
    /// less than half. All others are opened each time, so that a driver's reload or a file's replacement is seen.
    kept: HashMap<PathBuf, File>,
    /// Whether a file was there since [`Reader::forget`], readable or not.
    found: bool,
}

impl Reader {
    /// The whole file; `None` when it is missing, unreadable, not UTF-8 or [`MAX_BYTES`] or longer.
    pub(super) fn text(&mut self, path: &Path) -> Option<&str> {
        let length = if let Some(file) = self.kept.get(path) {
            self.found = true;
            fill(&mut self.buffer, file)
        } else {
            let opened = File::open(path);
            self.found |= !opened.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
            let file = opened.ok()?;
            let length = fill(&mut self.buffer, &file);
            if fstatfs(&file).is_ok_and(|system| system.f_type == PROC_SUPER_MAGIC) {
                self.kept.insert(path.to_owned(), file);
            }
            length
        };
        if length.is_none() {
            self.kept.remove(path);
        }
        std::str::from_utf8(&self.buffer[..length?]).ok()
    }

    /// What was read so far is understood: if it gives no value, that is no fault.
    pub(super) fn forget(&mut self) {
        self.found = false;
    }

    /// Whether a file was there since [`Self::forget`], so that a missing value is a fault.
    pub(super) fn has_unexplained(&self) -> bool {
        self.found
    }

    /// The file's only word as a `T`.
    pub(super) fn value<T: FromStr>(&mut self, path: &Path) -> Option<T> {
        self.text(path)?.trim().parse().ok()
    }
}

/// Reads a file from its start into a buffer that grows as needed, and gives its length.
fn fill(buffer: &mut Vec<u8>, file: &File) -> Option<usize> {
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            if filled >= MAX_BYTES {
                return None;
            }
            buffer.resize((filled * 2).max(16 * 1024), 0);
        }
        match file.read_at(&mut buffer[filled..], filled as u64).ok()? {
            0 => return Some(filled),
            count => filled += count,
        }
    }
}

/// The entries of a directory whose names begin with `prefix`, in the order of their numbers; none when it is missing.
pub(super) fn entries(directory: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    // hwmon2 comes before hwmon10.
    found.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    found
}

/// The last part of a path as text.
pub(super) fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_moves_the_roots() {
        let unset = Roots::choose(|_| None);
        assert_eq!(unset.proc, Path::new("/proc"));
        assert_eq!(unset.sys, Path::new("/sys"));
        assert_eq!(unset.run, Path::new("/run"));
        assert_eq!(Roots::choose(|_| Some(OsString::new())), unset);
        let moved = Roots::choose(|name| (name == "FASTGO_SYS_ROOT").then(|| "/host/sys".into()));
        let expected = Roots { sys: "/host/sys".into(), ..unset };
        assert_eq!(moved, expected);
    }

    #[test]
    fn reads_whole_files_whatever_was_read_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut reader = Reader::default();
        let long = "0123456789".repeat(5_000);
        for content in [long.as_str(), "short\n", ""] {
            fs::write(&path, content).unwrap();
            assert_eq!(reader.text(&path), Some(content));
        }
        fs::write(&path, " 42\n").unwrap();
        assert_eq!(reader.value::<u64>(&path), Some(42));
        assert_eq!(reader.value::<bool>(&path), None);
    }

    #[test]
    fn sees_what_changed() {
        let directory = tempfile::tempdir().unwrap();
        let (path, next) = (directory.path().join("file"), directory.path().join("next"));
        let mut reader = Reader::default();
        for content in ["", "first", "second"] {
            fs::write(&next, content).unwrap();
            fs::rename(&next, &path).unwrap();
            assert_eq!(reader.text(&path), Some(content));
        }
        // A file of procfs, which stays open.
        let comm = Path::new("/proc/thread-self/comm");
        for name in ["one", "another"] {
            fs::write(comm, name).unwrap();
            assert_eq!(reader.text(comm), Some(format!("{name}\n").as_str()));
        }
        assert!(reader.kept.contains_key(comm));
        assert_eq!(reader.kept.len(), 1);
    }

    #[test]
    fn opens_again_what_is_gone() {
        let comm = Path::new("/proc/thread-self/comm");
        let gone = Some("gone\n".to_owned());
        let mut reader = std::thread::spawn(move || {
            let mut reader = Reader::default();
            fs::write(comm, "gone").unwrap();
            reader.text(comm);
            reader
        })
        .join()
        .unwrap();
        // The kernel clears an ended thread away a little after it was joined.
        while reader.text(comm).map(str::to_owned) == gone {}
        let own = fs::read_to_string(comm).unwrap();
        assert_eq!(reader.text(comm), Some(own.as_str()));
    }

    #[test]
    fn gives_nothing_for_what_cannot_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let mut reader = Reader::default();
        assert_eq!(reader.text(&path), None);
        assert_eq!(reader.text(directory.path()), None);
        fs::write(&path, b"\xff\xfe").unwrap();
        assert_eq!(reader.text(&path), None);
        fs::write(&path, vec![b'a'; MAX_BYTES]).unwrap();
        assert_eq!(reader.text(&path), None);
        fs::write(&path, vec![b'a'; MAX_BYTES - 1]).unwrap();
        assert!(reader.text(&path).is_some());
    }

    #[test]
    fn lists_in_the_order_of_the_numbers() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["hwmon10", "hwmon2", "other1"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let names: Vec<_> =
            entries(directory.path(), "hwmon").iter().filter_map(|path| file_name(path).map(str::to_owned)).collect();
        assert_eq!(names, ["hwmon2", "hwmon10"]);
        assert_eq!(entries(&directory.path().join("absent"), ""), [] as [std::path::PathBuf; 0]);
    }
}
