//! What the machine allows: read at the start and by `fastgo doctor`, and the one limit a process may raise itself.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    cpufreq, memory,
    source::{Reader, Roots},
};

/// Descriptors that a server keeps for everything but connections: libraries, logs, listeners, epolls, refusals.
pub const RESERVED_FILES: u64 = 1_024;

/// Kernel and user memory that an idle connection costs, both generously rounded up.
pub const BYTES_PER_CONNECTION: u64 = 6 * 1024;

/// Part of the memory that connections may take: one in so many.
pub const MEMORY_SHARE: u64 = 2;

/// The limits that many connections run into. `None`: not known, or for `nofile_*` without a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineLimits {
    /// Open files of this process: what it may use now.
    pub nofile_soft: Option<u64>,
    /// Open files of this process: what it may raise the soft limit to.
    pub nofile_hard: Option<u64>,
    /// Most open files that any process may be allowed, `fs.nr_open`.
    pub nr_open: Option<u64>,
    /// Open files of the whole machine, `fs.file-max`.
    pub file_max: Option<u64>,
    /// Longest queue of connections that wait to be accepted, `net.core.somaxconn`.
    pub somaxconn: Option<u64>,
    /// Connections whose handshake is under way, `net.ipv4.tcp_max_syn_backlog`.
    pub tcp_max_syn_backlog: Option<u64>,
    /// First and last port for outgoing connections, `net.ipv4.ip_local_port_range`.
    pub port_range: Option<(u16, u16)>,
    /// Memory mappings of one process, `vm.max_map_count`; each coroutine's stack takes two.
    pub max_map_count: Option<u64>,
    /// Memory that the kernel manages, or of it what a container may have, in bytes.
    pub mem_total_bytes: Option<u64>,
    /// Memory that new work can have without swapping, in bytes.
    pub mem_available_bytes: Option<u64>,
    /// Bytes of a memory page.
    pub page_size: u64,
    /// What chooses the CPU's clock, such as `ondemand`.
    pub governor: Option<String>,
}

impl MachineLimits {
    /// Reads the limits as they are now.
    pub fn read(roots: &Roots) -> Self {
        let mut reader = Reader::default();
        let nofile = getrlimit(Resource::Nofile);
        let sysctl = roots.proc.join("sys");
        let meminfo = reader.text(&roots.proc.join("meminfo")).and_then(memory::parse);
        Self {
            nofile_soft: nofile.current,
            nofile_hard: nofile.maximum,
            nr_open: reader.value(&sysctl.join("fs/nr_open")),
            file_max: reader.value(&sysctl.join("fs/file-max")),
            somaxconn: reader.value(&sysctl.join("net/core/somaxconn")),
            tcp_max_syn_backlog: reader.value(&sysctl.join("net/ipv4/tcp_max_syn_backlog")),
            port_range: reader.text(&sysctl.join("net/ipv4/ip_local_port_range")).and_then(parse_port_range),
            max_map_count: reader.value(&sysctl.join("vm/max_map_count")),
            mem_total_bytes: meminfo.as_ref().map(|info| info.mem_total.min(container_memory(roots, &mut reader))),
            mem_available_bytes: meminfo.and_then(|info| info.mem_available),
            page_size: procfs::page_size(),
            governor: cpufreq::find(&roots.sys).and_then(|policy| cpufreq::read_governor(&policy, &mut reader)),
        }
    }
}

/// The memory limit of the control group at the top of what this process sees, which is a container's own; outside of
/// containers there is none.
fn container_memory(roots: &Roots, reader: &mut Reader) -> u64 {
    let groups = roots.sys.join("fs/cgroup");
    ["memory.max", "memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| reader.value(&groups.join(file)))
        .unwrap_or(u64::MAX)
}

/// Raises this process's soft limit on open files to its hard limit, and gives the soft limit that is then in force
/// (`None`: unlimited).
///
/// # Errors
/// When the system refuses, as a sandbox may.
pub fn raise_nofile() -> io::Result<Option<u64>> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        let raised = Rlimit { current: maximum, maximum };
        setrlimit(Resource::Nofile, raised)?;
    }
    Ok(maximum)
}

/// First and last port, with whitespace between.
fn parse_port_range(text: &str) -> Option<(u16, u16)> {
    let mut ports = text.split_ascii_whitespace().map(str::parse);
    let range = (ports.next()?.ok()?, ports.next()?.ok()?);
    (range.0 <= range.1).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_port_range() {
        assert_eq!(parse_port_range("32768\t60999\n"), Some((32_768, 60_999)));
        for bad in ["", "32768", "60999 32768", "a b", "1 65536"] {
            assert_eq!(parse_port_range(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn raises_the_soft_limit_to_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum;
        let lowered = Rlimit { current: hard.map_or(Some(4096), |hard| Some(hard - 1)), maximum: hard };
        setrlimit(Resource::Nofile, lowered).unwrap();
        assert_eq!(raise_nofile().unwrap(), hard);
        assert_eq!(getrlimit(Resource::Nofile).current, hard);
    }

    #[test]
    fn reads_the_settings_of_a_board() {
        let limits = MachineLimits::read(&super::super::tests::fixture("pi4"));
        let nofile = getrlimit(Resource::Nofile);
        let expected = MachineLimits {
            nofile_soft: limits.nofile_soft,
            nofile_hard: nofile.maximum,
            nr_open: Some(1_048_576),
            file_max: Some(9_223_372_036_854_775_807),
            somaxconn: Some(4096),
            tcp_max_syn_backlog: Some(512),
            port_range: Some((32_768, 60_999)),
            max_map_count: Some(65_530),
            mem_total_bytes: Some(3_884_360 * 1024),
            mem_available_bytes: Some(3_012_544 * 1024),
            page_size: procfs::page_size(),
            governor: Some("ondemand".into()),
        };
        assert_eq!(limits, expected);
    }

    #[test]
    fn a_container_has_the_memory_of_its_limit() {
        let machine = tempfile::tempdir().unwrap();
        let roots = super::super::tests::roots_in(machine.path());
        let total = |roots: &Roots| MachineLimits::read(roots).mem_total_bytes;
        for directory in [&roots.proc, &roots.sys.join("fs/cgroup/memory")] {
            std::fs::create_dir_all(directory).unwrap();
        }
        let board = super::super::tests::fixture("pi4");
        std::fs::copy(board.proc.join("meminfo"), roots.proc.join("meminfo")).unwrap();
        assert_eq!(total(&roots), Some(3_884_360 * 1024));
        for (file, text, expected) in [
            ("memory/memory.limit_in_bytes", "9223372036854771712", 3_884_360 * 1024),
            ("memory/memory.limit_in_bytes", "268435456", 268_435_456),
            ("memory.max", "134217728", 134_217_728),
        ] {
            std::fs::write(roots.sys.join("fs/cgroup").join(file), text).unwrap();
            assert_eq!(total(&roots), Some(expected), "{file}: {text}");
        }
    }

    #[test]
    fn knows_nothing_where_there_is_nothing() {
        let nowhere = tempfile::tempdir().unwrap();
        let limits = MachineLimits::read(&super::super::tests::roots_in(nowhere.path()));
        let expected = MachineLimits {
            nofile_soft: limits.nofile_soft,
            nofile_hard: limits.nofile_hard,
            page_size: limits.page_size,
            ..MachineLimits::default()
        };
        assert_eq!(limits, expected);
    }
}
