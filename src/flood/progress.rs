//! What standard error shows while the flood runs: one line that is overwritten on a terminal; elsewhere a new line
//! whenever the figures have changed.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::coordinator::{Phase, Status};
use super::plan::Plan;
use super::server::MIB;
use crate::terminal::{Paint, short, thousands};

/// The end of the overwritten line: whatever was longer before is erased.
const ERASE: &str = "\r\x1b[K";
/// A line wider than the terminal is cut off there: a wrapped one could not be overwritten.
const NO_WRAP: (&str, &str) = ("\x1b[?7l", "\x1b[?7h");

/// The line on standard error.
pub(super) struct Progress {
    paint: Paint,
    terminal: bool,
    /// The figures of the last line, without the time.
    last: String,
}

impl Progress {
    pub(super) fn new() -> Self {
        let stderr = io::stderr();
        Self { paint: Paint::for_stream(&stderr), terminal: stderr.is_terminal(), last: String::new() }
    }

    /// How often to call [`Self::show`].
    pub(super) fn every(&self) -> Duration {
        Duration::from_millis(if self.terminal { 200 } else { 1_000 })
    }

    pub(super) fn announce(&self, plan: &Plan) {
        eprintln!("{}", plan.headline());
        for warning in &plan.warnings {
            eprintln!("{} {warning}", self.paint.yellow("note:"));
        }
    }

    pub(super) fn show(&mut self, plan: &Plan, status: &Status) {
        let figures = self.figures(status);
        let label = self.paint.dim(format!("{:<14}", label(plan, status)));
        let mut stderr = io::stderr().lock();
        // Best effort: a closed standard error is no reason to stop.
        let _ = if self.terminal {
            write!(stderr, "{ERASE}{}{label} {figures}{}", NO_WRAP.0, NO_WRAP.1).and_then(|()| stderr.flush())
        } else if figures == self.last {
            Ok(())
        } else {
            writeln!(stderr, "{label} {figures}")
        };
        self.last = figures;
    }

    pub(super) fn clear(&self) {
        if self.terminal {
            eprint!("{ERASE}");
        }
    }

    fn figures(&self, status: &Status) -> String {
        let total = &status.total;
        let mut failed = format!("failed {}", thousands(total.failed()));
        if total.failed() > 0 {
            failed = self.paint.red(failed);
        }
        let open = thousands(status.open as u64);
        let latency = if total.paced.count() > 0 { &total.paced } else { &total.first };
        let holding = status.phase != Phase::Ramp && total.paced.count() == 0;
        // While connections are only held, the latency of their first request does not change any more.
        let latency = match latency.count() {
            0 => String::new(),
            _ if holding => String::new(),
            _ => format!("  p50 {}  p99 {}", short(latency.at(0.5)), short(latency.at(0.99))),
        };
        let server = status.server.as_ref().map(|sample| format!("  server {:.1} MiB", sample.resident() / MIB));
        format!("open {open}  answered {}  {failed}{latency}{}", thousands(total.answered), server.unwrap_or_default())
    }
}

fn label(plan: &Plan, status: &Status) -> String {
    let (name, took, of) = match status.phase {
        Phase::Ramp => ("ramp", status.ramp_took(), plan.ramp),
        Phase::Hold => ("hold", status.hold_took(), plan.hold),
        Phase::Finish => return "finish".to_owned(),
    };
    format!("{name:<4} {}/{} s", took.as_secs(), of.as_secs_f64().ceil())
}
