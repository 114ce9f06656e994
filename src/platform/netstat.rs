//! The kernel's network counters, in the form of `/proc/net/netstat` and `/proc/net/snmp`.

/// The counter `name` of `group`: each group is a line of names and a line of values under it.
pub(super) fn parse(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(':'));
    let column = lines.next()?.split_ascii_whitespace().position(|word| word == name)?;
    lines.next()?.split_ascii_whitespace().nth(column)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str = "Tcp: RtoMin MaxConn RetransSegs InErrs\nTcp: 200 -1 77 3\nUdp: InDatagrams\nUdp: 131\n";

    #[test]
    fn finds_a_counter_by_name() {
        assert_eq!(parse(SNMP, "Tcp", "RetransSegs"), Some(77));
        assert_eq!(parse(SNMP, "Udp", "InDatagrams"), Some(131));
    }

    #[test]
    fn drops_anything_else() {
        assert_eq!(parse(SNMP, "Tcp", "Absent"), None);
        assert_eq!(parse(SNMP, "TcpExt", "RetransSegs"), None);
        // Not a counter.
        assert_eq!(parse(SNMP, "Tcp", "MaxConn"), None);
        for bad in ["", "Tcp:", "Tcp: RetransSegs\n", "Tcp: A RetransSegs\nTcp: 1\n", "Tcp: RetransSegs\nTcp: x\n"] {
            assert_eq!(parse(bad, "Tcp", "RetransSegs"), None, "{bad:?}");
        }
    }
}
