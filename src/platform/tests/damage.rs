//! Files that are missing, empty, cut short or full of noise.

use std::{fs, time::Instant};

use super::{
    super::{Board, BoardSample},
    Copy, after, as_json, files_under, roots_in,
};

#[test]
fn a_machine_that_tells_nothing() {
    let nothing = BoardSample { page_size: 4096, ..BoardSample::default() };
    let start = Instant::now();
    let nowhere = tempfile::tempdir().unwrap();
    let mut board = Board::start(roots_in(nowhere.path()), 4096, start);
    assert_eq!(board.collect_at(after(start, 1)), nothing);

    // Every file empty, or full of noise.
    for content in ["".as_bytes(), b"\0", b"\xff\xfe\x80", b"\x01 ?: = \n\n\x02 -", b"one two\n\x03\n"] {
        let copy = Copy::of("pi5");
        for file in files_under(copy.0.path()) {
            fs::write(file, content).unwrap();
        }
        let mut board = Board::start(copy.roots(), 4096, start);
        let sample = board.collect_at(after(start, 1));
        // Found, and not understood; sensors are not even found, because their names are missing.
        let unreadable =
            ["frequency", "firmware", "cores", "load", "memory", "sockets", "listen_queues", "retransmits"];
        let missing = unreadable.iter().filter(|name| !sample.unreadable.contains(name));
        assert_eq!(missing.collect::<Vec<_>>(), [] as [&&str; 0], "{content:?}: {:?}", sample.unreadable);
        assert_eq!(BoardSample { unreadable: Vec::new(), ..sample }, nothing, "{content:?}");
    }
}

#[test]
fn damage_to_one_file_leaves_the_others() {
    let start = Instant::now();
    let whole = ["cpu_freq_mhz", "listen_drops", "load", "memory", "psi", "sockets", "temperature_c"];
    for board in ["pi4", "pi5"] {
        let copy = Copy::of(board);
        let sample = || as_json(&Board::start(copy.roots(), 4096, start).collect_at(after(start, 1)));
        let sound = sample();
        for file in files_under(copy.0.path()) {
            let good = fs::read_to_string(&file).unwrap();
            let damaged = [
                good[..good.len() / 2].to_owned(),
                good.replace(' ', "\n"),
                good.replace(|c: char| c.is_ascii_digit(), "99999999999999999999"),
                good.replace(':', "é"),
                good.replace("avg10", "é"),
            ];
            for bad in damaged {
                fs::write(&file, &bad).unwrap();
                let damaged = sample();
                let changed = whole.iter().filter(|key| damaged[**key] != sound[**key]);
                assert!(changed.count() <= 1, "{file:?} {bad:?}: {damaged}");
            }
            fs::write(&file, good).unwrap();
        }
        assert_eq!(sample(), sound);
    }
}
