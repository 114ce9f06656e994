//! Whose turn it is to write, among the processes that share one database.
//!
//! SQLite's own lock makes a process that finds it taken sleep and look again, up to 100 ms later: slow, and unfair to
//! the one that sleeps longest. Here two file locks make a queue that the kernel keeps: the holder of `next` waits for
//! `turn` and releases `next` only once it has it. A process that has just finished a turn must go through `next` again, so it
//! cannot take two turns in a row while another waits. The kernel releases the locks of a process that ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// The two lock files beside a database.
#[derive(Debug)]
pub(crate) struct Turns {
    next: File,
    turn: File,
}

impl Turns {
    /// Opens the lock files of the database at `path`, making them where they are missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { next: lock_file(path, "-next")?, turn: lock_file(path, "-turn")? })
    }

    /// Waits for this process's turn, which lasts until the guard is dropped.
    pub(crate) fn take(&self) -> io::Result<Turn<'_>> {
        lock(&self.next)?;
        let taken = lock(&self.turn);
        flock(&self.next, FlockOperation::Unlock)?;
        taken?;
        Ok(Turn(&self.turn))
    }
}

/// The right to write.
#[derive(Debug)]
pub(crate) struct Turn<'a>(&'a File);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Cannot fail for a lock that is held.
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

fn lock(file: &File) -> io::Result<()> {
    loop {
        match flock(file, FlockOperation::LockExclusive) {
            Err(rustix::io::Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

fn lock_file(path: &Path, suffix: &str) -> io::Result<File> {
    let path = beside(path, suffix);
    let file = OpenOptions::new().create(true).append(true).mode(0o660).open(&path)?;
    give_to_owner_of_directory(&path)?;
    Ok(file)
}

/// The path of a file that belongs to the database at `path`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What root makes in a service's state directory must belong to the service.
pub(crate) fn give_to_owner_of_directory(path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let (Some(directory), file) = (path.parent(), path.metadata()?) else { return Ok(()) };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let owner = directory.metadata()?;
    if (owner.uid(), owner.gid()) == (file.uid(), file.gid()) {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}
