//! Whose request it is, behind proxies that are trusted.

use std::net::IpAddr;

use crate::config::Networks;

/// The client of a connection from `peer` whose request has this `X-Forwarded-For`. Each proxy adds the address that it
/// was connected from at the end, so the last one that is no trusted proxy's is the client's, as far as can be known;
/// what stands before it is whatever the client wrote.
pub(super) fn client(peer: IpAddr, forwarded_for: Option<&[u8]>, trusted: &Networks) -> IpAddr {
    let peer = peer.to_canonical();
    let Some(forwarded_for) = forwarded_for.filter(|_| trusted.contains(peer)) else { return peer };
    let mut client = peer;
    for address in forwarded_for.rsplit(|&byte| byte == b',') {
        let Some(address) = parse(address) else { break };
        client = address;
        if !trusted.contains(address) {
            break;
        }
    }
    client
}

/// An address, with a port after it or not, as proxies write them.
fn parse(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text.trim_ascii()).ok()?;
    let bare = text.strip_prefix('[').and_then(|text| text.split_once(']')).map_or(text, |(address, _)| address);
    let address = bare.parse::<IpAddr>().ok();
    address.or_else(|| text.rsplit_once(':')?.0.parse().ok()).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_add_counts() {
        let trusted = Networks::parse("10.0.0.0/8, ::1").unwrap();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", Some("203.0.113.9"), "192.0.2.1"),
            ("10.0.0.1", None, "10.0.0.1"),
            ("10.0.0.1", Some("203.0.113.9"), "203.0.113.9"),
            ("::ffff:10.0.0.1", Some("203.0.113.9"), "203.0.113.9"),
            ("10.0.0.1", Some("1.2.3.4, 203.0.113.9, 10.0.0.2"), "203.0.113.9"),
            ("10.0.0.1", Some("1.2.3.4, nonsense, 10.0.0.2"), "10.0.0.2"),
            ("10.0.0.1", Some(""), "10.0.0.1"),
            ("10.0.0.1", Some("203.0.113.9:4711"), "203.0.113.9"),
            ("::1", Some("[2001:db8::1]:4711"), "2001:db8::1"),
            ("::1", Some("2001:db8::1"), "2001:db8::1"),
        ] {
            let found = client(peer.parse().unwrap(), forwarded.map(str::as_bytes), &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded:?}");
        }
    }
}
