//! The manual pages, one of all commands and one of each, made from the command line's own descriptions.

mod texts;

use std::io::{self, IsTerminal as _, Write};
use std::process::{self, ExitCode, Stdio};

use clap::{Arg, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::config::{BadSettings, SETTINGS};
use texts::{ENVIRONMENT, EXAMPLES, EXIT_STATUS, EXIT_STATUS_OF, FILES, SIGNALS};

/// Opens the page of `sub`, or the one of all commands, with man(1) on a terminal; prints its source elsewhere, and where
/// there is no man(1).
///
/// # Errors
/// There is no such command, or standard output cannot be written.
pub(super) fn show(mut command: Command, sub: Option<&str>) -> anyhow::Result<ExitCode> {
    command.build();
    let page = match sub {
        None => page_of_all(&command)?,
        Some(name) => match visible(&command).find(|sub| sub.get_name() == name) {
            Some(sub) => page_of(sub)?,
            None => anyhow::bail!(BadSettings::one(format!("there is no command {name:?} with a page"))),
        },
    };
    if !(io::stdout().is_terminal() && open(&page).is_ok_and(|opened| opened)) {
        io::stdout().write_all(&page)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn open(page: &[u8]) -> io::Result<bool> {
    let mut man = process::Command::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn()?;
    if let Some(mut input) = man.stdin.take() {
        input.write_all(page)?;
    }
    Ok(man.wait()?.success())
}

fn page_of_all(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    let mut roff = Roff::new();
    let usages = visible(command).map(|sub| format!(" {}{}", sub.get_name(), usage(sub)));
    synopsis(&mut roff, "fastgo", std::iter::once(" [OPTIONS]".to_owned()).chain(usages));
    roff.control("SH", ["COMMANDS"]);
    for sub in visible(command) {
        roff.control("SS", [format!("fastgo {}", sub.get_name()).as_str()]);
        description(&mut roff, sub);
        if has_settings(sub) {
            paragraphs(&mut roff, "And the options under SETTINGS.");
        }
    }
    settings(&mut roff);
    list(&mut roff, "ENVIRONMENT", ENVIRONMENT.iter().copied());
    list(&mut roff, "FILES", FILES.iter().map(|(_, path, what)| (*path, *what)));
    list(&mut roff, "EXIT STATUS", EXIT_STATUS.iter().copied());
    list(&mut roff, "SIGNALS", SIGNALS.iter().copied());
    list(&mut roff, "EXAMPLES", EXAMPLES.iter().copied());
    let pages: Vec<_> = visible(command).map(|sub| format!("fastgo-{}(1)", sub.get_name())).collect();
    roff.control("SH", ["SEE ALSO"]);
    paragraphs(&mut roff, &pages.join(", "));
    roff.to_writer(&mut page)?;
    Ok(page)
}

fn page_of(sub: &Command) -> io::Result<Vec<u8>> {
    let name = sub.get_name();
    let mut page = Vec::new();
    let mut roff = Roff::new();
    roff.control("TH", [format!("fastgo-{name}").as_str(), "1", "", concat!("fastgo ", env!("CARGO_PKG_VERSION"))]);
    roff.control("SH", ["NAME"]);
    let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
    roff.text([roman(format!("fastgo-{name} - {about}"))]);
    synopsis(&mut roff, &format!("fastgo {name}"), std::iter::once(usage(sub)));
    roff.control("SH", ["DESCRIPTION"]);
    description(&mut roff, sub);
    if has_settings(sub) {
        settings(&mut roff);
        list(&mut roff, "SIGNALS", SIGNALS.iter().copied());
    }
    let files = FILES.iter().filter(|(commands, ..)| commands.contains(&name)).map(|(_, path, what)| (*path, *what));
    list(&mut roff, "FILES", files);
    let own = EXIT_STATUS_OF.iter().find(|(command, _)| *command == name).map_or(EXIT_STATUS, |(_, codes)| *codes);
    list(&mut roff, "EXIT STATUS", own.iter().copied());
    roff.control("SH", ["SEE ALSO"]);
    paragraphs(&mut roff, "fastgo(1)");
    roff.to_writer(&mut page)?;
    Ok(page)
}

fn synopsis(roff: &mut Roff, command: &str, usages: impl Iterator<Item = String>) {
    roff.control("SH", ["SYNOPSIS"]);
    for (place, usage) in usages.enumerate() {
        if place > 0 {
            roff.control("br", []);
        }
        roff.text([bold(command), roman(usage)]);
    }
}

/// What a command does, its own options, and those of the commands under it.
fn description(roff: &mut Roff, command: &Command) {
    paragraphs(roff, &command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default());
    for arg in command.get_arguments().filter(|arg| !is_setting(arg) && !is_help(arg)) {
        option(roff, arg);
    }
    for sub in visible(command) {
        roff.control("TP", []);
        roff.text([bold(sub.get_name()), roman(usage(sub))]);
        roff.text([roman(sub.get_long_about().or(sub.get_about()).map(ToString::to_string).unwrap_or_default())]);
        roff.control("RS", []);
        for arg in sub.get_arguments().filter(|arg| !is_help(arg)) {
            option(roff, arg);
        }
        roff.control("RE", []);
    }
}

fn settings(roff: &mut Roff) {
    roff.control("SH", ["SETTINGS"]);
    paragraphs(
        roff,
        "For all and serve. Each is a flag and an environment variable; the flag wins. Durations are written as 250ms, \
         15s or 1m, sizes as 16KiB or 1MiB.",
    );
    for row in SETTINGS {
        roff.control("TP", []);
        let value = italic(row.value);
        roff.text(match row.flag {
            Some(flag) => vec![bold(format!("--{flag} ")), value],
            None => vec![bold(format!("{}=", row.env)), value],
        });
        roff.text([roman(format!("{}. Default: {}. Variable: {}", row.doc, row.default.description(), row.env))]);
    }
}

fn list(roff: &mut Roff, title: &str, entries: impl Iterator<Item = (&'static str, &'static str)>) {
    for (place, (term, meaning)) in entries.enumerate() {
        if place == 0 {
            roff.control("SH", [title]);
        }
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(meaning)]);
    }
}

/// What follows a command in its synopsis.
fn usage(command: &Command) -> String {
    let positionals = command.get_positionals().map(|arg| {
        let name = arg.get_value_names().and_then(|names| names.first()).map_or("VALUE", |name| name.as_str());
        if arg.is_required_set() { format!(" {name}") } else { format!(" [{name}]") }
    });
    let actions: Vec<_> = visible(command).map(|sub| sub.get_name().to_owned()).collect();
    let action = if actions.is_empty() { String::new() } else { format!(" {}", actions.join("|")) };
    let options = if command.get_opts().any(|arg| !is_help(arg)) { " [OPTIONS]" } else { "" };
    format!("{}{action}{options}", positionals.collect::<String>())
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn has_settings(command: &Command) -> bool {
    command.get_arguments().any(is_setting)
}

fn is_setting(arg: &Arg) -> bool {
    arg.get_help_heading() == Some("Settings")
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn option(roff: &mut Roff, arg: &Arg) {
    let mut term = Vec::new();
    if let Some(short) = arg.get_short() {
        term.push(bold(format!("-{short}, ")));
    }
    if let Some(long) = arg.get_long() {
        term.push(bold(format!("--{long} ")));
    }
    if arg.get_num_args().is_some_and(|count| count.takes_values()) {
        term.extend(arg.get_value_names().unwrap_or_default().iter().map(|name| italic(name.as_str())));
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let listed = |before: &str, items: String| {
        let shown = arg.get_action().takes_values() && !items.is_empty();
        if shown { format!("{before}{items}") } else { String::new() }
    };
    let text = [help, listed(": ", values.join(", ")), listed(". Default: ", defaults.join(", "))].concat();
    roff.control("TP", []);
    roff.text(term);
    roff.text([roman(text)]);
}

fn paragraphs(roff: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n") {
        roff.control("PP", []);
        roff.text([roman(paragraph.replace('\n', " "))]);
    }
}
