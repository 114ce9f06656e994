//! Sockets in use, of this network namespace.

use serde::Serialize;

use super::rate::mib;

/// Sockets and what TCP's buffers take up.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sockets {
    /// Sockets of every family.
    pub used: u64,
    /// TCP sockets with a state, listening ones included, over IPv4 and IPv6: a dual-stack listener's connections from
    /// IPv4 count as IPv6.
    pub tcp_in_use: u64,
    /// TCP sockets that no process holds any more.
    pub tcp_orphan: u64,
    /// TCP connections in TIME-WAIT.
    pub tcp_time_wait: u64,
    /// TCP sockets allocated, in any state.
    pub tcp_alloc: u64,
    /// Memory of TCP's buffers in MiB.
    pub tcp_mem_mb: f64,
}

/// Reads `/proc/net/sockstat` and `sockstat6`; the latter is empty or missing where IPv6 is off.
pub(super) fn parse(sockstat: &str, sockstat6: Option<&str>, page_size: u64) -> Option<Sockets> {
    let tcp = |name| field(sockstat, "TCP", name);
    let tcp6 = sockstat6.and_then(|text| field(text, "TCP6", "inuse"));
    Some(Sockets {
        used: field(sockstat, "sockets", "used")?,
        tcp_in_use: tcp("inuse")?.saturating_add(tcp6.unwrap_or(0)),
        tcp_orphan: tcp("orphan")?,
        tcp_time_wait: tcp("tw")?,
        tcp_alloc: tcp("alloc")?,
        tcp_mem_mb: mib(tcp("mem")?.saturating_mul(page_size)),
    })
}

/// The number after the word `name` on the line of `protocol`.
fn field(text: &str, protocol: &str, name: &str) -> Option<u64> {
    let mut words =
        text.lines().find_map(|line| line.strip_prefix(protocol)?.strip_prefix(':'))?.split_ascii_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: &str = "sockets: used 160\nTCP: inuse 8 orphan 1 tw 30 alloc 5042 mem 256\nUDP: inuse 5 mem 2\n";
    const V6: &str = "TCP6: inuse 5020\nUDP6: inuse 4\n";

    #[test]
    fn adds_both_families() {
        let sockets =
            Sockets { used: 160, tcp_in_use: 5028, tcp_orphan: 1, tcp_time_wait: 30, tcp_alloc: 5042, tcp_mem_mb: 4.0 };
        assert_eq!(parse(V4, Some(V6), 16_384), Some(sockets));
        assert_eq!(parse(V4, None, 4096).unwrap().tcp_in_use, 8);
        assert_eq!(parse(V4, Some("TCP6: in"), 4096).unwrap().tcp_in_use, 8);
    }

    #[test]
    fn drops_anything_else() {
        let cut = &V4[..V4.find(" mem 256").unwrap()];
        for bad in ["", "TCP:\n", "sockets: used\nTCP: inuse\n", cut, "TCP: inuse x orphan y\n"] {
            assert_eq!(parse(bad, None, 4096), None, "{bad:?}");
        }
    }
}
