//! Rates, and what comes and goes from reading to reading.

use std::{
    fs,
    time::{Duration, Instant},
};

use super::{
    super::{Board, BoardSample, Net, SEARCH_INTERVAL, disk::Wear},
    Copy, after,
};

fn received(net: Option<Net>) -> Option<f64> {
    net.map(|net| net.rx_bytes_per_sec)
}

#[test]
fn rates_come_from_what_changed_between_two_readings() {
    let copy = Copy::of("pi4");
    let start = Instant::now();
    let mut board = Board::start(copy.roots(), 4096, start);

    // In two seconds: core 0 works 150 of 200 ticks, core 1 none, cores 2 and 3 all of 100.
    copy.edit("proc/stat", "cpu0 40210 12 20115 310450", "cpu0 40310 12 20165 310500");
    copy.edit("proc/stat", "cpu1 38100 8 18040 316012 1102", "cpu1 38100 8 18040 316012 1302");
    copy.edit("proc/stat", "cpu2 39550", "cpu2 39650");
    copy.edit("proc/stat", "cpu3 37725 9", "cpu3 37725 109");
    copy.edit("proc/net/dev", "912034410", "912234410");
    copy.edit("proc/net/dev", "401223918", "401224918");
    copy.edit("proc/diskstats", "mmcblk0 18210 6120 1210432", "mmcblk0 18211 6120 1210440");
    copy.edit("proc/diskstats", "402816 88410 0 62340", "403840 88410 0 62840");
    copy.edit("proc/net/snmp", " 1520 ", " 1535 ");
    copy.edit("sys/class/thermal/thermal_zone0/temp", "82300", "79100");
    copy.edit("run/fastgo/firmware/readings", "0x50005", "0x50000");

    let sample = board.collect_at(after(start, 2));
    assert_eq!(sample.cores_percent, Some(vec![75.0, 0.0, 100.0, 100.0]));
    let net = sample.net.unwrap();
    assert_eq!((net.rx_bytes_per_sec, net.tx_bytes_per_sec), (100_000.0, 500.0));
    let disk = sample.disk.unwrap();
    assert_eq!((disk.read_bytes_per_sec, disk.write_bytes_per_sec, disk.busy_percent), (2048.0, 262_144.0, 25.0));
    assert_eq!(sample.retransmits_per_sec, Some(7.5));
    assert_eq!(sample.temperature_c, Some(79.1));
    assert_eq!(sample.throttled.unwrap().now, [] as [&str; 0]);

    // A second later nothing has changed.
    let sample = board.collect_at(after(start, 3));
    assert_eq!(received(sample.net), Some(0.0));
    assert_eq!(sample.retransmits_per_sec, Some(0.0));
}

#[test]
fn counters_that_start_again_have_no_rate_once() {
    let copy = Copy::of("pi4");
    let start = Instant::now();
    let mut board = Board::start(copy.roots(), 4096, start);
    copy.edit("proc/net/dev", "912034410", "5000");
    copy.edit("proc/net/snmp", " 1520 ", " 3 ");
    let sample = board.collect_at(after(start, 1));
    assert_eq!(sample.net, None);
    assert_eq!(sample.retransmits_per_sec, None);
    copy.edit("proc/net/dev", "5000", "6000");
    let sample = board.collect_at(after(start, 2));
    assert_eq!(received(sample.net), Some(1000.0));
    assert_eq!(sample.retransmits_per_sec, Some(0.0));
}

#[test]
fn another_interface_takes_over() {
    let copy = Copy::of("pi4");
    let start = Instant::now();
    let mut board = Board::start(copy.roots(), 4096, start);
    let name = |sample: BoardSample| sample.net.map(|net| (net.interface, net.speed_mbps));
    let wired = Some(("eth0".to_owned(), Some(1000)));
    assert_eq!(name(board.collect_at(after(start, 1))), wired);
    copy.edit("proc/net/route", "\t600\t", "\t50\t");
    assert_eq!(name(board.collect_at(after(start, 2))), None);
    let radio = Some(("wlan0".to_owned(), None));
    assert_eq!(name(board.collect_at(after(start, 3))), radio);
    copy.edit("proc/net/route", "\t50\t", "\t600\t");
    assert_eq!(name(board.collect_at(after(start, 4))), None);
    assert_eq!(name(board.collect_at(after(start, 5))), wired);
}

#[test]
fn a_driver_that_loads_later_is_found() {
    let copy = Copy::of("pi5");
    let (name, away) = (copy.path("sys/class/hwmon/hwmon2"), copy.path("away"));
    fs::rename(&name, &away).unwrap();
    let start = Instant::now();
    let mut board = Board::start(copy.roots(), 16_384, start);
    fs::rename(&away, &name).unwrap();
    assert_eq!(board.collect_at(after(start, 1)).fan, None);
    assert_eq!(board.collect_at(start + SEARCH_INTERVAL).fan.unwrap().rpm, Some(3120));
}

#[test]
fn readings_too_close_for_a_rate_do_not_spoil_the_next_one() {
    let copy = Copy::of("pi4");
    let start = Instant::now();
    let mut board = Board::start(copy.roots(), 4096, start);
    let sample = board.collect_at(start + Duration::from_millis(1));
    assert_eq!((sample.net, sample.disk, sample.retransmits_per_sec), (None, None, None));
    assert_eq!(sample.temperature_c, Some(82.3));
    copy.edit("proc/net/dev", "912034410", "912034910");
    let sample = board.collect_at(after(start, 1));
    assert_eq!(received(sample.net), Some(500.0));
}

#[test]
fn readings_of_the_firmware_are_dropped_when_nobody_renews_them() {
    let copy = Copy::of("pi4");
    let start = Instant::now();
    let mut board = Board::start(copy.roots(), 4096, start);
    let sample = board.collect_at(after(start, 1));
    assert_eq!((sample.cpu_freq_mhz, sample.cpu_freq_requested_mhz), (Some(1000.3), Some(1800.0)));
    copy.edit("proc/uptime", "86401.75", "86411.75");
    let sample = board.collect_at(after(start, 2));
    assert_eq!((sample.throttled, sample.firmware), (None, None));
    // The clock that Linux asked for is not shown as the actual one.
    assert_eq!((sample.cpu_freq_mhz, sample.cpu_freq_requested_mhz), (None, Some(1800.0)));
    assert_eq!(sample.unreadable, ["firmware"]);
    fs::remove_file(copy.path("run/fastgo/firmware/readings")).unwrap();
    assert_eq!(board.collect_at(after(start, 3)).unreadable, [] as [&str; 0]);
    // Elsewhere the kernel sets the clock itself.
    fs::write(copy.path("proc/device-tree/model"), "Banana Pi BPI-M5").unwrap();
    let mut board = Board::start(copy.roots(), 4096, start);
    assert_eq!(board.collect_at(after(start, 1)).cpu_freq_mhz, Some(1800.0));
}

#[test]
fn a_wireless_board_has_a_signal_and_an_emmc_its_wear() {
    let copy = Copy::of("pi4");
    copy.edit("proc/net/route", "\t600\t", "\t50\t");
    fs::create_dir(copy.path("sys/block/mmcblk0/device")).unwrap();
    fs::write(copy.path("sys/block/mmcblk0/device/life_time"), "0x01 0x02\n").unwrap();
    fs::write(copy.path("sys/block/mmcblk0/device/pre_eol_info"), "0x01\n").unwrap();
    let start = Instant::now();
    let mut board = Board::start(copy.roots(), 4096, start);
    let sample = board.collect_at(after(start, 1));
    assert_eq!(sample.net.unwrap().signal_dbm, Some(-52));
    assert_eq!(sample.disk.unwrap().wear, Some(Wear { used_percent: 20, reserve: Some("normal") }));
}
