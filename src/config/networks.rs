//! A list of networks in CIDR notation.

use std::net::IpAddr;

/// Networks, at most as many as [`MOST`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Networks in one list.
const MOST: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    /// As 128 bits; an IPv4 address in its mapped form.
    address: u128,
    /// Bits that count.
    mask: u128,
}

impl Networks {
    /// What messages call the valid values.
    pub const EXPECTED: &'static str = "addresses or networks such as 10.0.0.0/8,fd00::/8, or none";

    /// Addresses and networks with commas between them; `none` for none.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::default());
        }
        let networks: Vec<_> = text.split(',').map(|part| Network::parse(part.trim())).collect::<Option<_>>()?;
        (networks.len() <= MOST).then_some(Self(networks))
    }

    /// Whether `address` is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = bits(address);
        self.0.iter().any(|network| address & network.mask == network.address)
    }
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
        let address: IpAddr = address.parse().ok()?;
        let width: u32 = if address.is_ipv4() { 32 } else { 128 };
        let length = length.map_or(Some(width), |length| length.parse().ok()).filter(|length| *length <= width)?;
        // The bits that do not count are the last ones.
        let mask = u128::MAX.checked_shl(width - length).unwrap_or(0);
        Some(Self { address: bits(address) & mask, mask })
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        let networks = Networks::parse("10.0.0.0/8, 192.0.2.7, fd00::/8").unwrap();
        let has = |text: &str| networks.contains(text.parse().unwrap());
        assert!(has("10.255.0.1") && has("192.0.2.7") && has("fd12::1") && has("::ffff:10.1.2.3"));
        assert!(!has("11.0.0.1") && !has("192.0.2.8") && !has("fe80::1") && !has("::1"));
        assert!(!Networks::parse("none").unwrap().contains("10.0.0.1".parse().unwrap()));
        assert!(Networks::parse("0.0.0.0/0").unwrap().contains("8.8.8.8".parse().unwrap()));
        assert!(!Networks::parse("0.0.0.0/0").unwrap().contains("::1".parse().unwrap()));
        assert!(Networks::parse("::/0").unwrap().contains("::1".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "::/129", "host", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.1,"] {
            assert_eq!(Networks::parse(bad), None, "{bad}");
        }
        assert_eq!(Networks::parse(&["::1"; 65].join(",")), None);
    }
}
