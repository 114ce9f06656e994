//! Memory, swap and the contiguous memory area (CMA), which graphics use.

use procfs::{FromBufRead as _, Meminfo};
use serde::Serialize;

use super::rate::{mib, percent};

/// Main memory, in MiB.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Memory {
    /// What the kernel manages.
    pub total_mb: f64,
    /// What new work can have without swapping, by the kernel's estimate.
    pub available_mb: f64,
    /// The rest, in percent of the total.
    pub used_percent: f64,
    /// The contiguous area; `None` when the kernel has none.
    pub cma_total_mb: Option<f64>,
    /// What is free of it.
    pub cma_free_mb: Option<f64>,
}

/// Swap space, in MiB.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(clippy::struct_field_names, reason = "the fields are the names in /metrics, with their unit")]
pub struct Swap {
    /// All swap devices together.
    pub total_mb: f64,
    /// What is in use.
    pub used_mb: f64,
    /// Memory that compressed swap (zram) takes up; `None` without zram.
    pub zram_mb: Option<f64>,
}

/// `/proc/meminfo`, with all sizes in bytes.
pub(super) fn parse(text: &str) -> Option<Meminfo> {
    // procfs cuts the colon off the names as one byte and multiplies without a check.
    let well_formed = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(1);
        words.next().and_then(|number| number.parse::<u64>().ok()).is_some_and(|number| number <= u64::MAX / 1024)
            && matches!(words.next(), None | Some("kB"))
    };
    if !text.is_ascii() || !text.lines().all(well_formed) {
        return None;
    }
    Meminfo::from_buf_read(text.as_bytes()).ok()
}

/// The memory of a board; `None` when the kernel does not report what is available.
pub(super) fn memory(info: &Meminfo) -> Option<Memory> {
    let available = info.mem_available?;
    let used = info.mem_total.saturating_sub(available);
    Some(Memory {
        total_mb: mib(info.mem_total),
        available_mb: mib(available),
        used_percent: percent(used as f64, info.mem_total as f64),
        cma_total_mb: info.cma_total.map(mib),
        cma_free_mb: info.cma_free.map(mib),
    })
}

/// The swap of a board; `None` when it has none.
pub(super) fn swap(info: &Meminfo, zram_bytes: Option<u64>) -> Option<Swap> {
    (info.swap_total > 0).then(|| Swap {
        total_mb: mib(info.swap_total),
        used_mb: mib(info.swap_total.saturating_sub(info.swap_free)),
        zram_mb: zram_bytes.map(mib),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = include_str!("../../tests/fixtures/pi4/proc/meminfo");

    #[test]
    fn reads_memory_and_swap() {
        let info = parse(MEMINFO).unwrap();
        assert_eq!(info.mem_total, 3_884_360 * 1024);
        assert_eq!(swap(&info, None).map(|swap| swap.total_mb), Some(200.0));
    }

    #[test]
    fn a_board_without_swap_or_cma() {
        let bare = MEMINFO
            .replace("SwapTotal:        204796 kB", "SwapTotal: 0 kB")
            .lines()
            .filter(|line| !line.starts_with("Cma"))
            .fold(String::new(), |text, line| text + line + "\n");
        let info = parse(&bare).unwrap();
        assert_eq!(swap(&info, None), None);
        assert_eq!(memory(&info).unwrap().cma_total_mb, None);
    }

    #[test]
    fn drops_anything_else() {
        let huge = MEMINFO.replace("3884360", "18446744073709551615");
        let unit = MEMINFO.replacen("kB", "GB", 1);
        let accent = MEMINFO.replacen("MemTotal:", "MemTotalé", 1);
        let half = &MEMINFO[..MEMINFO.len() / 2];
        for bad in ["", "\n", "MemTotal:", "MemTotal: x kB\n", &huge, &unit, &accent, half] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
    }
}
