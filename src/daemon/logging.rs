//! Where log records go: one calm line each on stderr, or the journal's native fields when stderr is the journal.
//!
//! Call sites name what happened in the field `event` and say it in a sentence:
//! `tracing::info!(event = "start", workers, "listening on http://{address}")`.

use std::io::{self, IsTerminal, Write};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::journal::{self, Journal};
use super::log_record::Record;
use super::supervised;

/// Starts logging for the whole process. `filter` is what [`parse_filter`] reads; `engine` the one this process serves.
///
/// # Errors
/// A filter that cannot be read, or logging that has been started before.
pub fn init(filter: &str, engine: Option<&'static str>) -> anyhow::Result<()> {
    let targets = parse_filter(filter)?;
    let registry = tracing_subscriber::registry();
    if journal::is_stderr()
        && let Ok(journal) = Journal::new(engine)
    {
        registry.with(journal.with_filter(targets)).try_init()?;
    } else {
        let lines = Lines { timestamps: !supervised::is_supervised(), colours: colours_on_stderr() };
        registry.with(lines.with_filter(targets)).try_init()?;
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let reason = payload.downcast_ref::<&str>().copied();
        let reason = reason.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason");
        tracing::error!(event = "panic", place, "panic: {reason}");
    }));
    Ok(())
}

/// Reads `info`, `warn,fastgo=debug` and the like: a level for everything, and levels for targets by their prefix.
///
/// # Errors
/// An unknown level, or a word that is neither a level nor `target=level`.
pub fn parse_filter(filter: &str) -> anyhow::Result<Targets> {
    const EXPECTED: &str = "expected off, error, warn, info, debug, trace or target=level";
    for directive in filter.split(',') {
        // `Targets` would take a misspelt level for the name of a target.
        let level = directive.split_once('=').map_or(directive, |(_, level)| level).trim();
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            bail!("log filter: {directive:?}: {EXPECTED}");
        }
    }
    filter.parse().with_context(|| format!("log filter: {filter:?}: {EXPECTED}"))
}

/// Whether text on stderr may be coloured: on a terminal, or for a supervisor that says so, unless `NO_COLOR` is set.
pub(super) fn colours_on_stderr() -> bool {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    given("NO_COLOR").is_none()
        && (io::stderr().is_terminal() || given("CLICOLOR_FORCE").is_some_and(|value| value != "0"))
}

/// Writes each record as one line on stderr.
struct Lines {
    timestamps: bool,
    colours: bool,
}

impl Lines {
    fn line(&self, now: SystemTime, level: Level, record: &Record) -> String {
        let (colour, dim, plain) = match (self.colours, level) {
            (false, _) => ("", "", ""),
            (true, Level::ERROR) => ("\x1b[31m", "\x1b[2m", "\x1b[0m"),
            (true, Level::WARN) => ("\x1b[33m", "\x1b[2m", "\x1b[0m"),
            (true, Level::INFO) => ("\x1b[32m", "\x1b[2m", "\x1b[0m"),
            (true, _) => ("\x1b[34m", "\x1b[2m", "\x1b[0m"),
        };
        let time = if self.timestamps {
            format!("{dim}{}{plain} ", humantime::format_rfc3339_millis(now))
        } else {
            String::new()
        };
        let Record { message, fields, .. } = record;
        let fields = if fields.is_empty() { String::new() } else { format!("{dim}{fields}{plain}") };
        format!("{time}{colour}{level:>5}{plain} {message}{fields}\n")
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = self.line(SystemTime::now(), *event.metadata().level(), &Record::of(event));
        // One write keeps lines of several threads whole; nobody is left to tell when stderr is gone.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(timestamps: bool, colours: bool) -> String {
        let record = Record { message: "hello".into(), event: Some("start".into()), fields: " port=8080".into() };
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_875_200_123);
        Lines { timestamps, colours }.line(time, Level::WARN, &record)
    }

    #[test]
    fn a_line_is_plain_unless_asked_otherwise() {
        assert_eq!(line(false, false), " WARN hello port=8080\n");
        assert_eq!(line(true, false), "2025-11-23T05:20:00.123Z  WARN hello port=8080\n");
        assert_eq!(line(false, true), "\x1b[33m WARN\x1b[0m hello\x1b[2m port=8080\x1b[0m\n");
    }

    #[test]
    fn filters_are_levels_and_targets_with_levels() {
        for good in ["info", "debug", "WARN", "off", "fastgo=debug", "warn,fastgo=debug, hyper=trace"] {
            parse_filter(good).unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for bad in ["", "inof", "fastgo", "fastgo=loud", "info,", "=debug=x"] {
            let error = parse_filter(bad).expect_err(bad).to_string();
            assert!(error.contains("expected off, error"), "{error}");
        }
        let targets = parse_filter("warn,fastgo=debug").unwrap();
        assert!(targets.would_enable("fastgo::engine", &Level::DEBUG));
        assert!(!targets.would_enable("hyper", &Level::INFO));
    }
}
