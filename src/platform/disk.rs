//! The disk that carries the system: how busy it is and how much has ever been written to it.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use procfs::{DiskStat, DiskStats, FromBufRead as _};
use serde::Serialize;

use super::{
    rate::{Last, per_second, percent, tenth},
    source::{Reader, Roots, entries, file_name},
};

/// `/proc/diskstats` counts in sectors of this many bytes whatever the device's own are.
const SECTOR: f64 = 512.0;

/// One disk's work since the reading before.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Disk {
    /// Its name, such as `mmcblk0`.
    pub device: String,
    /// Bytes read a second.
    pub read_bytes_per_sec: f64,
    /// Bytes written a second.
    pub write_bytes_per_sec: f64,
    /// Share of the time in which some request was under way.
    pub busy_percent: f64,
    /// What its ext4 file systems have written since they were made, in GB (10⁹ bytes): a sign of an SD card's wear.
    pub lifetime_written_gb: Option<f64>,
    /// Wear as the device itself reports it: eMMC does, SD cards do not.
    pub wear: Option<Wear>,
}

/// Wear of an eMMC (JEDEC JESD84-B51, `EXT_CSD` 267 to 269).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Wear {
    /// How much of its rated life is used, in steps of 10 percent and the worse of its two kinds of memory.
    pub used_percent: u8,
    /// Reserved blocks: `normal`, `warning` from 80 percent used, `urgent` from 90 percent.
    pub reserve: Option<&'static str>,
}

/// Where a disk is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    device: String,
    /// `lifetime_write_kbytes` of each of its ext4 file systems.
    lifetimes: Vec<PathBuf>,
    /// Its directory in `/sys`, with an eMMC's `life_time` and `pre_eol_info`.
    hardware: PathBuf,
}

/// The disk with the root file system or, where that is an overlay or spans disks, the first one that was read from.
pub(super) fn find(roots: &Roots, reader: &mut Reader) -> Option<Location> {
    let root = reader.text(&roots.proc.join("self/mountinfo")).and_then(root_device);
    let disks = parse(reader.text(&roots.proc.join("diskstats"))?)?;
    let block = roots.sys.join("block");
    let device = disks
        .iter()
        .find(|disk| root == Some((disk.major, disk.minor)))
        .and_then(|part| {
            disks
                .iter()
                .map(|disk| &disk.name)
                .find(|disk| *disk == &part.name || block.join(disk).join(&part.name).exists())
        })
        .or_else(|| {
            let made_up = ["loop", "ram", "zram", "dm-", "md", "sr", "nbd"];
            disks
                .iter()
                .filter(|disk| disk.reads > 0 && block.join(&disk.name).exists())
                .map(|disk| &disk.name)
                .find(|name| !made_up.iter().any(|prefix| name.starts_with(prefix)))
        })?
        .clone();
    let lifetimes = entries(&roots.sys.join("fs/ext4"), &device)
        .into_iter()
        .filter(|part| file_name(part).is_some_and(|part| part == device || block.join(&device).join(part).exists()))
        .map(|part| part.join("lifetime_write_kbytes"))
        .collect();
    let hardware = block.join(&device).join("device");
    Some(Location { device, lifetimes, hardware })
}

/// The counters of the disk that was last looked at.
#[derive(Debug, Default)]
pub(super) struct Work(Last<DiskStat>);

impl Work {
    /// `None` when the disk is gone, and on the first reading of one.
    pub(super) fn collect(
        &mut self,
        now: Instant,
        roots: &Roots,
        location: &Location,
        reader: &mut Reader,
    ) -> Option<Disk> {
        let disks = parse(reader.text(&roots.proc.join("diskstats"))?)?;
        reader.forget();
        let after = disks.into_iter().find(|disk| disk.name == location.device)?;
        let (before, seconds) = self.0.replace(now, after.clone())?;
        if before.name != after.name {
            return None;
        }
        let rate = |before, after| per_second(before, after, seconds);
        let busy = rate(before.time_in_progress, after.time_in_progress)?;
        Some(Disk {
            read_bytes_per_sec: (rate(before.sectors_read, after.sectors_read)? * SECTOR).round(),
            write_bytes_per_sec: (rate(before.sectors_written, after.sectors_written)? * SECTOR).round(),
            busy_percent: percent(busy, 1000.0).min(100.0),
            lifetime_written_gb: lifetime(&location.lifetimes, reader),
            wear: wear(&location.hardware, reader),
            device: after.name,
        })
    }
}

/// All file systems together; `None` when there is none or one cannot be read.
fn lifetime(files: &[PathBuf], reader: &mut Reader) -> Option<f64> {
    if files.is_empty() {
        return None;
    }
    files.iter().try_fold(0.0, |sum, file| Some(sum + reader.value::<u64>(file)? as f64 * 1024.0 / 1e9)).map(tenth)
}

/// `None` for a device that does not report it.
fn wear(hardware: &Path, reader: &mut Reader) -> Option<Wear> {
    let used_percent = parse_life_time(reader.text(&hardware.join("life_time"))?)?;
    let reserve = reader.text(&hardware.join("pre_eol_info")).and_then(parse_reserve);
    Some(Wear { used_percent, reserve })
}

/// Two steps such as `0x01 0x02`: 1 is up to 10 percent, 11 beyond the rated life; 0 says nothing.
fn parse_life_time(text: &str) -> Option<u8> {
    let steps = text.split_ascii_whitespace().map(|step| u8::from_str_radix(step.strip_prefix("0x")?, 16).ok());
    let worst = steps.collect::<Option<Vec<u8>>>()?.into_iter().max()?;
    (1..=11).contains(&worst).then_some(worst.min(10) * 10)
}

fn parse_reserve(text: &str) -> Option<&'static str> {
    match text.trim() {
        "0x01" => Some("normal"),
        "0x02" => Some("warning"),
        "0x03" => Some("urgent"),
        _ => None,
    }
}

/// The lines of `/proc/diskstats` (`Documentation/admin-guide/iostats.rst`).
fn parse(text: &str) -> Option<Vec<DiskStat>> {
    Some(DiskStats::from_buf_read(text.as_bytes()).ok()?.0)
}

/// Major and minor number of what is mounted on `/`, from `/proc/self/mountinfo`
/// (`Documentation/filesystems/proc.rst`); of several mounts the last one is on top.
fn root_device(text: &str) -> Option<(i32, i32)> {
    let numbers = text.lines().rev().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let numbers = fields.next()?;
        (fields.nth(1)? == "/").then_some(numbers)
    })?;
    let (major, minor) = numbers.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn finds_what_is_mounted_on_the_root() {
        let info = "22 1 0:21 / /proc rw - proc proc rw\n\
                    23 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw\n\
                    24 23 179:1 / /boot/firmware rw - vfat /dev/mmcblk0p1 rw\n";
        assert_eq!(root_device(info), Some((179, 2)));
        let on_top = format!("{info}30 23 0:30 / / rw - overlay overlay rw\n");
        assert_eq!(root_device(&on_top), Some((0, 30)));
        for bad in ["", "23 1 179:2", "23 1 x / / rw", "23 1 1:x / / rw"] {
            assert_eq!(root_device(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn drops_a_table_that_is_cut_short() {
        let line = " 179       0 mmcblk0 100 0 2000 5 50 0 800 9 0 14 14";
        assert_eq!(parse(line).unwrap()[0].sectors_written, 800);
        for bad in ["179", "179 0 mmcblk0 100 0", "a b c", "\n"] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn behind_an_overlay_takes_the_first_disk_that_was_read_from() {
        let tree = tempfile::tempdir().unwrap();
        let roots =
            Roots { proc: tree.path().join("proc"), sys: tree.path().join("sys"), run: tree.path().join("run") };
        fs::create_dir_all(roots.proc.join("self")).unwrap();
        for dir in ["block/loop0", "block/sda/sda1", "block/sdb/sdb1", "fs/ext4/sdb1"] {
            fs::create_dir_all(roots.sys.join(dir)).unwrap();
        }
        let mut reader = Reader::default();
        assert_eq!(find(&roots, &mut reader), None);

        let overlay = "23 1 0:30 / / rw - overlay overlay rw\n";
        fs::write(roots.proc.join("self/mountinfo"), overlay).unwrap();
        let stats = "7 0 loop0 9 0 9 0 0 0 0 0 0 0 0\n8 0 sda 0 0 0 0 0 0 0 0 0 0 0\n\
                     8 16 sdb 7 0 9 0 0 0 0 0 0 0 0\n8 17 sdb1 7 0 9 0 0 0 0 0 0 0 0\n";
        fs::write(roots.proc.join("diskstats"), stats).unwrap();
        let location = Location {
            device: "sdb".into(),
            lifetimes: vec![roots.sys.join("fs/ext4/sdb1/lifetime_write_kbytes")],
            hardware: roots.sys.join("block/sdb/device"),
        };
        assert_eq!(find(&roots, &mut reader), Some(location));
    }

    #[test]
    fn reads_the_wear_of_an_emmc() {
        for (text, percent) in [("0x01 0x02\n", Some(20)), ("0x0b 0x01", Some(100)), ("0x00 0x00", None), ("", None)] {
            assert_eq!(parse_life_time(text), percent, "{text:?}");
        }
        assert_eq!(parse_life_time("0x0c 0x01"), None);
        assert_eq!(parse_life_time("1 2"), None);
        assert_eq!([parse_reserve("0x02\n"), parse_reserve("0x00\n")], [Some("warning"), None]);
    }
}
