//! The names under which people reach a listening socket: this machine's own, its mDNS name, its addresses.
//!
//! Addresses are read from `/proc`, because getifaddrs(3) needs a netlink socket, which the packaged unit's
//! sandbox does not grant.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

/// Created by the mDNS responder of Raspberry Pi OS; while it exists, `HOSTNAME.local` resolves.
const AVAHI_SOCKET: &str = "/run/avahi-daemon/socket";

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
        hosts.push(format!("{}.local", rustix::system::uname().nodename().to_string_lossy()));
    }
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    hosts.extend(ipv4_addresses(&read("/proc/net/fib_trie")).iter().map(Ipv4Addr::to_string));
    if address.is_ipv6() {
        hosts.extend(ipv6_addresses(&read("/proc/net/if_inet6")).iter().map(|ip| format!("[{ip}]")));
    }
    hosts.into_iter().map(|host| format!("http://{host}:{}", address.port())).collect()
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
            (scope == GLOBAL && flags & UNUSABLE == 0).then(|| Ipv6Addr::from_bits(address))
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
}
