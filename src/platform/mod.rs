//! The board under the server: temperature, throttling, clock, memory, network, disk, and this process's own use.
//!
//! One small file per subsystem with parsing apart from reading. What a board lacks, or what cannot be read or makes no
//! sense, is `None`, and [`Board::collectors`] distinguishes the two; nothing here fails, starts a program or opens
//! anything but files of [`Roots`].

mod collectors;
mod cores;
mod cpufreq;
mod disk;
pub mod firmware;
mod hwmon;
pub mod limits;
mod load;
mod memory;
mod model;
pub mod names;
mod net;
mod netstat;
pub mod process;
mod psi;
mod rate;
pub mod runs;
mod sensors;
pub mod siblings;
mod sockets;
mod source;
#[cfg(test)]
mod tests;
mod thermal;
mod throttle;
mod zram;

use std::time::{Duration, Instant};

use serde::Serialize;

use self::{collectors::Collectors, cores::Ticks, rate::Last, sensors::Sensors, source::Reader};
pub use self::{
    collectors::{Collector, Outcome},
    disk::Disk,
    firmware::Firmware,
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
    /// What else the firmware measures.
    pub firmware: Option<Firmware>,
    /// Whether the supply was too low within the last two seconds.
    pub under_voltage: Option<bool>,
    /// CPU clock now; on a Raspberry Pi as the firmware measures it.
    pub cpu_freq_mhz: Option<f64>,
    /// The clock that Linux asked for.
    pub cpu_freq_requested_mhz: Option<f64>,
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
    pub fan: Option<Fan>,
    /// The subsystems whose files are there but could not be read or understood.
    pub unreadable: Vec<&'static str>,
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
    collectors: Collectors,
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
            collectors: Collectors::default(),
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

    /// How the last reading of each subsystem went.
    pub fn collectors(&self) -> &[Collector] {
        &self.collectors.0
    }

    fn collect_at(&mut self, now: Instant) -> BoardSample {
        if now.saturating_duration_since(self.searched) >= SEARCH_INTERVAL {
            self.sensors = Sensors::find(&self.roots, &mut self.reader);
            self.searched = now;
        }
        self.collectors.0.clear();
        let mut sample = BoardSample {
            model: self.model.clone(),
            page_size: self.page_size,
            temperature_limit_c: self.model.as_deref().and_then(thermal::limit),
            ..BoardSample::default()
        };
        self.collect_sensors(&mut sample);
        self.collect_firmware(&mut sample);
        self.collect_cpu_and_memory(now, &mut sample);
        self.collect_network(now, &mut sample);
        let (sensors, work, roots) = (&self.sensors, &mut self.work, &self.roots);
        sample.disk = self
            .collectors
            .run("disk", &mut self.reader, |reader| work.collect(now, roots, sensors.disk.as_ref()?, reader));
        sample.unreadable = self.collectors.unreadable();
        sample
    }

    fn collect_sensors(&mut self, sample: &mut BoardSample) {
        let (sensors, reader, collectors) = (&self.sensors, &mut self.reader, &mut self.collectors);
        sample.temperature_c = collectors
            .run("temperature", reader, |reader| reader.text(sensors.temperature.as_ref()?).and_then(thermal::parse));
        sample.under_voltage = collectors
            .run("voltage", reader, |reader| reader.text(sensors.voltage_alarm.as_ref()?).and_then(hwmon::parse_alarm));
        let frequencies = collectors.run("frequency", reader, |reader| {
            let policy = sensors.frequency.as_ref()?;
            let mut frequency = |name| reader.text(&policy.join(name)).and_then(cpufreq::parse);
            Some((frequency("scaling_cur_freq")?, frequency("scaling_max_freq")))
        });
        if let Some((requested, most)) = frequencies {
            sample.cpu_freq_requested_mhz = Some(requested);
            sample.cpu_freq_max_mhz = most;
        }
        sample.fan = collectors.run("fan", reader, |reader| hwmon::read_fan(sensors.fan.as_ref()?, reader));
    }

    fn collect_firmware(&mut self, sample: &mut BoardSample) {
        let roots = &self.roots;
        let fresh = self.collectors.run("firmware", &mut self.reader, |reader| {
            let uptime = reader.text(&roots.proc.join("uptime")).and_then(firmware::parse_uptime)?;
            reader.forget();
            firmware::parse(reader.text(&roots.run.join(firmware::DIRECTORY).join(firmware::FILE))?, uptime)
        });
        // Where a firmware sets the clock, Linux knows what it asked for and not what it got.
        let has_firmware = self.model.as_deref().is_some_and(|model| model.starts_with("Raspberry Pi"));
        sample.cpu_freq_mhz = if has_firmware { None } else { sample.cpu_freq_requested_mhz };
        if let Some(fresh) = fresh {
            sample.cpu_freq_mhz = fresh.clock_mhz.or(sample.cpu_freq_mhz);
            sample.throttled = fresh.throttled;
            sample.firmware = Some(fresh.firmware);
        }
    }

    fn collect_cpu_and_memory(&mut self, now: Instant, sample: &mut BoardSample) {
        let (proc, reader, collectors) = (&self.roots.proc, &mut self.reader, &mut self.collectors);
        let last = &mut self.ticks;
        sample.cores_percent = collectors.run("cores", reader, |reader| {
            let ticks = reader.text(&proc.join("stat")).and_then(cores::parse)?;
            reader.forget();
            let (before, _) = last.replace(now, ticks.clone())?;
            cores::busy_percent(&before, &ticks)
        });
        sample.load = collectors.run("load", reader, |reader| reader.text(&proc.join("loadavg")).and_then(load::parse));
        sample.psi = collectors.run("pressure", reader, |reader| psi::read(proc, reader));
        let info =
            collectors.run("memory", reader, |reader| reader.text(&proc.join("meminfo")).and_then(memory::parse));
        if let Some(info) = info {
            sample.memory = memory::memory(&info);
            sample.swap = memory::swap(&info, zram::read(&self.sensors.zram, reader));
        }
    }

    fn collect_network(&mut self, now: Instant, sample: &mut BoardSample) {
        let (net, page_size) = (self.roots.proc.join("net"), self.page_size);
        let (reader, collectors) = (&mut self.reader, &mut self.collectors);
        sample.sockets = collectors.run("sockets", reader, |reader| {
            let sockstat6 = reader.text(&net.join("sockstat6")).map(str::to_owned);
            let text = reader.text(&net.join("sockstat"))?;
            sockets::parse(text, sockstat6.as_deref(), page_size)
        });
        let lost = collectors.run("listen_queues", reader, |reader| {
            let text = reader.text(&net.join("netstat"))?;
            Some((netstat::parse(text, "TcpExt", "ListenOverflows")?, netstat::parse(text, "TcpExt", "ListenDrops")))
        });
        if let Some((overflows, drops)) = lost {
            sample.listen_overflows = Some(overflows);
            sample.listen_drops = drops;
        }
        let segments = &mut self.retransmits;
        sample.retransmits_per_sec = collectors.run("retransmits", reader, |reader| {
            let count = reader.text(&net.join("snmp")).and_then(|text| netstat::parse(text, "Tcp", "RetransSegs"))?;
            reader.forget();
            let (before, seconds) = segments.replace(now, count)?;
            rate::per_second(before, count, seconds).map(rate::tenth)
        });
        let (traffic, roots, interfaces) = (&mut self.traffic, &self.roots, &self.sensors.interfaces);
        sample.net = collectors.run("net", reader, |reader| traffic.collect(now, roots, interfaces, reader));
    }
}
