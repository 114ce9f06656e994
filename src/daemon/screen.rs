//! The output of `fastgo all`: each line begins with the name of the process that wrote it.

use std::io::{self, IsTerminal as _};
use std::time::SystemTime;

use super::journal;
use crate::terminal::may_colour;

/// The supervisor's own name on the screen.
pub(super) const SUPERVISOR: &str = "fastgo";
/// Columns for the longest name, `worker-pool`.
const WIDTH: usize = 11;
const PLAIN: &str = "\x1b[0m";
const DIM: &str = "\x1b[2m";
const BOLD: &str = "\x1b[1m";
/// Of the engines' names, by their order.
const COLOURS: [&str; 6] = ["\x1b[36m", "\x1b[35m", "\x1b[33m", "\x1b[32m", "\x1b[34m", "\x1b[31m"];

/// How lines are decorated on stderr.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Screen {
    /// Names have colours.
    pub(super) colours: bool,
    /// Lines have a time: for files, which are read later.
    pub(super) timestamps: bool,
}

impl Screen {
    /// As suits what stderr is. The journal notes times by itself.
    pub(super) fn of_stderr() -> Self {
        Self { colours: may_colour(&io::stderr()), timestamps: !io::stderr().is_terminal() && !journal::is_stderr() }
    }

    /// What comes before a line of `name`, the engine at `index` or the supervisor.
    pub(super) fn prefix(self, name: &str, index: Option<usize>) -> String {
        let time = if self.timestamps {
            format!("{} ", humantime::format_rfc3339_millis(SystemTime::now()))
        } else {
            String::new()
        };
        if !self.colours {
            return format!("{name:<WIDTH$} | {time}");
        }
        let colour = index.map_or(BOLD, |index| COLOURS[index % COLOURS.len()]);
        format!("{colour}{name:<WIDTH$}{PLAIN} {DIM}| {time}{PLAIN}")
    }

    /// Where to look first, and the same place as seen by others.
    pub(super) fn dashboard(self, urls: &[String]) -> String {
        let (bold, plain) = if self.colours { (BOLD, PLAIN) } else { ("", "") };
        let mut lines = urls.iter().map(|url| format!("{url}/compare3"));
        let first = lines.next().map(|line| format!("{bold}dashboard {line}{plain}\n"));
        first.into_iter().chain(lines.map(|line| format!("          {line}\n"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_aligned_and_coloured_on_request() {
        let plain = Screen::default();
        assert_eq!(plain.prefix("may", Some(1)), "may         | ");
        assert_eq!(plain.prefix("worker-pool", Some(0)), "worker-pool | ");
        let coloured = Screen { colours: true, ..plain };
        assert_eq!(coloured.prefix("may", Some(1)), "\x1b[35mmay        \x1b[0m \x1b[2m| \x1b[0m");
        let timed = Screen { timestamps: true, ..plain }.prefix("may", Some(1));
        assert!(timed.starts_with("may         | 20") && timed.ends_with("Z "), "{timed}");
    }

    #[test]
    fn every_address_of_the_dashboard_is_told() {
        let urls = ["http://localhost:80", "http://pi.local:80"].map(str::to_owned);
        assert_eq!(
            Screen::default().dashboard(&urls),
            "dashboard http://localhost:80/compare3\n          http://pi.local:80/compare3\n"
        );
    }
}
