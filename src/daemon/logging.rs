//! Where log records go: one calm line each on stderr, or the journal's native fields when stderr is the journal.
//!
//! Call sites name what happened in the field `event` and say it in a sentence:
//! `tracing::info!(event = "start", workers, "listening on http://{address}")`.

use std::io::{self, Write as _};
use std::sync::OnceLock;
use std::time::SystemTime;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use super::journal::{self, Journal};
use super::log_record::Record;
use super::screen::{SUPERVISOR, Screen};
use super::supervised;
use crate::terminal::may_colour;

/// Starts logging for a process that serves with `engine`.
///
/// # Errors
/// Logging has been started before.
pub fn init(filter: Targets, engine: &'static str) -> anyhow::Result<()> {
    let speaker = if supervised::is_supervised() { Speaker::Child } else { Speaker::Alone };
    start(filter, Some(engine), speaker)
}

/// Starts logging for a process that serves nothing, on behalf of `engine` if it is given.
///
/// # Errors
/// Logging has been started before.
pub fn init_helper(engine: Option<&'static str>) -> anyhow::Result<()> {
    start(Targets::new().with_default(LevelFilter::INFO), engine, Speaker::Alone)
}

/// Starts logging for a service that ends before its settings are known, so that the journal has the reason under its
/// priority and engine. On a terminal plain lines do.
pub fn init_for_failure(engine: &'static str) {
    if journal::is_stderr() {
        // If that fails, the reason goes to stderr as it is.
        let _ = init_helper(Some(engine));
    }
}

/// Starts logging for the process that supervises the engines.
///
/// # Errors
/// Logging has been started before.
pub fn init_supervisor(filter: Targets) -> anyhow::Result<()> {
    start(filter, None, Speaker::Supervisor(Screen::of_stderr()))
}

/// Decides from now on by `filter` which records are written.
pub fn set_filter(filter: Targets) {
    if let Some(handle) = FILTER.get() {
        // Fails only when the subscriber is gone, which it never is.
        let _ = handle.reload(filter);
    }
}

/// The filter of the process's log.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

fn start(filter: Targets, engine: Option<&'static str>, speaker: Speaker) -> anyhow::Result<()> {
    let registry = tracing_subscriber::registry();
    let (filter, handle) = reload::Layer::new(filter);
    if journal::is_stderr()
        && let Ok(journal) = Journal::new(engine)
    {
        registry.with(journal.with_filter(filter)).try_init()?;
    } else {
        let lines = Lines { speaker, colours: may_colour(&io::stderr()) };
        registry.with(lines.with_filter(filter)).try_init()?;
    }
    let _ = FILTER.set(handle);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let reason = payload.downcast_ref::<&str>().copied();
        let reason = reason.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason");
        tracing::error!(event = "panic", place, "panic: {reason}");
    }));
    Ok(())
}

/// Who writes the lines.
enum Speaker {
    /// A process of its own: each line has a time.
    Alone,
    /// A child of `fastgo all`, which adds what is missing.
    Child,
    /// `fastgo all` itself.
    Supervisor(Screen),
}

/// Writes each record as one line on stderr.
struct Lines {
    speaker: Speaker,
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
        let start = match self.speaker {
            Speaker::Alone => format!("{dim}{}{plain} ", humantime::format_rfc3339_millis(now)),
            Speaker::Child => String::new(),
            Speaker::Supervisor(screen) => screen.prefix(SUPERVISOR, None),
        };
        let Record { message, fields, .. } = record;
        let fields = if fields.is_empty() { String::new() } else { format!("{dim}{fields}{plain}") };
        format!("{start}{colour}{level:>5}{plain} {message}{fields}\n")
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = self.line(SystemTime::now(), *event.metadata().level(), &Record::of(event));
        // One write keeps lines of several threads whole. Best effort: stderr may be closed.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn line(speaker: Speaker, colours: bool) -> String {
        let record = Record { message: "hello".into(), event: Some("start".into()), fields: " port=8080".into() };
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_875_200_123);
        Lines { speaker, colours }.line(time, Level::WARN, &record)
    }

    #[test]
    fn a_line_is_plain_unless_asked_otherwise() {
        assert_eq!(line(Speaker::Child, false), " WARN hello port=8080\n");
        assert_eq!(line(Speaker::Alone, false), "2025-11-23T05:20:00.123Z  WARN hello port=8080\n");
        assert_eq!(line(Speaker::Child, true), "\x1b[33m WARN\x1b[0m hello\x1b[2m port=8080\x1b[0m\n");
        let supervisor = Speaker::Supervisor(Screen::default());
        assert_eq!(line(supervisor, false), "fastgo      |  WARN hello port=8080\n");
    }
}
