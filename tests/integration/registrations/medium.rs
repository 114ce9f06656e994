//! A medium of known slowness: this binary's own `fdatasync` and `fsync`, which the SQLite linked into it calls.
//!
//! Each process of a test sets its own medium; without that they do what the kernel does.

use std::ffi::c_int;
use std::fs;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

static DELAY_MICROS: AtomicU64 = AtomicU64::new(0);
static DATA_SYNCS: AtomicU64 = AtomicU64::new(0);
static FULL_SYNCS: AtomicU64 = AtomicU64::new(0);
static FAIL_NEXT: AtomicBool = AtomicBool::new(false);
static SYNCED_AFTER_FAILURE: AtomicBool = AtomicBool::new(false);
static SURVIVORS: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From now on each sync takes this much longer.
pub(super) fn set_delay(delay: Duration) {
    DELAY_MICROS.store(delay.as_micros() as u64, SeqCst);
}

/// How often `fdatasync` and `fsync` were called.
pub(super) fn syncs() -> (u64, u64) {
    (DATA_SYNCS.load(SeqCst), FULL_SYNCS.load(SeqCst))
}

/// The next sync fails as that of a broken card.
pub(super) fn fail_next_sync() {
    FAIL_NEXT.store(true, SeqCst);
}

/// Whether a sync was tried again on an open file whose sync had failed.
pub(super) fn synced_after_failure() -> bool {
    SYNCED_AFTER_FAILURE.load(SeqCst)
}

/// From now on each file is copied to `directory` whenever it has been synced, so that the directory always holds what
/// a power cut would leave if the medium kept nothing that was not synced.
pub(super) fn keep_survivors(directory: &Path) {
    *SURVIVORS.lock().expect("lock") = Some(directory.to_owned());
}

fn sync(fd: RawFd, real: impl Fn(BorrowedFd<'_>) -> Result<(), Errno>, count: &AtomicU64) -> c_int {
    // SAFETY: the caller of a sync function holds the descriptor open for the whole call.
    #[allow(unsafe_code, reason = "the C interface hands over a bare number")]
    let file = unsafe { BorrowedFd::borrow_raw(fd) };
    std::thread::sleep(Duration::from_micros(DELAY_MICROS.load(SeqCst)));
    count.fetch_add(1, SeqCst);
    let flags = fcntl_getfl(file).unwrap_or(OFlags::empty());
    // All descriptors of one open file share its flags, and this flag means nothing on a regular file.
    if flags.contains(OFlags::NONBLOCK) {
        SYNCED_AFTER_FAILURE.store(true, SeqCst);
    }
    let result = if FAIL_NEXT.swap(false, SeqCst) {
        fcntl_setfl(file, flags | OFlags::NONBLOCK).and(Err(Errno::IO))
    } else {
        real(file)
    };
    match result {
        Ok(()) => {
            keep_survivor(file);
            0
        }
        Err(error) => {
            set_errno(error);
            -1
        }
    }
}

fn keep_survivor(file: BorrowedFd<'_>) {
    let directory = SURVIVORS.lock().expect("lock");
    let Some(directory) = directory.as_deref() else { return };
    let synced = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).expect("path of a descriptor");
    if !synced.is_file() {
        return;
    }
    let name = synced.file_name().expect("name");
    let unfinished = directory.join("unfinished");
    fs::copy(&synced, &unfinished).expect("copy");
    fs::rename(&unfinished, directory.join(name)).expect("rename");
}

#[allow(unsafe_code, reason = "takes the place of the C library's function of this name")]
// SAFETY: the signature is the C library's, and the symbol is defined nowhere else in this binary.
#[unsafe(no_mangle)]
extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd, |file| rustix::fs::fdatasync(file), &DATA_SYNCS)
}

#[allow(unsafe_code, reason = "takes the place of the C library's function of this name")]
// SAFETY: as for `fdatasync`.
#[unsafe(no_mangle)]
extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd, |file| rustix::fs::fsync(file), &FULL_SYNCS)
}

fn set_errno(error: Errno) {
    #[allow(unsafe_code, reason = "errno is how a C function reports its error")]
    unsafe extern "C" {
        fn __errno_location() -> *mut c_int;
    }
    // SAFETY: the C library returns a valid pointer to this thread's errno.
    #[allow(unsafe_code, reason = "see above")]
    unsafe {
        *__errno_location() = error.raw_os_error();
    }
}
