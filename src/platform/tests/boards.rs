//! A Raspberry Pi 4 and a 5 against exact values, and the machine that runs the tests.

use std::time::Instant;

use serde_json::json;

use super::{
    super::{Board, Roots},
    after, as_json, fixture,
};

#[test]
fn a_hot_and_under_supplied_raspberry_pi_4() {
    let start = Instant::now();
    let mut board = Board::start(fixture("pi4"), 4096, start);
    let expected = json!({
        "model": "Raspberry Pi 4 Model B Rev 1.4",
        "page_size": 4096,
        "temperature_c": 82.3,
        "temperature_limit_c": 80.0,
        "throttled": {
            "bits": 327_685,
            "now": ["under_voltage", "throttled"],
            "occurred": ["under_voltage", "throttled"]
        },
        "firmware": {"age_seconds": 1.2, "core_volts": 0.86, "supply_volts": null},
        "under_voltage": true,
        "cpu_freq_mhz": 1000.3,
        "cpu_freq_requested_mhz": 1800.0,
        "cpu_freq_max_mhz": 1800.0,
        "cores_percent": null,
        "load": {"one": 3.52, "five": 2.1, "fifteen": 0.95},
        "memory": {
            "total_mb": 3793.3, "available_mb": 2941.9, "used_percent": 22.4,
            "cma_total_mb": 512.0, "cma_free_mb": 392.0
        },
        "swap": {"total_mb": 200.0, "used_mb": 10.0, "zram_mb": null},
        "psi": null,
        "sockets": {
            "used": 5234, "tcp_in_use": 5017, "tcp_orphan": 2, "tcp_time_wait": 118, "tcp_alloc": 5020,
            "tcp_mem_mb": 2.5
        },
        "listen_overflows": 42,
        "listen_drops": 57,
        "retransmits_per_sec": 0.0,
        "net": {
            "interface": "eth0", "rx_bytes_per_sec": 0.0, "tx_bytes_per_sec": 0.0, "rx_dropped": 17,
            "speed_mbps": 1000, "signal_dbm": null
        },
        "disk": {
            "device": "mmcblk0", "read_bytes_per_sec": 0.0, "write_bytes_per_sec": 0.0, "busy_percent": 0.0,
            "lifetime_written_gb": 50.0, "wear": null
        },
        "fan": null,
        "unreadable": []
    });
    assert_eq!(as_json(&board.collect_at(after(start, 1))), expected);
}

#[test]
fn a_cooled_raspberry_pi_5() {
    let start = Instant::now();
    let mut board = Board::start(fixture("pi5"), 16_384, start);
    let expected = json!({
        "model": "Raspberry Pi 5 Model B Rev 1.0",
        "page_size": 16_384,
        "temperature_c": 61.0,
        "temperature_limit_c": 80.0,
        "throttled": {"bits": 0, "now": [], "occurred": []},
        "firmware": {"age_seconds": 0.9, "core_volts": 0.8984, "supply_volts": 5.1123},
        "under_voltage": false,
        "cpu_freq_mhz": 2400.0,
        "cpu_freq_requested_mhz": 2400.0,
        "cpu_freq_max_mhz": 2400.0,
        "cores_percent": null,
        "load": {"one": 0.42, "five": 0.36, "fifteen": 0.3},
        "memory": {
            "total_mb": 8063.2, "available_mb": 7256.8, "used_percent": 10.0,
            "cma_total_mb": 64.0, "cma_free_mb": 50.0
        },
        "swap": {"total_mb": 2048.0, "used_mb": 64.0, "zram_mb": 18.0},
        "psi": {
            "cpu_some_avg10": 1.25, "memory_some_avg10": 0.12, "memory_full_avg10": 0.04,
            "io_some_avg10": 0.75, "io_full_avg10": 0.5
        },
        "sockets": {
            "used": 210, "tcp_in_use": 22, "tcp_orphan": 0, "tcp_time_wait": 3, "tcp_alloc": 24,
            "tcp_mem_mb": 1.0
        },
        "listen_overflows": 0,
        "listen_drops": 0,
        "retransmits_per_sec": 0.0,
        "net": {
            "interface": "eth0", "rx_bytes_per_sec": 0.0, "tx_bytes_per_sec": 0.0, "rx_dropped": 0,
            "speed_mbps": 1000, "signal_dbm": null
        },
        "disk": {
            "device": "nvme0n1", "read_bytes_per_sec": 0.0, "write_bytes_per_sec": 0.0, "busy_percent": 0.0,
            "lifetime_written_gb": 126.0, "wear": null
        },
        "fan": {"rpm": 3120, "pwm_percent": 49.0},
        "unreadable": []
    });
    assert_eq!(as_json(&board.collect_at(after(start, 1))), expected);
}

#[test]
fn this_very_machine_can_be_read() {
    let mut board = Board::new(Roots { proc: "/proc".into(), sys: "/sys".into(), run: "/run".into() });
    let sample = board.collect();
    assert_eq!(sample.page_size, procfs::page_size());
    assert!(sample.memory.unwrap().total_mb > 0.0);
    assert!(sample.load.is_some());
}
