//! One small function for each limit: what was found, whether it is enough, what it is for, and what fixes it.

use super::board::{governor, network, pressure, supply, throttling};
use super::finding::{Check, Verdict};
use super::{Facts, Role, medium};
use crate::platform::limits::{BYTES_PER_CONNECTION, MEMORY_SHARE, RESERVED_FILES};
use crate::terminal::thousands;

/// What the service's unit allows, and what is proposed unless more is needed.
const FILES: u64 = 1_048_576;

/// What the packaged settings raise the two queues to: more new connections than this are not waiting at once.
const QUEUE: u64 = 16_384;

/// What the packaged settings raise the number of memory mappings to.
const MAPPINGS: u64 = 1_048_576;

/// Mappings of everything but coroutines' stacks.
const OTHER_MAPPINGS: u64 = 4_096;

/// The range that is proposed: all ports above those that services, fastgo's own among them, listen on.
const PORTS: (u16, u16) = (10_000, 65_535);

/// Every check, in the order in which they are shown.
pub(super) fn all(facts: &Facts, role: Role, connections: u64) -> Vec<Check> {
    let (serves, connects) = (role != Role::Client, role != Role::Server);
    let mut checks = vec![open_files(facts, connections), open_files_of_all(facts, connections)];
    if connects {
        checks.push(ports(facts, connections));
    }
    if serves {
        checks.extend([accept_queue(facts, connections), handshakes(facts, connections), mappings(facts, connections)]);
    }
    checks.extend(facts.conntrack_max.map(|max| conntrack(max, connections)));
    checks.push(memory(facts, connections));
    if serves {
        checks.extend([page_size(facts, connections), medium::check(facts.medium.as_ref())]);
    }
    checks.extend([governor(facts), supply(facts), throttling(facts), pressure(facts), network(facts)]);
    checks
}

fn open_files(facts: &Facts, connections: u64) -> Check {
    const NAME: &str = "open_files";
    let wanted = connections + RESERVED_FILES;
    let limits = &facts.limits;
    if let Some(files) = facts.service_files {
        // The unit's limit counts there, and not that of the shell which runs this.
        let check = Check::limit(NAME, format!("{} for the services", thousands(files)), files, wanted);
        if check.is_enough() {
            return check;
        }
    }
    let say = |limit: Option<u64>| limit.map_or_else(|| "unlimited".to_owned(), thousands);
    let found = format!("soft limit {}, hard limit {}", say(limits.nofile_soft), say(limits.nofile_hard));
    let check = Check::limit(NAME, found, limits.nofile_hard.unwrap_or(u64::MAX), wanted);
    if check.is_enough() {
        return check;
    }
    let propose = FILES.max(wanted.next_power_of_two());
    let mut check = check.is(
        Verdict::Short,
        format!(
            "every connection is an open file; {} are needed. fastgo raises its soft limit itself, so the hard limit \
             counts. The first command is for shells (log in again), the second for the services (restart them)",
            thousands(wanted)
        ),
    );
    if limits.nr_open.is_some_and(|most| most < propose) {
        check = check.sysctl("fs.nr_open", propose);
    }
    check.automatic = true;
    check
        .fix(format!("printf '%s - nofile {propose}\\n' '*' root | sudo tee /etc/security/limits.d/90-fastgo.conf"))
        .fix(format!(
            "sudo mkdir -p /etc/systemd/system/fastgo@.service.d && printf '[Service]\\nLimitNOFILE={propose}\\n' | \
             sudo tee /etc/systemd/system/fastgo@.service.d/90-files.conf && sudo systemctl daemon-reload"
        ))
}

fn open_files_of_all(facts: &Facts, connections: u64) -> Check {
    const NAME: &str = "file_max";
    let Some(max) = facts.limits.file_max else { return Check::unknown(NAME) };
    // A load generator on the same machine has the other end of each connection.
    let wanted = 2 * connections + 10_000;
    // The kernel's own default is the largest number there is.
    let found = if max > u64::from(u32::MAX) { "no limit".to_owned() } else { thousands(max) };
    let check = Check::limit(NAME, found, max, wanted);
    if check.is_enough() {
        return check;
    }
    check
        .is(Verdict::Short, "open files of all processes together; at the limit no program can open another")
        .sysctl("fs.file-max", wanted.next_power_of_two())
}

fn ports(facts: &Facts, connections: u64) -> Check {
    const NAME: &str = "port_range";
    let Some((first, last)) = facts.limits.port_range else { return Check::unknown(NAME) };
    let count = |(first, last): (u16, u16)| u64::from(last - first) + 1;
    let found = format!("{first} to {last}, {} of them", thousands(count((first, last))));
    let check = Check::limit(NAME, found, count((first, last)), connections.min(count(PORTS)));
    if check.is_enough() {
        return check;
    }
    check
        .is(
            Verdict::Short,
            "a client address can open at most so many connections to one server port. For more than 55,536 use a \
             second address: fastgo flood --source",
        )
        .sysctl("net.ipv4.ip_local_port_range", format!("{} {}", PORTS.0, PORTS.1))
}

fn accept_queue(facts: &Facts, connections: u64) -> Check {
    queue(
        "somaxconn",
        "net.core.somaxconn",
        facts.limits.somaxconn,
        connections,
        "new connections wait here until the server accepts them; when it is full, connections are dropped and the \
         client tries again a second later",
    )
}

fn handshakes(facts: &Facts, connections: u64) -> Check {
    queue(
        "tcp_max_syn_backlog",
        "net.ipv4.tcp_max_syn_backlog",
        facts.limits.tcp_max_syn_backlog,
        connections,
        "half-open connections wait here for the final ACK; with more at once the kernel uses SYN cookies or drops \
         them",
    )
}

fn queue(name: &'static str, key: &str, found: Option<u64>, connections: u64, why: &str) -> Check {
    let Some(length) = found else { return Check::unknown(name) };
    let check = Check::limit(name, thousands(length), length, connections.min(QUEUE));
    if check.is_enough() { check } else { check.is(Verdict::Short, why).sysctl(key, QUEUE) }
}

fn mappings(facts: &Facts, connections: u64) -> Check {
    const NAME: &str = "max_map_count";
    let Some(max) = facts.limits.max_map_count else { return Check::unknown(NAME) };
    let wanted = 2 * connections + OTHER_MAPPINGS;
    let check = Check::limit(NAME, thousands(max), max, wanted);
    if check.is_enough() {
        return check;
    }
    let why = format!(
        "the may engine's coroutine stacks are two mappings each, so with {} connections active at once {} are needed",
        thousands(connections),
        thousands(wanted)
    );
    check.is(Verdict::Short, why).sysctl("vm.max_map_count", MAPPINGS.max(wanted.next_power_of_two()))
}

fn conntrack(max: u64, connections: u64) -> Check {
    // Some room for other tracked connections.
    let wanted = connections + connections / 4;
    let check = Check::limit("nf_conntrack_max", thousands(max), max, wanted);
    if check.is_enough() {
        return check;
    }
    check
        .is(Verdict::Short, "the firewall tracks every connection; when its table is full, new ones are dropped")
        .sysctl("net.netfilter.nf_conntrack_max", wanted.next_power_of_two())
}

fn memory(facts: &Facts, connections: u64) -> Check {
    const NAME: &str = "memory";
    let (Some(total), Some(available)) = (facts.limits.mem_total_bytes, facts.limits.mem_available_bytes) else {
        return Check::unknown(NAME);
    };
    let mib = |bytes: u64| thousands(bytes >> 20);
    let wanted = connections.saturating_mul(BYTES_PER_CONNECTION);
    let holds = (total / MEMORY_SHARE).min(available) / BYTES_PER_CONNECTION;
    let found = format!("{} MiB available of {} MiB", mib(available), mib(total));
    let check = Check::limit(NAME, found, holds, connections);
    if check.is_enough() {
        return check;
    }
    let why = format!(
        "{} idle connections take about {} MiB, kernel and server together, and they may take at most half of the \
         memory; this machine holds about {}. Stop other services, or hold fewer connections",
        thousands(connections),
        mib(wanted),
        thousands(holds)
    );
    check.is(Verdict::Short, why).fix(format!("fastgo all --max-connections {}", holds.max(1)))
}

fn page_size(facts: &Facts, connections: u64) -> Check {
    const NAME: &str = "page_size";
    let page = facts.limits.page_size;
    let check = Check::fine(NAME, format!("{} bytes", thousands(page)));
    // Two pages of every live stack are touched.
    let stacks = connections.saturating_mul(2 * page);
    let enough = facts.limits.mem_available_bytes.is_none_or(|available| stacks <= available / 2);
    if page <= 4_096 || enough {
        return check;
    }
    let why = format!(
        "a coroutine's stack touches two pages: with {} active at once that is {} MiB. A kernel with pages of 4 KiB \
         needs a quarter",
        thousands(connections),
        thousands(stacks >> 20)
    );
    check
        .is(Verdict::Advice, why)
        // Under [all], since the file may end in a section for some other board.
        .fix("printf '\\n[all]\\nkernel=kernel8.img\\n' | sudo tee -a /boot/firmware/config.txt  # then reboot")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::limits::MachineLimits;

    #[test]
    fn big_pages_are_advised_against_only_where_stacks_would_not_fit() {
        let facts = |page_size| {
            let limits = MachineLimits { page_size, mem_available_bytes: Some(2 << 30), ..MachineLimits::default() };
            Facts { limits, ..Facts::default() }
        };
        assert_eq!(page_size(&facts(4_096), 60_000).verdict, Verdict::Fine);
        assert_eq!(page_size(&facts(16_384), 10_000).verdict, Verdict::Fine);
        let big = page_size(&facts(16_384), 60_000);
        assert_eq!(big.verdict, Verdict::Advice);
        assert!(big.why.contains("1,875 MiB") && big.fix[0].contains("kernel8.img"), "{big:?}");
    }

    #[test]
    fn more_files_than_proposed_raise_the_ceiling_first() {
        let limits =
            MachineLimits { nofile_hard: Some(1_048_576), nr_open: Some(1_048_576), ..MachineLimits::default() };
        let check = open_files(&Facts { limits, ..Facts::default() }, 2_000_000);
        assert_eq!(check.fix[0], "sudo sysctl -w 'fs.nr_open=2097152'");
        assert!(check.fix[2].contains("nofile 2097152") && check.fix[3].contains("LimitNOFILE=2097152"), "{check:?}");
    }
}
