//! Temperature of the `SoC`, and the one where the board begins to slow down.

use std::path::{Path, PathBuf};

use super::source::{Reader, entries};

/// The thermal zone of the CPU.
///
/// Chosen by its `type`: a Raspberry Pi's is `cpu-thermal`, a PC's `x86_pkg_temp`. Other machines' zones count only
/// when their type begins with `cpu` or `soc`; a battery's or a radio's temperature would mislead.
pub(super) fn find(sys: &Path, reader: &mut Reader) -> Option<PathBuf> {
    let rank = |kind: &str| match kind {
        "cpu-thermal" => Some(0),
        "x86_pkg_temp" => Some(1),
        _ if kind.starts_with("cpu") => Some(2),
        _ if kind.starts_with("soc") => Some(3),
        _ => None,
    };
    entries(&sys.join("class/thermal"), "thermal_zone")
        .into_iter()
        .filter_map(|zone| Some((rank(reader.text(&zone.join("type"))?.trim())?, zone)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, zone)| zone.join("temp"))
}

/// Degrees Celsius from a zone's `temp`, which holds thousandths of a degree
/// (`Documentation/ABI/testing/sysfs-class-thermal`). Values that no running chip has are dropped.
pub(super) fn parse(text: &str) -> Option<f64> {
    let celsius = text.trim().parse::<i32>().ok()?;
    (-40_000..=150_000).contains(&celsius).then(|| f64::from(celsius) / 1000.0)
}

/// The temperature in °C at which a Raspberry Pi's firmware begins to slow the cores; `None` on other machines.
///
/// 80 °C on all boards but the 3 A+ and 3 B+, whose soft limit is 60 °C unless `temp_soft_limit` in `config.txt`
/// raises it (Raspberry Pi documentation, "Frequency management and thermal control"; the setting in force cannot be
/// read without `/dev/vcio`).
pub(super) fn limit(model: &str) -> Option<f64> {
    let board = model.strip_prefix("Raspberry Pi")?.trim_start();
    let soft_limited = ["3 Model A Plus", "3 Model B Plus"];
    Some(if soft_limited.iter().any(|name| board.starts_with(name)) { 60.0 } else { 80.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn reads_thousandths_of_a_degree() {
        assert_eq!(parse("82300\n"), Some(82.3));
        assert_eq!(parse("-5000\n"), Some(-5.0));
        for bad in ["", "\n", "82.3", "-274000", "999999", "99999999999999", "hot"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn knows_the_boards_that_slow_down_early() {
        assert_eq!(limit("Raspberry Pi 4 Model B Rev 1.4"), Some(80.0));
        assert_eq!(limit("Raspberry Pi 3 Model B Rev 1.2"), Some(80.0));
        assert_eq!(limit("Raspberry Pi 3 Model B Plus Rev 1.3"), Some(60.0));
        assert_eq!(limit("Raspberry Pi 3 Model A Plus Rev 1.0"), Some(60.0));
        assert_eq!(limit("Radxa ROCK 5B"), None);
    }

    #[test]
    fn takes_the_zone_that_is_most_like_a_cpu() {
        let sys = tempfile::tempdir().unwrap();
        let zone = |name: &str, kind: &str| {
            let zone = sys.path().join("class/thermal").join(name);
            fs::create_dir_all(&zone).unwrap();
            fs::write(zone.join("type"), kind).unwrap();
            zone.join("temp")
        };
        let mut reader = Reader::default();
        zone("thermal_zone0", "acpitz\n");
        assert_eq!(find(sys.path(), &mut reader), None);
        let soc = zone("thermal_zone1", "soc-thermal\n");
        assert_eq!(find(sys.path(), &mut reader), Some(soc));
        let pc = zone("thermal_zone3", "x86_pkg_temp\n");
        assert_eq!(find(sys.path(), &mut reader), Some(pc));
        let pi = zone("thermal_zone4", "cpu-thermal\n");
        assert_eq!(find(sys.path(), &mut reader), Some(pi));
    }
}
