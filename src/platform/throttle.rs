//! The firmware's throttle bits, among the readings that fastgo-firmware.service writes.
//!
//! The service itself does not ask the firmware: a process that may open `/dev/vcio` has the power of root.

use serde::Serialize;

/// What each of the bits 0 to 3 stands for; 16 to 19 say that the same has happened since the board started
/// (Raspberry Pi documentation, `vcgencmd get_throttled`).
const FLAGS: [&str; 4] = ["under_voltage", "frequency_capped", "throttled", "soft_temperature_limit"];

/// What the firmware holds the board back for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Throttled {
    /// The bits as the firmware gave them.
    pub bits: u32,
    /// What applies now.
    pub now: Vec<&'static str>,
    /// What has applied at some time since the board started.
    pub occurred: Vec<&'static str>,
}

/// Takes `throttled=0x50005`, which is what `vcgencmd get_throttled` prints, or the number alone.
pub(super) fn parse(text: &str) -> Option<Throttled> {
    let text = text.trim();
    let digits = text.strip_prefix("throttled=").unwrap_or(text).strip_prefix("0x")?;
    let bits = u32::from_str_radix(digits, 16).ok()?;
    let named =
        |shift: usize| (0..FLAGS.len()).filter(|bit| bits & (1 << (bit + shift)) != 0).map(|bit| FLAGS[bit]).collect();
    Some(Throttled { bits, now: named(0), occurred: named(16) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_bits() {
        let both = ["under_voltage", "throttled"];
        let throttled = parse("throttled=0x50005\n").unwrap();
        assert_eq!(throttled.bits, 327_685);
        assert_eq!(throttled.now, both);
        assert_eq!(throttled.occurred, both);

        let past = parse("0xa0000\n").unwrap();
        assert_eq!(past.now, [] as [&str; 0]);
        assert_eq!(past.occurred, ["frequency_capped", "soft_temperature_limit"]);

        let calm = parse("throttled=0x0\n").unwrap();
        assert_eq!(calm, Throttled::default());
    }

    #[test]
    fn drops_anything_else() {
        for bad in ["", "throttled=", "throttled=0x", "0x", "50005", "0xzz", "0x1ffffffff"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
