//! Host names in `Host` and `Origin`: their parts, and whether a stranger could have a name of theirs lead here.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Domains that are in no public DNS (RFC 6761, 6762 and 8375, and the name that ICANN keeps for private networks).
const LOCAL_DOMAINS: [&str; 4] = ["local", "localhost", "internal", "home.arpa"];

/// Host and port of `host[:port]`, where the host may be an IPv6 address in brackets.
pub fn split(authority: &str, default_port: u16) -> Option<(&str, u16)> {
    let end = authority.find(']').map_or(0, |bracket| bracket + 1);
    match authority[end..].find(':') {
        None => Some((authority, default_port)),
        Some(colon) => Some((&authority[..end + colon], authority[end + colon + 1..].parse().ok()?)),
    }
}

/// Whether `host` is an IP address, IPv6 in brackets.
pub fn is_address(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
        None => host.as_bytes().first().is_some_and(u8::is_ascii_digit) && host.parse::<Ipv4Addr>().is_ok(),
    }
}

/// Whether this machine or its network alone decide where `host` leads. The owner of any other name can have it lead here
/// (DNS rebinding), and a browser then takes this server for the owner's.
pub fn is_local(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    is_address(host) || !name.contains(['.', '%']) || LOCAL_DOMAINS.iter().any(|domain| is_within(name, domain))
}

/// Whether `host` is a name under `domain`.
pub fn is_within(host: &str, domain: &str) -> bool {
    let start = host.len().wrapping_sub(domain.len());
    host.len() > domain.len()
        && host.as_bytes()[start - 1] == b'.'
        && host.as_bytes()[start..].eq_ignore_ascii_case(domain.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        for (authority, expected) in [
            ("pi.local", Some(("pi.local", 80))),
            ("pi.local:8080", Some(("pi.local", 8080))),
            ("[::1]:8080", Some(("[::1]", 8080))),
            ("[::1]", Some(("[::1]", 80))),
            ("pi.local:port", None),
        ] {
            assert_eq!(split(authority, 80), expected, "{authority}");
        }
    }

    #[test]
    fn names_that_strangers_can_own_are_not_local() {
        for local in [
            "",
            "127.0.0.1",
            "[::1]",
            "[fe80::1]",
            "pi",
            "localhost",
            "pi.local",
            "PI.LOCAL",
            "pi.local.",
            "a.localhost",
        ] {
            assert!(is_local(local), "{local}");
        }
        for local in ["pi.internal", "pi.home.arpa", "pi.", "8080"] {
            assert!(is_local(local), "{local}");
        }
        for foreign in [
            "pi.example.org",
            "127.0.0.1.example.org",
            "127.0.0.1.",
            "local.example",
            "evillocal.example",
            "home.arpa.evil.example",
            "arpa.x",
            "evil%2eexample",
            "1.2.3.4.5",
            "999.1.1.1",
            "[::1].evil.example",
            "a.ünternal",
            ".localx",
        ] {
            assert!(!is_local(foreign), "{foreign}");
        }
    }
}
