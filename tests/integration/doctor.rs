//! `fastgo doctor` on recorded boards: what falls short, and what it proposes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::Server;
use serde_json::Value;

/// A board of `tests/fixtures` in a directory of its own, where it may be changed.
struct Board(tempfile::TempDir);

impl Board {
    fn of(name: &str) -> Self {
        let board = Self::empty();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let mut directories = vec![PathBuf::new()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(source.join(&directory)).unwrap() {
                let path = directory.join(entry.unwrap().file_name());
                if source.join(&path).is_dir() {
                    directories.push(path);
                } else {
                    board.set(path.to_str().unwrap(), &fs::read_to_string(source.join(&path)).unwrap());
                }
            }
        }
        board
    }

    fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn set(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Everything as it should be for some thousands of connections.
    fn tune(&self) {
        for (key, value) in [
            ("net/ipv4/ip_local_port_range", "10000\t65535"),
            ("net/core/somaxconn", "16384"),
            ("net/ipv4/tcp_max_syn_backlog", "16384"),
            ("vm/max_map_count", "1048576"),
        ] {
            self.set(&format!("proc/sys/{key}"), value);
        }
        self.set("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n");
    }

    /// Runs the doctor with at most `files` open files.
    fn doctor(&self, files: u32, arguments: &str) -> Output {
        let root = |name| self.0.path().join(name);
        Command::new("sh")
            .args(["-c", &format!("ulimit -n {files} && exec \"$@\""), "sh", env!("CARGO_BIN_EXE_fastgo"), "doctor"])
            .args(arguments.split_whitespace())
            // A file system that a temporary directory in memory does not stand for.
            .env("STATE_DIRECTORY", env!("CARGO_TARGET_TMPDIR"))
            .env("FASTGO_PROC_ROOT", root("proc"))
            .env("FASTGO_SYS_ROOT", root("sys"))
            .env("FASTGO_RUN_ROOT", root("run"))
            .output()
            .unwrap()
    }

    fn verdicts(&self, files: u32, arguments: &str) -> (Option<i32>, Value) {
        let output = self.doctor(files, &format!("--json {arguments}"));
        let report = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), report)
    }
}

fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no {name} in {report}"))
}

fn fixes(check: &Value) -> Vec<&str> {
    check["fix"].as_array().unwrap().iter().map(|command| command.as_str().unwrap()).collect()
}

#[test]
fn a_board_as_it_comes_falls_short_of_60000() {
    let (code, report) = Board::of("pi4").verdicts(4_096, "");
    assert_eq!(code, Some(1));
    assert_eq!((report["connections"].as_u64(), report["ok"].as_bool()), (Some(60_000), Some(false)));
    for (name, value, wanted) in [
        ("open_files", 4_096, 61_024),
        ("port_range", 28_232, 55_536),
        ("somaxconn", 4_096, 16_384),
        ("tcp_max_syn_backlog", 512, 16_384),
        ("max_map_count", 65_530, 124_096),
    ] {
        let check = check(&report, name);
        assert_eq!(check["verdict"], "short", "{check}");
        assert_eq!((check["value"].as_u64(), check["wanted"].as_u64()), (Some(value), Some(wanted)), "{check}");
        assert!(!check["why"].as_str().unwrap().is_empty() && !fixes(check).is_empty(), "{check}");
    }
    assert_eq!(
        fixes(check(&report, "port_range")),
        [
            "sudo sysctl -w 'net.ipv4.ip_local_port_range=10000 65535'",
            "echo 'net.ipv4.ip_local_port_range = 10000 65535' | sudo tee /etc/sysctl.d/90-fastgo-ip_local_port_range.conf",
        ]
    );
    let files = fixes(check(&report, "open_files"));
    assert!(files[0].ends_with("| sudo tee /etc/security/limits.d/90-fastgo.conf"), "{files:?}");
    assert!(files[1].contains("LimitNOFILE=1048576") && files[1].contains("fastgo@.service.d"), "{files:?}");
    for (name, verdict) in [
        ("file_max", "fine"),
        ("memory", "fine"),
        ("page_size", "fine"),
        ("governor", "advice"),
        ("under_voltage", "short"),
        ("throttling", "short"),
    ] {
        assert_eq!(check(&report, name)["verdict"], verdict, "{name} in {report}");
    }
    assert!(!report["checks"].as_array().unwrap().iter().any(|check| check["name"] == "nf_conntrack_max"));
}

#[test]
fn every_proposed_command_is_a_command() {
    let board = Board::of("pi4");
    board.set("proc/sys/net/netfilter/nf_conntrack_max", "65536\n");
    board.set("proc/sys/fs/file-max", "1000\n");
    board.set("proc/meminfo", "MemTotal: 100000 kB\nMemFree: 50000 kB\nMemAvailable: 50000 kB\nBuffers: 0 kB\nCached: 0 kB\nSwapCached: 0 kB\nActive: 0 kB\nInactive: 0 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nDirty: 0 kB\nWriteback: 0 kB\nMapped: 0 kB\nSlab: 0 kB\nCommitted_AS: 0 kB\nVmallocTotal: 0 kB\nVmallocUsed: 0 kB\nVmallocChunk: 0 kB\n");
    let (_, report) = board.verdicts(4_096, "");
    for name in ["nf_conntrack_max", "file_max", "memory"] {
        assert_eq!(check(&report, name)["verdict"], "short", "{report}");
    }
    let mut commands = 0;
    for command in report["checks"].as_array().unwrap().iter().flat_map(fixes) {
        let syntax = Command::new("sh").args(["-n", "-c", command]).status().unwrap();
        assert!(syntax.success(), "{command}");
        if let Some(setting) = command.strip_prefix("sudo sysctl -w '") {
            let key = setting.split('=').next().unwrap();
            let known = Path::new("/proc/sys").join(key.replace('.', "/"));
            assert!(known.exists() || key.starts_with("net.netfilter."), "{key}");
        }
        commands += 1;
    }
    assert!(commands >= 15, "{commands}");
}

#[test]
fn a_tuned_board_passes() {
    let board = Board::of("pi5");
    board.tune();
    let (code, report) = board.verdicts(4_096, "--connections 3000");
    assert_eq!((code, &report["ok"]), (Some(0), &Value::Bool(true)), "{report}");
    for check in report["checks"].as_array().unwrap() {
        // What this machine's own disk is like is no matter of the recorded board.
        if check["name"] != "sync" {
            assert_eq!(check["verdict"], "fine", "{check}");
        }
        assert_eq!(fixes(check), [""; 0], "{check}");
    }
    assert_eq!(report["model"], "Raspberry Pi 5 Model B Rev 1.0");
    let text = String::from_utf8(board.doctor(4_096, "-c 3000").stdout).unwrap();
    assert!(text.starts_with("Raspberry Pi 5 Model B Rev 1.0, for 3,000 connections\n"), "{text}");
    assert!(text.ends_with("\nNo limit is too low.\n"), "{text}");
    assert!(!text.contains('\x1b') && !text.contains("LOW"), "{text}");
}

#[test]
fn one_connection_too_many_is_one_too_many() {
    let board = Board::of("pi5");
    board.tune();
    // 4,096 less the 1,024 kept for everything else.
    assert_eq!(board.verdicts(4_096, "-c 3072").0, Some(0));
    let output = board.doctor(4_096, "-c 3073");
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("LOW    open_files           soft limit 4,096, hard limit 4,096\n"), "{text}");
    assert!(text.contains("\n         printf '%s - nofile 1048576\\n' '*' root | sudo tee "), "{text}");
}

#[test]
fn the_governor_and_the_firmware_are_judged() {
    let board = Board::of("pi5");
    board.tune();
    board.set("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "powersave\n");
    board.set("run/fastgo/firmware/readings", "uptime=86401.0\nthrottled=0x50000\n");
    let (code, report) = board.verdicts(4_096, "-c 100");
    assert_eq!(code, Some(1));
    assert_eq!(check(&report, "governor")["verdict"], "short");
    // In the past only.
    assert_eq!(check(&report, "under_voltage")["verdict"], "advice");
    assert_eq!(check(&report, "throttling")["verdict"], "advice");

    board.tune();
    fs::remove_file(board.0.path().join("run/fastgo/firmware/readings")).unwrap();
    let (code, report) = board.verdicts(4_096, "-c 100");
    assert_eq!(code, Some(0));
    let throttling = check(&report, "throttling");
    assert_eq!(throttling["verdict"], "unknown");
    assert_eq!(fixes(throttling), ["sudo systemctl start fastgo-firmware.service"]);
    assert_eq!(check(&report, "under_voltage")["verdict"], "fine");
}

#[test]
fn what_a_machine_does_not_tell_is_not_held_against_it() {
    let (code, report) = Board::empty().verdicts(4_096, "-c 100");
    assert_eq!(code, Some(0), "{report}");
    for name in ["somaxconn", "memory", "governor", "under_voltage", "throttling"] {
        let check = check(&report, name);
        assert_eq!(check["verdict"], "unknown", "{check}");
        assert_eq!(fixes(check), [""; 0], "{check}");
    }
}

#[test]
fn no_connections_are_bad_usage() {
    let output = Board::empty().doctor(4_096, "--connections 0");
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("must be a whole number from 1 to 10000000"), "{error}");
}

#[test]
fn a_server_needs_no_ports_and_a_client_no_queue() {
    let board = Board::of("pi5");
    board.tune();
    board.set("proc/sys/net/ipv4/ip_local_port_range", "50000\t60000");
    assert_eq!(board.verdicts(17_000, "-c 15000 --role both").0, Some(1));
    assert_eq!(board.verdicts(17_000, "-c 15000").0, Some(1));
    let (code, report) = board.verdicts(17_000, "-c 15000 --role server");
    assert_eq!(code, Some(0), "{report}");
    assert!(!report.to_string().contains("port_range"), "{report}");
    board.tune();
    board.set("proc/sys/net/core/somaxconn", "128");
    assert_eq!(board.verdicts(17_000, "-c 15000 --role client").0, Some(0));
    assert_eq!(board.verdicts(17_000, "-c 15000 --role server").0, Some(1));
}

#[test]
fn where_a_service_runs_its_own_limits_count() {
    let board = Board::of("pi5");
    board.tune();
    board.set("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999");
    let server = Server::start("hyper", &[]);
    board.set("run/fastgo/hyper/address", &format!("{}\n", server.address));
    let limit = server.connect().get("/metrics", "").expect(200).json()["max_fds"].as_u64().unwrap();
    let connections = (limit - 1_024).min(40_000);
    // The shell allows 1,100 files; the port range falls short; neither matters to the service.
    let (code, report) = board.verdicts(1_100, &format!("-c {connections}"));
    assert_eq!(code, Some(0), "{report}");
    assert!(check(&report, "open_files")["found"].as_str().unwrap().ends_with("for the services"), "{report}");
}
