//! Tests of whole boards, on trees written after the kernel's documented formats.

mod boards;
mod changes;
mod damage;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{BoardSample, Roots};

/// The trees under a directory that stands for a machine.
pub(in crate::platform) fn roots_in(directory: &Path) -> Roots {
    Roots { proc: directory.join("proc"), sys: directory.join("sys"), run: directory.join("run") }
}

/// A board of `tests/fixtures`: `pi4` or `pi5`.
pub(in crate::platform) fn fixture(board: &str) -> Roots {
    roots_in(&fixtures().join(board))
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A copy of such a board that may be changed.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(board: &str) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let source = fixtures().join(board);
        for file in files_under(&source) {
            let target = copy.path(file.strip_prefix(&source).unwrap());
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&file, target).unwrap();
        }
        copy
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(path)
    }

    fn roots(&self) -> Roots {
        roots_in(self.0.path())
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "{from:?} is not in {path}");
        fs::write(self.path(path), text.replace(from, to)).unwrap();
    }
}

fn files_under(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path));
        } else {
            files.push(path);
        }
    }
    files
}

fn after(start: Instant, seconds: u64) -> Instant {
    start + Duration::from_secs(seconds)
}

/// What a reader of `/metrics` gets.
fn as_json(sample: &BoardSample) -> Value {
    serde_json::from_str(&serde_json::to_string(sample).unwrap()).unwrap()
}
