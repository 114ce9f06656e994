//! The URLs under which clients reach a listening socket: `localhost`, the mDNS name, the machine's addresses.
//!
//! Addresses are read from `/proc`, because getifaddrs(3) needs a netlink socket, which the packaged unit's
//! sandbox does not grant.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::listeners::is_local;

/// Created by the mDNS responder of Raspberry Pi OS; while it exists, `HOSTNAME.local` resolves.
const AVAHI_SOCKET: &str = "/run/avahi-daemon/socket";
/// Interfaces of containers and virtual machines: no other machine reaches their addresses.
const INTERNAL: [&str; 6] = ["docker", "br-", "veth", "virbr", "cni", "podman"];
/// Time between two looks at the addresses.
const INTERVAL: Duration = Duration::from_secs(5);

/// Base URLs (`http://HOST:PORT`) of a socket bound to `address`, the one for a browser on this machine first.
///
/// A socket bound to every address is reached as `localhost`, as `HOSTNAME.local` where mDNS runs, and at each
/// lasting address of the machine; link-local IPv6 is left out, since it needs a zone that browsers refuse.
pub fn urls(address: SocketAddr) -> Vec<String> {
    if !address.ip().is_unspecified() {
        return vec![format!("http://{address}")];
    }
    let mut hosts = vec!["localhost".to_owned()];
    if Path::new(AVAHI_SOCKET).exists() {
        hosts.push(mdns_name(&rustix::system::uname().nodename().to_string_lossy()));
    }
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let internal = internal_networks(&read("/proc/net/route"));
    let addresses = ipv4_addresses(&read("/proc/net/fib_trie"));
    hosts.extend(addresses.iter().filter(|ip| !internal.iter().any(|net| net.has(**ip))).map(Ipv4Addr::to_string));
    if address.is_ipv6() {
        hosts.extend(ipv6_addresses(&read("/proc/net/if_inet6")).iter().map(|ip| format!("[{ip}]")));
    }
    hosts.into_iter().map(|host| format!("http://{host}:{}", address.port())).collect()
}

/// Checks regularly whether the URLs of a socket have changed: at boot a lease comes after the services.
#[derive(Debug)]
pub struct Watch {
    address: SocketAddr,
    urls: Vec<String>,
    next: Instant,
}

impl Watch {
    /// Starts from the URLs of now, which the caller has logged.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, urls: reachable(address), next: Instant::now() + INTERVAL }
    }

    /// Logs the URLs when they have changed; looks at most every 5 s.
    pub fn look(&mut self) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + INTERVAL;
        if let Some(change) = self.change_to(reachable(self.address)) {
            tracing::info!(event = "addresses", "{change}");
        }
    }

    /// The URL for a browser on another machine, if there is any.
    pub fn best(&self) -> Option<&str> {
        self.urls.iter().map(String::as_str).find(|url| !url.starts_with("http://localhost:"))
    }

    fn change_to(&mut self, urls: Vec<String>) -> Option<String> {
        if urls == self.urls {
            return None;
        }
        self.urls = urls;
        Some(if self.urls.is_empty() {
            format!("this machine no longer has the address {}", self.address.ip())
        } else {
            format!("reached as {}", self.urls.join(" "))
        })
    }
}

/// The URLs; none while the machine does not have the one address that the socket is bound to.
fn reachable(address: SocketAddr) -> Vec<String> {
    if is_local(address.ip()) { urls(address) } else { Vec::new() }
}

/// The name that the mDNS responder announces: the first label of the host name.
fn mdns_name(host: &str) -> String {
    format!("{}.local", host.split('.').next().unwrap_or(host))
}

/// An IPv4 network, address and mask in the kernel's byte order.
#[derive(Debug, PartialEq, Eq)]
struct Network {
    address: u32,
    mask: u32,
}

impl Network {
    fn has(&self, ip: Ipv4Addr) -> bool {
        u32::from_ne_bytes(ip.octets()) & self.mask == self.address
    }
}

fn is_internal(interface: &str) -> bool {
    INTERNAL.iter().any(|prefix| interface.starts_with(prefix))
}

/// The networks of `/proc/net/route` that lie behind [`INTERNAL`] interfaces.
fn internal_networks(route: &str) -> Vec<Network> {
    route
        .lines()
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let hex = |field: usize| u32::from_str_radix(fields.get(field)?, 16).ok();
            is_internal(fields.first()?).then_some(Network { address: hex(1)?, mask: hex(7)? })
        })
        .collect()
}

/// The machine's own IPv4 addresses for others, out of the routing tables: an address line, then `/32 host LOCAL`.
fn ipv4_addresses(fib_trie: &str) -> BTreeSet<Ipv4Addr> {
    let lines = fib_trie.lines().map(str::trim);
    lines
        .clone()
        .zip(lines.skip(1))
        .filter(|(_, next)| *next == "/32 host LOCAL")
        .filter_map(|(line, _)| line.strip_prefix("|-- ")?.parse().ok())
        .filter(|ip: &Ipv4Addr| !ip.is_loopback() && !ip.is_link_local())
        .collect()
}

/// The global IPv6 addresses that last, out of lines of address, interface index, prefix length, scope, flags, name.
fn ipv6_addresses(if_inet6: &str) -> BTreeSet<Ipv6Addr> {
    const GLOBAL: &str = "00";
    /// `IFA_F_TEMPORARY`, `IFA_F_DADFAILED`, `IFA_F_DEPRECATED` and `IFA_F_TENTATIVE` of the kernel's `if_addr.h`.
    const UNUSABLE: u32 = 0x01 | 0x08 | 0x20 | 0x40;
    if_inet6
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            let address = u128::from_str_radix(fields.next()?, 16).ok()?;
            let scope = fields.nth(2)?;
            let flags = u32::from_str_radix(fields.next()?, 16).ok()?;
            let interface = fields.next()?;
            (scope == GLOBAL && flags & UNUSABLE == 0 && !is_internal(interface)).then(|| Ipv6Addr::from_bits(address))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_on_one_address_has_that_address() {
        assert_eq!(urls("[::1]:8080".parse().unwrap()), ["http://[::1]:8080"]);
        assert_eq!(urls("192.0.2.7:80".parse().unwrap()), ["http://192.0.2.7:80"]);
    }

    #[test]
    fn a_socket_on_every_address_is_localhost_first() {
        let urls = urls("[::]:8081".parse().unwrap());
        assert_eq!(urls[0], "http://localhost:8081");
        assert!(urls.iter().all(|url| url.ends_with(":8081") && !url.contains("127.0.0.1")), "{urls:?}");
    }

    #[test]
    fn own_ipv4_addresses_are_told_from_networks_and_loopback() {
        let fib_trie = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     |-- 192.0.2.7
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 169.254.3.4
        /32 host LOCAL
Local:
     |-- 192.0.2.7
        /32 host LOCAL
     |-- 10.0.0.5
        /32 host LOCAL
";
        assert_eq!(
            ipv4_addresses(fib_trie).iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.0.0.5", "192.0.2.7"]
        );
        assert!(ipv4_addresses("").is_empty());
    }

    #[test]
    fn only_lasting_global_ipv6_addresses_are_told() {
        let if_inet6 = "\
20010db8000000000000000000000005 02 40 00 80     eth0
20010db80000000000000000000000ff 02 40 00 01     eth0
20010db8000000000000000000000d0c 03 40 00 80     docker0
20010db80000000000000000000000fe 02 40 00 20     eth0
fe800000000000000000000000000001 02 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
nonsense
";
        assert_eq!(
            ipv6_addresses(if_inet6).into_iter().collect::<Vec<_>>(),
            ["2001:db8::5".parse::<Ipv6Addr>().unwrap()]
        );
    }

    #[test]
    fn addresses_of_containers_are_left_out() {
        let route = "\
Iface   Destination Gateway  Flags RefCnt Use Metric Mask     MTU Window IRTT
eth0    00000000    0100A8C0 0003  0      0   100    00000000 0   0      0
eth0    0000A8C0    00000000 0001  0      0   100    00FFFFFF 0   0      0
docker0 000011AC    00000000 0001  0      0   0      0000FFFF 0   0      0
br-1a2b nonsense
";
        let networks = internal_networks(route);
        assert_eq!(networks.len(), 1);
        let internal = |ip: &str| networks.iter().any(|network| network.has(ip.parse().unwrap()));
        assert!(internal("172.17.0.1") && !internal("192.168.0.5") && !internal("172.18.0.1"));
    }

    #[test]
    fn the_mdns_name_is_one_label() {
        assert_eq!(mdns_name("raspberrypi"), "raspberrypi.local");
        assert_eq!(mdns_name("pi.lan"), "pi.local");
    }

    #[test]
    fn a_change_of_addresses_is_told_once() {
        let mut watch = Watch::new("192.0.2.7:8080".parse().unwrap());
        assert_eq!(watch.best(), None);
        let urls = || vec!["http://192.0.2.7:8080".to_owned()];
        assert_eq!(watch.change_to(urls()).as_deref(), Some("reached as http://192.0.2.7:8080"));
        assert_eq!(watch.best(), Some("http://192.0.2.7:8080"));
        assert_eq!(watch.change_to(urls()), None);
        assert_eq!(watch.change_to(Vec::new()).as_deref(), Some("this machine no longer has the address 192.0.2.7"));
    }
}
