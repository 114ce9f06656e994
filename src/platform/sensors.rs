//! Which files of `/sys` this board has: looked for seldom, because a search costs more than all the reading.

use std::path::PathBuf;

use super::{
    cpufreq, disk, hwmon, net,
    source::{Reader, Roots},
    thermal, zram,
};

/// Drivers of the fans that cool a board.
const FANS: [&str; 2] = ["pwmfan", "gpio_fan"];

/// Where the sensors of this board are; what it lacks is `None`.
#[derive(Debug)]
pub(super) struct Sensors {
    pub(super) temperature: Option<PathBuf>,
    pub(super) voltage_alarm: Option<PathBuf>,
    pub(super) fan: Option<PathBuf>,
    pub(super) frequency: Option<PathBuf>,
    pub(super) zram: Vec<PathBuf>,
    pub(super) disk: Option<disk::Location>,
    pub(super) interfaces: Vec<String>,
}

impl Sensors {
    pub(super) fn find(roots: &Roots, reader: &mut Reader) -> Self {
        let sys = &roots.sys;
        Self {
            temperature: thermal::find(sys, reader),
            voltage_alarm: hwmon::find(sys, &["rpi_volt"], reader).map(|device| device.join("in0_lcrit_alarm")),
            fan: hwmon::find(sys, &FANS, reader),
            frequency: cpufreq::find(sys),
            zram: zram::find(roots, reader),
            disk: disk::find(roots, reader),
            interfaces: net::physical(sys),
        }
    }
}
