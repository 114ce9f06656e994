//! The signals that end or reload the process, delivered to a thread that waits for them.

use std::io;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

/// What the operator or the service manager asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM: drain and exit.
    Terminate,
    /// SIGINT, Ctrl-C: drain and exit.
    Interrupt,
    /// SIGHUP: reload under a service manager; elsewhere the terminal was closed.
    Hangup,
}

impl Signal {
    fn from_number(number: i32) -> Self {
        match number {
            SIGINT => Self::Interrupt,
            SIGHUP => Self::Hangup,
            _ => Self::Terminate,
        }
    }
}

/// The signals of this process from the moment of [`Signals::listen`] on; an endless iterator that blocks.
#[derive(Debug)]
pub struct Signals(iterator::Signals);

impl Signals {
    /// Takes over SIGTERM, SIGINT and SIGHUP. A SIGHUP that was ignored at start (`nohup`) stays ignored.
    pub fn listen() -> io::Result<Self> {
        let signals = iterator::Signals::new([SIGTERM, SIGINT])?;
        if !ignored_at_start(SIGHUP) {
            signals.add_signal(SIGHUP)?;
        }
        Ok(Self(signals))
    }

    /// From now on SIGTERM and SIGINT end the process at once with exit code 1: the operator's second signal.
    pub fn end_process_on_next(mut self) -> io::Result<()> {
        std::thread::Builder::new().name("signals".into()).spawn(move || {
            self.find(|signal| *signal != Signal::Hangup);
            tracing::warn!(event = "abort", "second signal: ending at once");
            signal_hook::low_level::exit(1)
        })?;
        Ok(())
    }
}

impl Iterator for Signals {
    type Item = Signal;

    fn next(&mut self) -> Option<Signal> {
        self.0.forever().next().map(Signal::from_number)
    }
}

/// Whether the parent process had this one ignore signal `number` (`SigIgn` in proc(5)).
fn ignored_at_start(number: i32) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, number))
}

fn ignores(status: &str, number: i32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (number - 1)) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tfastgo\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert!(ignores(status, SIGHUP));
        assert!(!ignores(status, SIGINT));
        assert!(!ignores("", SIGHUP));
    }

    #[test]
    fn signals_arrive_in_the_waiting_thread() {
        let mut signals = Signals::listen().unwrap();
        let mut expected = vec![(SIGTERM, Signal::Terminate), (SIGINT, Signal::Interrupt)];
        if !ignored_at_start(SIGHUP) {
            expected.push((SIGHUP, Signal::Hangup));
        }
        for (number, signal) in expected {
            signal_hook::low_level::raise(number).unwrap();
            assert_eq!(signals.next(), Some(signal));
        }
    }
}
