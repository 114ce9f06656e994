//! What a check finds.

use serde::Serialize;

/// A finding about one limit.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// The limit as a number, where it is one, and the least that is enough.
    pub(super) value: Option<u64>,
    pub(super) wanted: Option<u64>,
    /// What there is.
    pub(super) found: String,
    /// What it is for, and what happens without.
    pub(super) why: String,
    /// Commands that fix it, to be run as they are.
    pub(super) fix: Vec<String>,
    /// Whether `--fix` runs them: they change a limit, now and for every start, and nothing else.
    #[serde(skip)]
    pub(super) automatic: bool,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Enough.
    Fine,
    /// Enough, but something could be better.
    Advice,
    /// Not enough.
    Short,
    /// Unavailable on this machine.
    Unknown,
}

impl Check {
    pub(super) fn fine(name: &'static str, found: impl Into<String>) -> Self {
        let found = found.into();
        Self {
            name,
            verdict: Verdict::Fine,
            value: None,
            wanted: None,
            found,
            why: String::new(),
            fix: Vec::new(),
            automatic: false,
        }
    }

    /// A limit that is enough when it is at least `wanted`; `is` adds what it is for if it is not.
    pub(super) fn limit(name: &'static str, found: impl Into<String>, value: u64, wanted: u64) -> Self {
        Self { value: Some(value), wanted: Some(wanted), ..Self::fine(name, found) }
    }

    pub(super) fn is_short(&self) -> bool {
        self.verdict == Verdict::Short
    }

    pub(super) fn is_enough(&self) -> bool {
        self.value >= self.wanted
    }

    pub(super) fn unknown(name: &'static str) -> Self {
        Self { verdict: Verdict::Unknown, ..Self::fine(name, "unavailable here") }
    }

    pub(super) fn is(self, verdict: Verdict, why: impl Into<String>) -> Self {
        Self { verdict, why: why.into(), ..self }
    }

    pub(super) fn fix(mut self, command: impl Into<String>) -> Self {
        self.fix.push(command.into());
        self
    }

    /// Sets a sysctl now, and at every start: in a file of its own, so that a second run does not add a second line.
    pub(super) fn sysctl(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.automatic = true;
        let name = key.rsplit('.').next().unwrap_or(key);
        self.fix(format!("sudo sysctl -w '{key}={value}'"))
            .fix(format!("echo '{key} = {value}' | sudo tee /etc/sysctl.d/90-fastgo-{name}.conf"))
    }
}
