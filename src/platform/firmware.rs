//! What the firmware of a Raspberry Pi measures, as fastgo-firmware.service leaves it in `/run/fastgo/firmware/readings`.
//!
//! The servers do not ask the firmware: a process that may open `/dev/vcio` has the power of root. The clock comes
//! from here because Linux knows only the one it asked for, which the firmware does not grant while it throttles.

use std::fmt::{self, Display};

use serde::Serialize;

use super::throttle::{self, Throttled};

/// The directory of the readings under `/run`.
pub const DIRECTORY: &str = "fastgo/firmware";
/// The file in it.
pub const FILE: &str = "readings";
/// Readings older than this are not shown, in seconds: the service has ended or hangs.
const MAX_AGE: f64 = 10.0;

/// One set of readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// Seconds since boot (`CLOCK_BOOTTIME`) when they were taken. The wall clock may jump.
    pub uptime: f64,
    /// What `get_throttled` answered, `throttled=0x50005`.
    pub throttled: Option<String>,
    /// The clock of the cores in Hz.
    pub arm_hz: Option<u64>,
    /// Voltage of the core.
    pub core_volts: Option<f64>,
    /// Voltage of the supply; a Raspberry Pi 5 measures it.
    pub supply_volts: Option<f64>,
}

/// Voltages, in JSON the object `pi.firmware`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Firmware {
    /// Seconds since the firmware was asked.
    pub age_seconds: f64,
    /// Voltage of the core.
    pub core_volts: Option<f64>,
    /// Voltage of the supply, nominally 5 V.
    pub supply_volts: Option<f64>,
}

/// Fresh readings, as the collector uses them.
pub(super) struct Fresh {
    pub(super) firmware: Firmware,
    pub(super) throttled: Option<Throttled>,
    pub(super) clock_mhz: Option<f64>,
}

impl Display for Readings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "uptime={:.2}", self.uptime)?;
        if let Some(throttled) = &self.throttled {
            writeln!(formatter, "{throttled}")?;
        }
        let numbers = [
            ("arm_hz", self.arm_hz.map(|hz| hz as f64)),
            ("core_volts", self.core_volts),
            ("supply_volts", self.supply_volts),
        ];
        for (name, number) in numbers {
            if let Some(number) = number {
                writeln!(formatter, "{name}={number}")?;
            }
        }
        Ok(())
    }
}

/// The readings in `text`, `uptime` seconds after boot; `None` when they are old, or when it does not say how old.
pub(super) fn parse(text: &str, uptime: f64) -> Option<Fresh> {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| value(name)?.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    // A moment may pass between the reading of the clock and that of the file.
    let age = (uptime - number("uptime")?).max(0.0);
    let positive = |name: &str| number(name).filter(|number| *number > 0.0);
    (age <= MAX_AGE).then(|| Fresh {
        firmware: Firmware {
            age_seconds: (age * 10.0).round() / 10.0,
            core_volts: positive("core_volts"),
            supply_volts: positive("supply_volts"),
        },
        throttled: value("throttled").and_then(throttle::parse),
        clock_mhz: positive("arm_hz").map(|hz| (hz / 1e5).round() / 10.0),
    })
}

/// Seconds since boot, from `/proc/uptime`.
pub(super) fn parse_uptime(text: &str) -> Option<f64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings() -> Readings {
        Readings {
            uptime: 1000.0,
            throttled: Some("throttled=0x50005".into()),
            arm_hz: Some(600_117_184),
            core_volts: Some(0.8625),
            supply_volts: Some(4.62),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let fresh = parse(&readings().to_string(), 1001.54).unwrap();
        let expected = Firmware { age_seconds: 1.5, core_volts: Some(0.8625), supply_volts: Some(4.62) };
        assert_eq!(fresh.firmware, expected);
        assert_eq!(fresh.throttled.unwrap().bits, 0x50005);
        assert_eq!(fresh.clock_mhz, Some(600.1));
        let bare = Readings { uptime: 1000.0, ..Readings::default() };
        let fresh = parse(&bare.to_string(), 1000.0).unwrap();
        assert_eq!((fresh.firmware, fresh.throttled, fresh.clock_mhz), (Firmware::default(), None, None));
    }

    #[test]
    fn old_readings_and_those_of_unknown_age_are_dropped() {
        let text = readings().to_string();
        assert!(parse(&text, 1010.0).is_some());
        assert!(parse(&text, 1010.1).is_none());
        assert!(parse(&text.replace("uptime=", "time="), 1000.0).is_none());
        assert!(parse(&text.replace("uptime=1000.00", "uptime=NaN"), 1000.0).is_none());
        assert!(parse("", 1000.0).is_none());
    }

    #[test]
    fn readings_that_make_no_sense_are_dropped_one_by_one() {
        let text = readings().to_string().replace("600117184", "many").replace("0.8625", "-1").replace("0x5", "5");
        let fresh = parse(&text, 1000.0).unwrap();
        assert_eq!((fresh.clock_mhz, fresh.firmware.core_volts, fresh.throttled), (None, None, None));
        assert_eq!(fresh.firmware.supply_volts, Some(4.62));
    }
}
