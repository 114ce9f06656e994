//! The board under the server: temperature, throttling, clock, memory, network, disk, and this process's own use.
//!
//! One small file per subsystem with parsing apart from reading. What a board lacks, or what cannot be read or makes no
//! sense, is `None`; nothing here fails, starts a program or opens anything but files of [`Roots`].

mod cores;
mod cpufreq;
mod disk;
mod hwmon;
pub mod limits;
mod load;
mod memory;
mod model;
mod net;
mod netstat;
pub mod process;
mod psi;
mod rate;
mod sensors;
mod sockets;
mod source;
#[cfg(test)]
mod tests;
mod thermal;
mod throttle;
mod zram;

use std::time::{Duration, Instant};

use serde::Serialize;

use self::{cores::Ticks, rate::Last, sensors::Sensors, source::Reader};
pub use self::{
    disk::Disk,
    hwmon::Fan,
    load::Load,
    memory::{Memory, Swap},
    net::Net,
    psi::Psi,
    sockets::Sockets,
    source::Roots,
    throttle::Throttled,
};

/// Drivers are loaded and cables plugged in while the server runs, so `/sys` is searched again this often.
const SEARCH_INTERVAL: Duration = Duration::from_secs(30);

/// One reading of the board, in JSON the `pi` object of `/metrics`. `MB` are MiB (2²⁰ bytes).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct BoardSample {
    /// The board's name.
    pub model: Option<String>,
    /// Bytes of a memory page.
    pub page_size: u64,
    /// Temperature of the `SoC`.
    pub temperature_c: Option<f64>,
    /// Where throttling begins; `None` on what is not a Raspberry Pi.
    pub temperature_limit_c: Option<f64>,
    /// What the firmware holds the board back for.
    pub throttled: Option<Throttled>,
    /// Whether the supply was too low within the last two seconds.
    pub under_voltage: Option<bool>,
    /// CPU clock now.
    pub cpu_freq_mhz: Option<f64>,
    /// The highest clock that the governor may choose.
    pub cpu_freq_max_mhz: Option<f64>,
    /// Percent of its time that each core worked since the reading before.
    pub cores_percent: Option<Vec<f64>>,
    /// Load averages.
    pub load: Option<Load>,
    /// Main memory.
    pub memory: Option<Memory>,
    /// Swap space.
    pub swap: Option<Swap>,
    /// Pressure stall information.
    pub psi: Option<Psi>,
    /// Sockets in use.
    pub sockets: Option<Sockets>,
    /// Connections lost since boot because a listener's queue was full.
    pub listen_overflows: Option<u64>,
    /// Connections lost since boot on a listener, for that or any other reason.
    pub listen_drops: Option<u64>,
    /// TCP segments sent again, a second.
    pub retransmits_per_sec: Option<f64>,
    /// Traffic of the interface that leads to the network.
    pub net: Option<Net>,
    /// The disk that carries the system.
    pub disk: Option<Disk>,
    /// The fan.
    pub fan: Option<Fan>,
}

/// Reads a board again and again, keeping what does not change and the counters that rates are made of.
#[derive(Debug)]
pub struct Board {
    roots: Roots,
    page_size: u64,
    model: Option<String>,
    sensors: Sensors,
    searched: Instant,
    reader: Reader,
    ticks: Last<Vec<Ticks>>,
    retransmits: Last<u64>,
    traffic: net::Traffic,
    work: disk::Work,
}

impl Board {
    /// Finds the board's sensors and takes the first reading of its counters, so that rates are known one interval
    /// later.
    pub fn new(roots: Roots) -> Self {
        Self::start(roots, procfs::page_size(), Instant::now())
    }

    fn start(roots: Roots, page_size: u64, now: Instant) -> Self {
        let mut reader = Reader::default();
        let mut board = Self {
            page_size,
            model: model::read(&roots, &mut reader),
            sensors: Sensors::find(&roots, &mut reader),
            searched: now,
            ticks: Last::default(),
            retransmits: Last::default(),
            traffic: net::Traffic::default(),
            work: disk::Work::default(),
            reader,
            roots,
        };
        board.collect_at(now);
        board
    }

    /// Reads everything; meant to be called once a second. Rates are over the time since the call before, and missing
    /// when that is less than 10 ms ago.
    pub fn collect(&mut self) -> BoardSample {
        self.collect_at(Instant::now())
    }

    fn collect_at(&mut self, now: Instant) -> BoardSample {
        if now.saturating_duration_since(self.searched) >= SEARCH_INTERVAL {
            self.sensors = Sensors::find(&self.roots, &mut self.reader);
            self.searched = now;
        }
        let mut sample = BoardSample {
            model: self.model.clone(),
            page_size: self.page_size,
            temperature_limit_c: self.model.as_deref().and_then(thermal::limit),
            ..BoardSample::default()
        };
        self.collect_sensors(&mut sample);
        self.collect_cpu_and_memory(now, &mut sample);
        self.collect_network(now, &mut sample);
        sample.disk = self
            .sensors
            .disk
            .as_ref()
            .and_then(|location| self.work.collect(now, &self.roots, location, &mut self.reader));
        sample
    }

    fn collect_sensors(&mut self, sample: &mut BoardSample) {
        let (sensors, reader) = (&self.sensors, &mut self.reader);
        if let Some(zone) = &sensors.temperature {
            sample.temperature_c = reader.text(zone).and_then(thermal::parse);
        }
        if let Some(alarm) = &sensors.voltage_alarm {
            sample.under_voltage = reader.text(alarm).and_then(hwmon::parse_alarm);
        }
        if let Some(policy) = &sensors.frequency {
            let mut frequency = |name| reader.text(&policy.join(name)).and_then(cpufreq::parse);
            sample.cpu_freq_mhz = frequency("scaling_cur_freq");
            sample.cpu_freq_max_mhz = frequency("scaling_max_freq");
        }
        if let Some(fan) = &sensors.fan {
            sample.fan = hwmon::read_fan(fan, reader);
        }
        sample.throttled = reader.text(&self.roots.run.join("fastgo/throttled")).and_then(throttle::parse);
    }

    fn collect_cpu_and_memory(&mut self, now: Instant, sample: &mut BoardSample) {
        let (proc, reader) = (&self.roots.proc, &mut self.reader);
        sample.cores_percent = reader.text(&proc.join("stat")).and_then(cores::parse).and_then(|ticks| {
            let (before, _) = self.ticks.replace(now, ticks.clone())?;
            cores::busy_percent(&before, &ticks)
        });
        sample.load = reader.text(&proc.join("loadavg")).and_then(load::parse);
        sample.psi = psi::read(proc, reader);
        if let Some(info) = reader.text(&proc.join("meminfo")).and_then(memory::parse) {
            sample.memory = memory::memory(&info);
            sample.swap = memory::swap(&info, zram::read(&self.sensors.zram, reader));
        }
    }

    fn collect_network(&mut self, now: Instant, sample: &mut BoardSample) {
        let (net, reader) = (self.roots.proc.join("net"), &mut self.reader);
        let sockstat6 = reader.text(&net.join("sockstat6")).map(str::to_owned);
        sample.sockets = reader
            .text(&net.join("sockstat"))
            .and_then(|text| sockets::parse(text, sockstat6.as_deref(), self.page_size));
        if let Some(text) = reader.text(&net.join("netstat")) {
            sample.listen_overflows = netstat::parse(text, "TcpExt", "ListenOverflows");
            sample.listen_drops = netstat::parse(text, "TcpExt", "ListenDrops");
        }
        sample.retransmits_per_sec = reader
            .text(&net.join("snmp"))
            .and_then(|text| netstat::parse(text, "Tcp", "RetransSegs"))
            .and_then(|count| {
                let (before, seconds) = self.retransmits.replace(now, count)?;
                rate::per_second(before, count, seconds).map(rate::tenth)
            });
        sample.net = self.traffic.collect(now, &self.roots, &self.sensors.interfaces, reader);
    }
}
