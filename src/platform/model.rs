//! The board's name.

use super::source::{Reader, Roots};

/// The board's name, such as `Raspberry Pi 5 Model B Rev 1.0`; `None` on a machine without one.
///
/// From the device tree, or else from the end of `/proc/cpuinfo`, which containers leave visible.
pub(super) fn read(roots: &Roots, reader: &mut Reader) -> Option<String> {
    reader
        .text(&roots.proc.join("device-tree/model"))
        .and_then(parse_device_tree)
        .or_else(|| reader.text(&roots.proc.join("cpuinfo")).and_then(parse_cpuinfo))
}

/// Device-tree strings end in NUL.
fn parse_device_tree(text: &str) -> Option<String> {
    let name = text.trim_end_matches('\0').trim();
    (!name.is_empty() && !name.contains(char::is_control)).then(|| name.to_owned())
}

/// The `Model` line that Raspberry Pi kernels add after the cores.
fn parse_cpuinfo(text: &str) -> Option<String> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim_end() == "Model")
        .and_then(|(_, name)| parse_device_tree(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_device_tree_string() {
        let name = "Raspberry Pi 5 Model B Rev 1.0";
        assert_eq!(parse_device_tree(&format!("{name}\0")), Some(name.into()));
        for bad in ["", "\0", "a\0b\0", "\u{1}\u{2}"] {
            assert_eq!(parse_device_tree(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn reads_the_end_of_cpuinfo() {
        let cpuinfo = "processor\t: 0\nCPU part\t: 0xd08\n\nRevision\t: c03114\nSerial\t\t: 10000000\n\
                       Model\t\t: Raspberry Pi 4 Model B Rev 1.4\n";
        let name = Some("Raspberry Pi 4 Model B Rev 1.4".to_owned());
        assert_eq!(parse_cpuinfo(cpuinfo), name);
        // A PC's lower-case `model` is a number.
        for other in ["", "model\t\t: 85\n", "Model", "Model\t\t:\n"] {
            assert_eq!(parse_cpuinfo(other), None, "{other:?}");
        }
    }
}
