//! Output for people, shared by the commands: restrained colour and readable numbers.

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::Duration;

/// Adds ANSI colour, or nothing at all.
///
/// Where [`may_colour`] allows it.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    colour: bool,
}

/// Whether text for `stream` may be coloured: on a terminal, or where `CLICOLOR_FORCE` asks for it; not when `NO_COLOR` is set to
/// anything but the empty string (<https://no-color.org>) or `TERM` is `dumb`.
pub fn may_colour(stream: &impl IsTerminal) -> bool {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let forced = given("CLICOLOR_FORCE").is_some_and(|value| value != "0");
    given("NO_COLOR").is_none()
        && (forced || (stream.is_terminal() && given("TERM").is_none_or(|value| value != "dumb")))
}

impl Paint {
    /// Decides for one stream, for example `std::io::stdout()`.
    pub fn for_stream(stream: &impl IsTerminal) -> Self {
        Self { colour: may_colour(stream) }
    }

    /// Never any colour.
    #[cfg(test)]
    pub const fn plain() -> Self {
        Self { colour: false }
    }

    /// What matters on the line.
    pub fn bold(self, text: impl Display) -> String {
        self.wrap("1", text)
    }

    /// Labels and asides.
    pub fn dim(self, text: impl Display) -> String {
        self.wrap("2", text)
    }

    /// Something is wrong.
    pub fn red(self, text: impl Display) -> String {
        self.wrap("31", text)
    }

    /// Something is as it should be.
    pub fn green(self, text: impl Display) -> String {
        self.wrap("32", text)
    }

    /// Something deserves a look.
    pub fn yellow(self, text: impl Display) -> String {
        self.wrap("33", text)
    }

    fn wrap(self, code: &str, text: impl Display) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
}

/// `60000` as `60,000`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration with three significant digits in the unit a person would choose: `85 µs`, `1.24 ms`, `12.3 s`.
pub fn short(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    let (value, unit) = if micros < 999.5 {
        (micros, "µs")
    } else if micros < 999.5e3 {
        (micros / 1e3, "ms")
    } else {
        (micros / 1e6, "s")
    };
    if unit == "µs" || value >= 99.95 {
        format!("{value:.0} {unit}")
    } else if value >= 9.995 {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.2} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped_from_the_right() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_000), "1,000");
        assert_eq!(thousands(1_234_567), "1,234,567");
    }

    #[test]
    fn durations_keep_three_digits_across_unit_changes() {
        for (micros, text) in [
            (0, "0 µs"),
            (85, "85 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (1_236, "1.24 ms"),
            (99_960, "100 ms"),
            (999_600, "1.00 s"),
            (12_340_000, "12.3 s"),
            (754_000_000, "754 s"),
        ] {
            assert_eq!(short(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn plain_paint_adds_nothing() {
        assert_eq!(Paint::plain().red("x"), "x");
        assert_eq!(Paint { colour: true }.red("x"), "\x1b[31mx\x1b[0m");
    }
}
