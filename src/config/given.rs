//! The settings as given, by flag or environment variable, and how they become a [`Config`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::{Config, EngineKind, SETTINGS, Setting, TOKEN_VARIABLE};

/// The settings that were given. An empty value counts as absent, as `PORT=` in an environment file does.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// By variable.
    given: BTreeMap<&'static str, Given>,
}

#[derive(Debug, Clone)]
struct Given {
    text: String,
    /// From the command line, rather than from the environment.
    by_flag: bool,
}

/// Every setting that is wrong, one line each.
#[derive(Debug)]
pub struct BadSettings(Vec<String>);

impl fmt::Display for BadSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for BadSettings {}

impl BadSettings {
    /// One thing that is wrong.
    pub fn one(problem: impl Into<String>) -> Self {
        Self(vec![problem.into()])
    }
}

impl Settings {
    /// The same with a value for the setting of this variable, as if its flag had been given.
    #[must_use]
    pub fn with(mut self, env: &str, text: &str) -> Self {
        self.insert(row(env), text, true);
        self
    }

    /// The same with this value where none was given.
    #[must_use]
    pub fn or(self, env: &str, text: &str) -> Self {
        if self.given.contains_key(env) { self } else { self.with(env, text) }
    }

    fn insert(&mut self, row: Option<&'static Setting>, text: &str, by_flag: bool) {
        let text = text.trim();
        if let Some(row) = row.filter(|_| !text.is_empty()) {
            self.given.insert(row.env, Given { text: text.to_owned(), by_flag });
        }
    }

    /// What was given by flags, as flags for a child process, all but the port. It inherits the environment.
    pub fn to_args(&self) -> Vec<OsString> {
        let flags = SETTINGS.iter().filter(|row| row.env != "PORT").filter_map(|row| {
            let given = self.given.get(row.env).filter(|given| given.by_flag)?;
            Some(format!("--{}={}", row.flag?, given.text).into())
        });
        flags.collect()
    }

    /// What the environment gave, by variable.
    pub fn variables(&self) -> BTreeMap<&str, &str> {
        let given = self.given.iter().filter(|(_, given)| !given.by_flag);
        given.map(|(name, given)| (*name, given.text.as_str())).collect()
    }

    /// The same with these variables instead of those that the environment gave; flags win, as ever.
    #[must_use]
    pub fn with_variables(&self, variables: &BTreeMap<String, String>) -> Self {
        let mut settings = Self { given: self.given.clone() };
        settings.given.retain(|_, given| given.by_flag);
        for row in SETTINGS.iter().filter(|row| !self.given.get(row.env).is_some_and(|given| given.by_flag)) {
            settings.insert(Some(row), variables.get(row.env).map_or("", String::as_str), false);
        }
        settings
    }

    /// The variables of the settings that differ in `other`, for `engine`.
    pub fn changes(&self, other: &Self, engine: EngineKind) -> Vec<&'static str> {
        let differs = |row: &&Setting| self.text(row, engine) != other.text(row, engine);
        SETTINGS.iter().filter(differs).map(|row| row.env).collect()
    }

    /// The value of one setting, given or not.
    fn text(&self, row: &Setting, engine: EngineKind) -> String {
        self.given.get(row.env).map_or_else(|| row.default.text(engine), |given| given.text.clone())
    }

    /// The valid settings of `engine`. `position` is added to a given port: `all` numbers its engines from it.
    ///
    /// # Errors
    /// Every value that is wrong, each with the flag or the variable it came from.
    pub fn resolve(&self, engine: EngineKind, position: u16) -> Result<Config, BadSettings> {
        let mut config = Config::unset(engine);
        let mut problems = Vec::new();
        for row in SETTINGS {
            let given = self.given.get(row.env);
            let text = self.text(row, engine);
            let set = (row.set)(&mut config, &text).and_then(|()| {
                if row.env == "PORT" && given.is_some() { number_ports(&mut config, position) } else { Ok(()) }
            });
            if let Err(expected) = set {
                let name = match row.flag {
                    Some(flag) if given.is_none_or(|given| given.by_flag) => format!("--{flag} "),
                    _ => format!("{}=", row.env),
                };
                let shown = if row.is_secret(&text) { "(not shown)".to_owned() } else { format!("{text:?}") };
                problems.push(format!("{name}{shown}: {expected}"));
            }
        }
        if problems.is_empty() { Ok(config) } else { Err(BadSettings(problems)) }
    }
}

/// Moves a given port on to the place of this engine; the kernel's choice (port 0) stays.
fn number_ports(config: &mut Config, position: u16) -> Result<(), String> {
    match config.address.port() {
        0 => Ok(()),
        first => {
            let own = first.checked_add(position).ok_or("leaves no room for the ports after it")?;
            config.address.set_port(own);
            Ok(())
        }
    }
}

fn row(env: &str) -> Option<&'static Setting> {
    let row = SETTINGS.iter().find(|row| row.env == env);
    debug_assert!(row.is_some(), "{env} is no setting");
    row
}

impl Setting {
    /// Whether `text` must not be shown, not even as a wrong value: the token, and a URL that may hold a password.
    pub(super) fn is_secret(&self, text: &str) -> bool {
        self.env == TOKEN_VARIABLE || text.contains('@')
    }

    /// The argument for the command line, where there is one.
    fn arg(&self) -> Option<Arg> {
        let help = format!("{} [default: {}]", self.doc, self.default.description());
        // A variable's value may be secret.
        let arg = Arg::new(self.env).long(self.flag?).env(self.env).hide_env_values(true);
        let arg = arg.value_name(self.value).help(help);
        Some(match self.bare {
            // Without the equals sign it would take the next word for its value.
            Some(bare) => arg.num_args(0..=1).require_equals(true).default_missing_value(bare),
            None => arg,
        })
    }
}

impl clap::Args for Settings {
    fn augment_args(command: Command) -> Command {
        command.next_help_heading("Settings").args(SETTINGS.iter().filter_map(Setting::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut settings = Self::default();
        for row in SETTINGS {
            if row.flag.is_none() {
                let text = std::env::var_os(row.env).unwrap_or_default();
                settings.insert(Some(row), &text.to_string_lossy(), false);
            } else if let Some(text) = matches.get_one::<String>(row.env) {
                settings.insert(Some(row), text, matches.value_source(row.env) == Some(ValueSource::CommandLine));
            }
        }
        Ok(settings)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.given.extend(Self::from_arg_matches(matches)?.given);
        Ok(())
    }
}
