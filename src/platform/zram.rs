//! Compressed swap in memory.

use std::path::{Path, PathBuf};

use super::source::{Reader, Roots};

/// The `mm_stat` files of the zram devices that are in use as swap.
pub(super) fn find(roots: &Roots, reader: &mut Reader) -> Vec<PathBuf> {
    reader.text(&roots.proc.join("swaps")).map_or_else(Vec::new, |text| parse_swaps(text, &roots.sys))
}

fn parse_swaps(text: &str, sys: &Path) -> Vec<PathBuf> {
    text.lines()
        .filter_map(|line| line.split_ascii_whitespace().next()?.strip_prefix("/dev/"))
        .filter(|device| device.starts_with("zram") && !device.contains('/'))
        .map(|device| sys.join("block").join(device).join("mm_stat"))
        .collect()
}

/// Bytes of memory that a device takes up, fragmentation and bookkeeping included: `mem_used_total`, the third field of
/// `mm_stat` (`Documentation/admin-guide/blockdev/zram.rst`).
pub(super) fn parse(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// The same for all devices; `None` when there are none or one cannot be read.
pub(super) fn read(devices: &[PathBuf], reader: &mut Reader) -> Option<u64> {
    if devices.is_empty() {
        return None;
    }
    devices.iter().try_fold(0_u64, |sum, device| sum.checked_add(reader.text(device).and_then(parse)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_zram_swaps_alone() {
        let swaps = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                     /var/swap                               file\t\t204796\t\t0\t\t-2\n\
                     /dev/zram0                              partition\t2097136\t\t512\t\t100\n\
                     /dev/sda2                               partition\t2097136\t\t512\t\t10\n";
        let found = parse_swaps(swaps, Path::new("/sys"));
        assert_eq!(found, [PathBuf::from("/sys/block/zram0/mm_stat")]);
        assert_eq!(parse_swaps("", Path::new("/sys")), [] as [std::path::PathBuf; 0]);
        assert_eq!(parse_swaps("/dev/zram/../x\n\n/dev/\n", Path::new("/sys")), [] as [std::path::PathBuf; 0]);
    }

    #[test]
    fn reads_the_memory_in_use() {
        let stat = "  67108864 16777216 18874368        0 20971520      512        0        3        7\n";
        assert_eq!(parse(stat), Some(18_874_368));
        for bad in ["", "1 2", "a b c", "1 2 -3"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
