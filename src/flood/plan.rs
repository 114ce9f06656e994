//! Turns what was asked for into assignments for client processes, within the limits of this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use anyhow::{Context, bail};
use humantime::format_duration;

use super::FloodArgs;
use super::worker::Assignment;
use crate::platform::Roots;
use crate::platform::limits::{self, MachineLimits};
use crate::terminal::thousands;

/// Descriptors a client process needs for itself: standard streams, epoll, timer, waker and some to spare.
const RESERVED: usize = 16;

/// One process handles this many connections before a second core is put to use.
const WORTH_A_CORE: usize = 1_000;

/// At most so many processes.
const MAX_PROCESSES: usize = 64;

/// Local ports per address where the kernel does not say: 32768 to 60999.
const DEFAULT_PORTS: usize = 28_232;

/// What each process does.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) url: String,
    pub(super) address: SocketAddr,
    pub(super) connections: usize,
    pub(super) ramp: Duration,
    pub(super) hold: Duration,
    pub(super) rate: Option<f64>,
    pub(super) sources: Vec<IpAddr>,
    /// One per process.
    pub(super) assignments: Vec<Assignment>,
    /// Shown before it starts.
    pub(super) warnings: Vec<String>,
}

impl Plan {
    /// # Errors
    /// When the descriptor limit is too low to reach the number of connections with a sensible number of processes.
    pub(super) fn new(args: &FloodArgs, address: SocketAddr) -> anyhow::Result<Self> {
        let connections = args.connections.get();
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        // Children inherit the raised limit.
        let descriptors =
            limits::raise_nofile().context("cannot raise the soft limit of open files to the hard one")?;
        let descriptors = descriptors.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let processes = processes(connections, descriptors, cores)?;
        let range = MachineLimits::read(&Roots::system()).port_range;
        let ports = range.map_or(DEFAULT_PORTS, |(first, last)| usize::from(last - first) + 1);
        let sources = if args.source.is_empty() {
            loopback_sources(address.ip(), connections, ports)
        } else {
            args.source.clone()
        };
        let mut warnings = Vec::new();
        let reach = ports * sources.len().max(1);
        if connections > reach {
            warnings.push(format!(
                "net.ipv4.ip_local_port_range leaves {} ports for each source address, so at most {} of these \
                 connections can be open at once; widen it with: sudo sysctl -w \
                 net.ipv4.ip_local_port_range='1024 65535', or add addresses with --source",
                thousands(ports as u64),
                thousands(reach as u64),
            ));
        }
        let assignments = (0..processes)
            .map(|place| Assignment {
                address,
                request: args.url.request(),
                connections: connections / processes + usize::from(place < connections % processes),
                ramp: args.ramp,
                hold: args.hold,
                rate: args.rate.map(|rate| rate / processes as f64),
                phase: place as f64 / processes as f64,
                sources: rotated(&sources, place),
                timeout: args.timeout,
            })
            .collect();
        Ok(Self {
            url: args.url.to_string(),
            address,
            connections,
            ramp: args.ramp,
            hold: args.hold,
            rate: args.rate,
            sources,
            assignments,
            warnings,
        })
    }

    /// The plan in one line.
    pub(super) fn headline(&self) -> String {
        let rate = self.rate.map(|rate| format!(" with {rate} requests/s")).unwrap_or_default();
        let several = |count: usize, what: &str| match count {
            0 | 1 => String::new(),
            count => format!(", {count} {what}"),
        };
        format!(
            "{} connections to {} at {}, over {}, then held {}{rate}{}{}",
            thousands(self.connections as u64),
            self.url,
            self.address,
            format_duration(self.ramp),
            format_duration(self.hold),
            several(self.assignments.len(), "processes"),
            several(self.sources.len(), "source addresses"),
        )
    }
}

fn processes(connections: usize, limit: usize, cores: usize) -> anyhow::Result<usize> {
    let each = limit.saturating_sub(RESERVED).max(1);
    let needed = connections.div_ceil(each);
    if needed > MAX_PROCESSES {
        bail!(
            "the hard limit of {} open files per process stops this: {} connections would take {} processes (at most \
             {MAX_PROCESSES}). Raise it: as root, `ulimit -Hn 1048576` before the flood, or a file in \
             /etc/security/limits.d and a new login (`fastgo doctor` prints it)",
            thousands(limit as u64),
            thousands(connections as u64),
            thousands(needed as u64),
        );
    }
    Ok(needed.max(cores.min(connections.div_ceil(WORTH_A_CORE))))
}

/// Enough of 127.0.0.0/8 that each address needs no more than half its ports (a fuller range makes every further
/// connect search for long); nothing when one address will do or the target is elsewhere.
fn loopback_sources(target: IpAddr, connections: usize, ports: usize) -> Vec<IpAddr> {
    let wanted = connections.div_ceil((ports / 2).max(1));
    if wanted < 2 || !(target.is_ipv4() && target.is_loopback()) {
        return Vec::new();
    }
    (0..wanted as u32)
        .map(|place| IpAddr::from(Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 2)) + place)))
        .collect()
}

/// Every process starts its round at another address.
fn rotated(sources: &[IpAddr], place: usize) -> Vec<IpAddr> {
    let mut sources = sources.to_vec();
    if !sources.is_empty() {
        let middle = place % sources.len();
        sources.rotate_left(middle);
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_follow_descriptors_then_cores() {
        assert_eq!(processes(1, 20_000, 4).unwrap(), 1);
        assert_eq!(processes(1_001, 20_000, 4).unwrap(), 2);
        assert_eq!(processes(18_000, 20_000, 2).unwrap(), 2);
        assert_eq!(processes(60_000, 20_000, 2).unwrap(), 4);
        assert_eq!(processes(60_000, 1_048_576, 4).unwrap(), 4);
        assert_eq!(processes(60_000, usize::MAX, 1).unwrap(), 1);
        let refusal = processes(60_000, 256, 4).unwrap_err().to_string();
        assert!(refusal.contains("256 open files") && refusal.contains("250 processes"), "{refusal}");
    }

    #[test]
    fn loopback_targets_get_as_many_sources_as_half_full_ranges_need() {
        let local = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(loopback_sources(local, 14_000, 28_232), [] as [std::net::IpAddr; 0]);
        let many = loopback_sources(local, 60_000, 28_232);
        assert_eq!(many.len(), 5);
        assert_eq!(many[4], IpAddr::from([127, 0, 0, 6]));
        assert_eq!(loopback_sources(local, 5_000_000, 28_232)[300], IpAddr::from([127, 0, 1, 46]));
        assert_eq!(loopback_sources(IpAddr::from([192, 168, 1, 2]), 60_000, 28_232), [] as [std::net::IpAddr; 0]);
        assert_eq!(loopback_sources("::1".parse().unwrap(), 60_000, 28_232), [] as [std::net::IpAddr; 0]);
    }

    #[test]
    fn each_process_begins_at_another_source() {
        let sources = [IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 3])];
        assert_eq!(rotated(&sources, 1), [sources[1], sources[0]]);
        assert_eq!(rotated(&sources, 2), sources);
        assert_eq!(rotated(&[], 1), [] as [std::net::IpAddr; 0]);
    }
}
