//! The names with dots that this machine has in its network.

use std::fs;

/// Where the search domains are.
const RESOLVER: &str = "/etc/resolv.conf";

/// The host name, and its first label in each domain that the resolver searches: `pi.fritz.box`. Names without dots and
/// those of mDNS are left out, since nobody outside the network can have them.
pub fn of_machine() -> Vec<String> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    names(&host, &fs::read_to_string(RESOLVER).unwrap_or_default())
}

fn names(host: &str, resolver: &str) -> Vec<String> {
    let label = host.split('.').next().unwrap_or(host);
    let domains = resolver.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        matches!(words.next()?, "search" | "domain").then_some(words)
    });
    let domains = domains.flatten().map(|domain| domain.trim_matches('.')).filter(|domain| !domain.is_empty());
    let named = domains.map(|domain| format!("{label}.{domain}"));
    std::iter::once(host.to_owned()).chain(named).filter(|name| name.contains('.') && !label.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_in_the_domains_of_its_network() {
        let resolver = "# made by NetworkManager\nsearch fritz.box lan.example.\nnameserver 192.168.178.1\noptions x\n";
        assert_eq!(names("raspberrypi", resolver), ["raspberrypi.fritz.box", "raspberrypi.lan.example"]);
        assert_eq!(
            names("pi.example.org", "domain example.org\nsearch .\nsearch"),
            ["pi.example.org", "pi.example.org"]
        );
        assert_eq!(names("pi", ""), [""; 0]);
    }
}
