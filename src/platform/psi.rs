//! Pressure stall information: the share of time in which work waited for a core, for memory or for a disk.

use std::path::Path;

use procfs::PressureRecord;
use serde::Serialize;

use super::source::Reader;

/// Percent of the last ten seconds (`Documentation/accounting/psi.rst`): `some` task waited, or the `full` set of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[allow(
    clippy::struct_field_names,
    reason = "the fields are the names in /metrics, with the kernel's name of the average"
)]
pub struct Psi {
    /// Some task waited for a core.
    pub cpu_some_avg10: f32,
    /// Some task waited for memory.
    pub memory_some_avg10: f32,
    /// All tasks waited for memory.
    pub memory_full_avg10: f32,
    /// Some task waited for a disk.
    pub io_some_avg10: f32,
    /// All tasks waited for a disk.
    pub io_full_avg10: f32,
}

/// `avg10` of the line that begins with `kind`, `some` or `full`. (Before Linux 5.13 `cpu` has no `full` line.)
fn parse(text: &str, kind: &str) -> Option<f32> {
    // procfs cuts the word and its space off as five bytes.
    let line = text.lines().find(|line| line.strip_prefix(kind).is_some_and(|rest| rest.starts_with(' ')))?;
    let PressureRecord { avg10, .. } = procfs::parse_pressure_record(line).ok()?;
    avg10.is_finite().then_some(avg10)
}

/// Reads `/proc/pressure`, which Raspberry Pi OS has only with `psi=1` on the kernel's command line.
pub(super) fn read(proc: &Path, reader: &mut Reader) -> Option<Psi> {
    let pressure = proc.join("pressure");
    let cpu_some_avg10 = parse(reader.text(&pressure.join("cpu"))?, "some")?;
    let memory = reader.text(&pressure.join("memory"))?;
    let (memory_some_avg10, memory_full_avg10) = (parse(memory, "some")?, parse(memory, "full")?);
    let io = reader.text(&pressure.join("io"))?;
    Some(Psi {
        cpu_some_avg10,
        memory_some_avg10,
        memory_full_avg10,
        io_some_avg10: parse(io, "some")?,
        io_full_avg10: parse(io, "full")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_ten_second_averages() {
        let text = "some avg10=12.34 avg60=5.00 avg300=1.00 total=987654\n\
                    full avg10=0.50 avg60=0.10 avg300=0.00 total=1234\n";
        assert_eq!(parse(text, "some"), Some(12.34));
        assert_eq!(parse(text, "full"), Some(0.5));
        assert_eq!(parse(text.lines().next().unwrap(), "full"), None);
    }

    #[test]
    fn drops_anything_else() {
        for bad in [
            "",
            "some",
            "some\n",
            "someé avg10=1.00",
            "some avg10=1.00 avg60=",
            "some avg10=nan avg60=0.00 avg300=0.00 total=1",
            "avg10=1.00 avg60=1.00 avg300=0.00 total=1",
        ] {
            assert_eq!(parse(bad, "some"), None, "{bad:?}");
        }
    }
}
