//! Traffic of the interface that leads to the network.

use std::{path::Path, time::Instant};

use procfs::{
    FromBufRead as _,
    net::{DeviceStatus, InterfaceDeviceStatus, RouteEntries},
};
use serde::Serialize;

use super::{
    rate::{Last, per_second},
    source::{Reader, Roots, entries, file_name},
};

/// One interface's traffic since the reading before.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Net {
    /// Its name, such as `eth0`.
    pub interface: String,
    /// Bytes received a second, link headers included.
    pub rx_bytes_per_sec: f64,
    /// Bytes sent a second.
    pub tx_bytes_per_sec: f64,
    /// Packets dropped on reception since the interface came up.
    pub rx_dropped: u64,
    /// Speed of the link in Mbit/s; `None` for Wi-Fi and without a cable.
    pub speed_mbps: Option<u32>,
    /// Strength of the Wi-Fi signal in dBm: -50 is strong, -80 weak; `None` for a cable.
    pub signal_dbm: Option<i32>,
}

/// The counters of the interface that was last looked at.
#[derive(Debug, Default)]
pub(super) struct Traffic(Last<DeviceStatus>);

impl Traffic {
    /// `None` without an interface, and on the first reading of one.
    pub(super) fn collect(
        &mut self,
        now: Instant,
        roots: &Roots,
        physical: &[String],
        reader: &mut Reader,
    ) -> Option<Net> {
        let net = roots.proc.join("net");
        let route = reader.text(&net.join("route")).and_then(default_route);
        let devices = parse(reader.text(&net.join("dev"))?)?;
        reader.forget();
        let after = choose(devices, route.as_deref(), physical)?;
        let speed = roots.sys.join("class/net").join(&after.name).join("speed");
        let (before, seconds) = self.0.replace(now, after.clone())?;
        if before.name != after.name {
            return None;
        }
        Some(Net {
            rx_bytes_per_sec: per_second(before.recv_bytes, after.recv_bytes, seconds)?.round(),
            tx_bytes_per_sec: per_second(before.sent_bytes, after.sent_bytes, seconds)?.round(),
            rx_dropped: after.recv_drop,
            speed_mbps: reader.value(&speed).filter(|speed| *speed > 0),
            signal_dbm: reader.text(&net.join("wireless")).and_then(|text| signal(text, &after.name)),
            interface: after.name,
        })
    }
}

/// The interfaces with a device behind them: not the loopback, bridges, tunnels or containers' ends.
pub(super) fn physical(sys: &Path) -> Vec<String> {
    entries(&sys.join("class/net"), "")
        .iter()
        .filter(|interface| interface.join("device").exists())
        .filter_map(|interface| file_name(interface).map(str::to_owned))
        .collect()
}

/// The interfaces of `/proc/net/dev`.
fn parse(text: &str) -> Option<Vec<DeviceStatus>> {
    let devices = InterfaceDeviceStatus::from_buf_read(text.as_bytes()).ok()?;
    Some(devices.0.into_values().collect())
}

/// The interface of the default route in `/proc/net/route`; of several, the one with the lowest metric.
fn default_route(text: &str) -> Option<String> {
    const UP: u16 = 1;
    RouteEntries::from_buf_read(text.as_bytes())
        .ok()?
        .0
        .into_iter()
        .filter(|route| route.destination.is_unspecified() && route.mask.is_unspecified() && route.flags & UP != 0)
        .min_by_key(|route| route.metrics)
        .map(|route| route.iface)
}

/// The signal of one interface in `/proc/net/wireless`: after its name come a status, the quality, then the level.
fn signal(text: &str, interface: &str) -> Option<i32> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(interface)?.strip_prefix(':'))?;
    let level: f64 = line.split_ascii_whitespace().nth(2)?.trim_end_matches('.').parse().ok()?;
    // 0 and -256 stand for unknown.
    (-255.0..0.0).contains(&level).then_some(level as i32)
}

/// The default route's interface or, without one, the physical interface that has received the most.
fn choose(devices: Vec<DeviceStatus>, route: Option<&str>, physical: &[String]) -> Option<DeviceStatus> {
    devices
        .into_iter()
        .filter(|device| Some(device.name.as_str()) == route || physical.contains(&device.name))
        .max_by_key(|device| (Some(device.name.as_str()) == route, device.recv_bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEV: &str = include_str!("../../tests/fixtures/pi4/proc/net/dev");
    const ROUTE: &str = include_str!("../../tests/fixtures/pi4/proc/net/route");

    #[test]
    fn follows_the_default_route_of_the_lowest_metric() {
        assert_eq!(default_route(ROUTE).as_deref(), Some("eth0"));
        let by_radio = ROUTE.replace("\t100\t", "\t700\t");
        assert_eq!(default_route(&by_radio).as_deref(), Some("wlan0"));
        let header = ROUTE.lines().next().unwrap();
        for none in ["", header, &format!("{header}\neth0\t0000")] {
            assert_eq!(default_route(none), None, "{none:?}");
        }
    }

    #[test]
    fn falls_back_on_the_busiest_physical_interface() {
        let name = |route, physical: &[&str]| {
            let physical: Vec<_> = physical.iter().map(|&name| name.to_owned()).collect();
            choose(parse(DEV).unwrap(), route, &physical).map(|device| device.name)
        };
        assert_eq!(name(Some("wlan0"), &["eth0"]).as_deref(), Some("wlan0"));
        assert_eq!(name(None, &["eth0", "wlan0"]).as_deref(), Some("eth0"));
        assert_eq!(name(Some("gone0"), &["wlan0"]).as_deref(), Some("wlan0"));
        assert_eq!(name(None, &[]), None);
    }

    #[test]
    fn reads_the_signal_of_one_interface() {
        let text = "\
Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   58.  -52.  -256        0      0      0      1      0        0
wlan10: 0000   58.    0.  -256        0      0      0      1      0        0
";
        assert_eq!(signal(text, "wlan0"), Some(-52));
        for none in ["wlan10", "wlan1", "eth0"] {
            assert_eq!(signal(text, none), None, "{none}");
        }
        assert_eq!(signal(" wlan0: 0000", "wlan0"), None);
    }

    #[test]
    fn drops_a_table_that_is_cut_short() {
        let cut = &DEV[..DEV.len() - 20];
        let worded = DEV.replace("eth0: ", "eth0: many ");
        for bad in [cut, &worded] {
            assert!(parse(bad).is_none(), "{bad:?}");
        }
        assert!(parse("").unwrap().is_empty());
    }
}
