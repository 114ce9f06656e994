//! `fastgo firmware`: asks the firmware every two seconds, as root, and writes the answers to a file that the servers read.
//!
//! One process that sleeps, so that no reading costs a fork on the board that is being measured.

mod mailbox;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};

use crate::platform::firmware::{DIRECTORY, FILE, Readings};
use mailbox::Mailbox;

const DEVICE: &str = "/dev/vcio";
const INTERVAL: Duration = Duration::from_secs(2);

/// Asks until the process is ended.
///
/// # Errors
/// The device cannot be opened.
pub fn run() -> anyhow::Result<std::convert::Infallible> {
    let mailbox = Mailbox::open(Path::new(DEVICE)).with_context(|| format!("cannot open {DEVICE}"))?;
    let directory =
        std::env::var_os("RUNTIME_DIRECTORY").map_or_else(|| Path::new("/run").join(DIRECTORY), PathBuf::from);
    let mut asker = Asker { ask: |command: &str| mailbox.ask(command), has_supply: true };
    let mut working = true;
    loop {
        let written = asker.readings().and_then(|readings| write(&directory, &readings));
        // Logged when it changes, and not every two seconds.
        match (&written, working) {
            (Err(error), true) => tracing::warn!(event = "firmware", %error, "no readings from the firmware"),
            (Ok(()), false) => tracing::info!(event = "firmware", "the firmware answers again"),
            _ => {}
        }
        working = written.is_ok();
        std::thread::sleep(INTERVAL);
    }
}

struct Asker<Ask> {
    ask: Ask,
    /// Only a Raspberry Pi 5 measures its supply; others answer that they do not know the command.
    has_supply: bool,
}

impl<Ask: Fn(&str) -> io::Result<String>> Asker<Ask> {
    /// # Errors
    /// The firmware does not answer even what every board knows.
    fn readings(&mut self) -> io::Result<Readings> {
        let throttled = (self.ask)("get_throttled")?.trim().to_owned();
        let supply = if self.has_supply { self.number("pmic_read_adc EXT5V_V") } else { None };
        self.has_supply = supply.is_some();
        Ok(Readings {
            uptime: uptime(),
            throttled: throttled.starts_with("throttled=").then_some(throttled),
            arm_hz: self.number("measure_clock arm").map(|hz| hz as u64),
            core_volts: self.number("measure_volts core"),
            supply_volts: supply,
        })
    }

    /// The number in an answer such as `frequency(0)=2400033792`, `volt=0.8625V` or `EXT5V_V volt(24)=5.14V`.
    fn number(&self, command: &str) -> Option<f64> {
        let answer = (self.ask)(command).ok()?;
        if answer.contains("error") {
            return None;
        }
        answer.rsplit_once('=')?.1.trim().trim_end_matches('V').parse().ok()
    }
}

/// Seconds since boot, those in which the machine slept included, as in `/proc/uptime`.
fn uptime() -> f64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// Replaces the file in one step, so that no reader sees half of it.
fn write(directory: &Path, readings: &Readings) -> io::Result<()> {
    let unfinished = directory.join("readings.new");
    fs::write(&unfinished, readings.to_string())?;
    // The unit's UMask is stricter.
    fs::set_permissions(&unfinished, Permissions::from_mode(0o644))?;
    fs::rename(unfinished, directory.join(FILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pi5(command: &str) -> io::Result<String> {
        Ok(match command {
            "get_throttled" => "throttled=0xe0000",
            "measure_clock arm" => "frequency(0)=1500020480",
            "measure_volts core" => "volt=0.7200V",
            "pmic_read_adc EXT5V_V" => "     EXT5V_V volt(24)=5.14580000V",
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        .to_owned())
    }

    #[test]
    fn a_raspberry_pi_5_measures_its_supply() {
        let readings = Asker { ask: pi5, has_supply: true }.readings().unwrap();
        let expected = Readings {
            uptime: readings.uptime,
            throttled: Some("throttled=0xe0000".into()),
            arm_hz: Some(1_500_020_480),
            core_volts: Some(0.72),
            supply_volts: Some(5.1458),
        };
        assert_eq!(readings, expected);
        assert!(readings.uptime > 0.0);
    }

    #[test]
    fn a_raspberry_pi_4_is_asked_for_it_once() {
        let supply_questions = std::cell::Cell::new(0);
        let pi4 = |command: &str| {
            if command.starts_with("pmic_read_adc") {
                supply_questions.set(supply_questions.get() + 1);
                return Ok("error=1 error_msg=\"Command not registered\"".to_owned());
            }
            pi5(command)
        };
        let mut asker = Asker { ask: pi4, has_supply: true };
        for _ in 0..3 {
            assert_eq!(asker.readings().unwrap().supply_volts, None);
        }
        assert_eq!(supply_questions.get(), 1);
    }

    #[test]
    fn a_firmware_that_does_not_answer_is_an_error() {
        let silent = |_: &str| Err(io::ErrorKind::TimedOut.into());
        assert!(Asker { ask: silent, has_supply: true }.readings().is_err());
    }

    #[test]
    fn the_file_is_replaced_and_readable_by_all() {
        let directory = tempfile::tempdir().unwrap();
        for uptime in [1.0, 2.0] {
            write(directory.path(), &Readings { uptime, ..Readings::default() }).unwrap();
        }
        let file = directory.path().join(FILE);
        assert_eq!(fs::read_to_string(&file).unwrap(), "uptime=2.00\n");
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o644);
    }
}
