//! How long the medium of the state directory takes to sync, and what that means for registrations.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{major, minor, statfs};

use super::finding::{Check, Verdict};
use crate::platform::Roots;

/// Appends that are synced, and the bytes of each: what a small batch of registrations writes.
const SYNCS: usize = 200;
const BYTES: usize = 4096;

/// Ends the measurement of a very slow medium early.
const LONGEST: Duration = Duration::from_secs(10);

/// No SD card, eMMC or USB disk writes 4 KiB to its flash in less.
const SHORTEST_BELIEVED: Duration = Duration::from_micros(100);

/// Above this a student waits noticeably: for the sync under way and the next one.
const SLOW: Duration = Duration::from_millis(100);

/// Registrations that one sync can carry, and the time that each adds.
const BATCH: f64 = 256.0;
const REGISTRATION: Duration = Duration::from_micros(60);

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Medium {
    directory: PathBuf,
    kind: Kind,
    /// Sorted.
    times: Vec<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The file system is in memory alone.
    Memory,
    /// An SD card, eMMC or USB disk.
    Flash,
    /// Something else, or not known.
    Other,
}

impl Medium {
    /// Measures the medium that `directory` is on, or will be on once it is made; `None` where nothing can be written.
    pub(super) fn measure(roots: &Roots, directory: &Path) -> Option<Self> {
        let directory = directory.ancestors().find(|directory| directory.is_dir())?;
        let path = directory.join(format!(".fastgo-doctor-{}", std::process::id()));
        let file = OpenOptions::new().write(true).create_new(true).open(&path).ok()?;
        // Its space is given back when the file is closed, whatever happens.
        let removed = fs::remove_file(&path);
        let mut times = sync_times(file).and_then(|times| removed.map(|()| times)).ok()?;
        times.sort();
        Some(Self { directory: directory.to_owned(), kind: kind(roots, directory), times })
    }

    fn quantile(&self, quantile: f64) -> Duration {
        self.times[((self.times.len() - 1) as f64 * quantile).round() as usize]
    }
}

fn sync_times(mut file: File) -> io::Result<Vec<Duration>> {
    let (started, page) = (Instant::now(), [0x5A; BYTES]);
    let mut times = Vec::with_capacity(SYNCS);
    while times.is_empty() || (times.len() < SYNCS && started.elapsed() < LONGEST) {
        let before = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    Ok(times)
}

fn kind(roots: &Roots, directory: &Path) -> Kind {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58F6;
    if statfs(directory).is_ok_and(|system| [TMPFS, RAMFS].contains(&(system.f_type as u64))) {
        return Kind::Memory;
    }
    let device = fs::metadata(directory).map_or(0, |metadata| metadata.dev());
    let link = roots.sys.join(format!("dev/block/{}:{}", major(device), minor(device)));
    let device = fs::canonicalize(link).unwrap_or_default();
    let device = device.to_string_lossy();
    if device.contains("/mmc") || device.contains("/usb") { Kind::Flash } else { Kind::Other }
}

/// What the measurement means for a registration day.
pub(super) fn check(medium: Option<&Medium>) -> Check {
    const NAME: &str = "sync";
    let Some(medium) = medium else { return Check::unknown(NAME) };
    let (p50, p99, worst) = (medium.quantile(0.5), medium.quantile(0.99), medium.quantile(1.0));
    let alone = 1.0 / p50.as_secs_f64().max(1e-6);
    let together = BATCH / (p50.as_secs_f64() + BATCH * REGISTRATION.as_secs_f64());
    let found = format!(
        "p50 {}, p99 {}, worst {} for 4 KiB in {}: about {} registrations a second one by one, {} when many come",
        shown(p50),
        shown(p99),
        shown(worst),
        medium.directory.display(),
        rounded(alone),
        rounded(together),
    );
    let mut check = Check::fine(NAME, found);
    check.value = Some(p99.as_micros() as u64);
    if medium.kind == Kind::Memory {
        return check.is(Verdict::Short, "this directory is in memory: a power cut loses every registration in it");
    }
    if medium.kind == Kind::Flash && p50 < SHORTEST_BELIEVED {
        return check.is(
            Verdict::Short,
            "this medium reports a sync as done before its flash can have it: a power cut loses registrations that were \
             acknowledged. Use another card or disk",
        );
    }
    if p99 > SLOW {
        let wait = shown(p99 * 2);
        return check.is(
            Verdict::Advice,
            format!("slow: a student waits up to {wait} for the answer; a better card or a USB SSD answers sooner"),
        );
    }
    check
}

/// Two significant digits, in the unit that suits.
fn shown(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        ..9.95 => format!("{millis:.1} ms"),
        ..999.5 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}

fn rounded(rate: f64) -> String {
    let unit = 10_f64.powf((rate.log10().floor() - 1.0).max(0.0));
    crate::terminal::thousands(((rate / unit).round() * unit) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(kind: Kind, micros: &[u64]) -> Medium {
        let mut times: Vec<_> = micros.iter().map(|&micros| Duration::from_micros(micros)).collect();
        times.sort();
        Medium { directory: "/var/lib/fastgo".into(), kind, times }
    }

    #[test]
    fn a_card_is_judged_by_what_students_wait() {
        let good = check(Some(&medium(Kind::Flash, &[5000; 200])));
        assert_eq!(good.verdict, Verdict::Fine);
        assert!(good.found.contains("about 200 registrations a second one by one, 13,000 when many come"), "{good:?}");
        let mut times = [20_000; 200];
        times[..5].fill(250_000);
        let slow = check(Some(&medium(Kind::Flash, &times)));
        assert!(slow.verdict == Verdict::Advice && slow.why.contains("up to 500 ms"), "{slow:?}");
        assert!(slow.found.contains("p50 20 ms, p99 250 ms, worst 250 ms"), "{slow:?}");
        assert!(slow.found.contains("50 registrations a second one by one, 7,200 when many come"), "{slow:?}");
        assert_eq!(check(None).verdict, Verdict::Unknown);
    }

    #[test]
    fn a_medium_that_cannot_be_true_is_caught() {
        let lies = check(Some(&medium(Kind::Flash, &[40; 200])));
        assert!(lies.verdict == Verdict::Short && lies.why.contains("before its flash can have it"), "{lies:?}");
        assert_eq!(check(Some(&medium(Kind::Other, &[40; 200]))).verdict, Verdict::Fine, "an SSD with a capacitor may");
        assert_eq!(check(Some(&medium(Kind::Memory, &[1; 200]))).verdict, Verdict::Short);
    }

    #[test]
    fn the_device_tells_the_kind() {
        let directory = tempfile::TempDir::new().unwrap();
        let device = fs::metadata(directory.path()).unwrap().dev();
        let roots = Roots { sys: directory.path().join("sys"), ..Roots::system() };
        let target = roots.sys.join("devices/platform/emmc2bus/mmc_host/mmc0/mmc0:0001/block/mmcblk0/mmcblk0p2");
        fs::create_dir_all(&target).unwrap();
        fs::create_dir_all(roots.sys.join("dev/block")).unwrap();
        let link = roots.sys.join(format!("dev/block/{}:{}", major(device), minor(device)));
        std::os::unix::fs::symlink(&target, link).unwrap();
        let measured = Medium::measure(&roots, &directory.path().join("not/yet/made")).unwrap();
        assert!([Kind::Flash, Kind::Memory].contains(&measured.kind), "{measured:?}");
        assert_eq!(measured.directory, directory.path());
        assert!((1..=SYNCS).contains(&measured.times.len()) && measured.times.is_sorted());
        let left = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(left, 1, "nothing is left behind");
    }
}
