//! Signals at odd moments: before there is anything to stop, and from a terminal that goes away.

use std::process::Command;

use crate::common::{Process, every_engine, wait_for};
use rustix::process::Signal;

fn serve(engine: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    Process::spawn(command.args(["serve", engine, "--bind", "127.0.0.1", "--port", "0"]).env_clear())
}

/// Waits until the process takes `signal` itself (`SigCgt` of proc(5)).
fn wait_until_caught(process: &Process, signal: Signal) {
    let path = format!("/proc/{}/status", process.pid().as_raw_nonzero());
    wait_for("the signal to be caught", || {
        let status = std::fs::read_to_string(&path).expect("status");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("SigCgt");
        let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
        (mask & (1 << (signal.as_raw() - 1)) != 0).then_some(())
    });
}

#[test]
fn a_signal_while_it_starts_stops_it_cleanly() {
    every_engine(|engine| {
        let mut process = serve(engine);
        wait_until_caught(&process, Signal::TERM);
        process.signal(Signal::TERM);
        assert_eq!(process.wait_for_exit().code(), Some(0));
        process.wait_for_log("all requests were completed");
    });
}

#[test]
fn a_terminal_that_goes_away_stops_it() {
    let mut process = serve("hyper");
    process.wait_for_log("listening on http://");
    process.signal(Signal::HUP);
    assert_eq!(process.wait_for_exit().code(), Some(0));
    process.wait_for_log("all requests were completed");
}
