//! The sensors of `/sys/class/hwmon`: under-voltage and fan, found by driver name because the numbers change.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    rate::percent,
    source::{Reader, entries},
};

/// The fan, from the `pwmfan` driver (a Raspberry Pi 5's cooler, `PoE` HATs) or `gpio_fan`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Fan {
    /// Speed in rpm. Some fans report 0 at partial duty although they turn; `None` without a tachometer.
    pub rpm: Option<u32>,
    /// Duty of the fan's drive, 0 to 100.
    pub pwm_percent: Option<f64>,
}

/// The directory of the first device whose driver has one of these names.
pub(super) fn find(sys: &Path, drivers: &[&str], reader: &mut Reader) -> Option<PathBuf> {
    entries(&sys.join("class/hwmon"), "hwmon")
        .into_iter()
        .find(|device| reader.text(&device.join("name")).is_some_and(|name| drivers.contains(&name.trim())))
}

/// `in0_lcrit_alarm` of the `rpi_volt` driver: 1 when the supply was too low within the last two seconds.
pub(super) fn parse_alarm(text: &str) -> Option<bool> {
    match text.trim() {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// `pwm1`, 0 to 255, in percent (`Documentation/hwmon/sysfs-interface`).
pub(super) fn parse_pwm(text: &str) -> Option<f64> {
    let duty: u8 = text.trim().parse().ok()?;
    Some(percent(f64::from(duty), 255.0))
}

/// Reads the fan of that directory; `None` when it gives neither speed nor duty.
pub(super) fn read_fan(device: &Path, reader: &mut Reader) -> Option<Fan> {
    let fan = Fan {
        rpm: reader.value(&device.join("fan1_input")),
        pwm_percent: reader.text(&device.join("pwm1")).and_then(parse_pwm),
    };
    (fan.rpm.is_some() || fan.pwm_percent.is_some()).then_some(fan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn reads_the_alarm() {
        assert_eq!(parse_alarm("1\n"), Some(true));
        assert_eq!(parse_alarm("0\n"), Some(false));
        for bad in ["", "2", "yes", "11"] {
            assert_eq!(parse_alarm(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn reads_the_duty() {
        assert_eq!(parse_pwm("255\n"), Some(100.0));
        assert_eq!(parse_pwm("75\n"), Some(29.4));
        for bad in ["", "256", "-1", "fast"] {
            assert_eq!(parse_pwm(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_fan_may_lack_either_reading() {
        let device = tempfile::tempdir().unwrap();
        let mut reader = Reader::default();
        assert_eq!(read_fan(device.path(), &mut reader), None);
        fs::write(device.path().join("pwm1"), "0\n").unwrap();
        let silent = Fan { rpm: None, pwm_percent: Some(0.0) };
        assert_eq!(read_fan(device.path(), &mut reader), Some(silent));
    }
}
