//! The commands and what each of them starts.

mod all;
mod man;
mod reload;
mod serve;
mod summary;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{BadSettings, EngineKind, Settings};
use crate::daemon::listeners::BindFailed;
use crate::daemon::notify::Notifier;
use crate::daemon::{logging, restarts};
use crate::engine::ENGINES;

/// Three HTTP concurrency models side by side, with a live dashboard
#[derive(Debug, Parser)]
#[command(name = "fastgo", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    all: all::AllArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start each engine as a process of its own (what fastgo does without a command)
    All(all::AllArgs),
    /// Serve with one engine in this process
    Serve {
        /// The engine
        engine: EngineKind,
        #[command(flatten)]
        settings: Settings,
    },
    Check(crate::check::CheckArgs),
    Flood(crate::flood::FloodArgs),
    Doctor(crate::doctor::DoctorArgs),
    Registrations(crate::registrations::RegistrationsArgs),
    Status(crate::status::StatusArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Show the manual page, or print its source when the output is not a terminal
    Man {
        /// The command whose page to show, instead of the one of all
        command: Option<String>,
    },
    /// Print the engines that serve the whole contract, each with its usual port (for scripts)
    #[command(hide = true)]
    Engines,
    /// Ask the firmware of a Raspberry Pi for its readings, again and again (fastgo-firmware.service)
    #[command(hide = true)]
    Firmware,
    /// Pass settings to a running service (`ExecReload=` of fastgo@.service)
    #[command(hide = true)]
    Reload {
        /// The engine
        engine: EngineKind,
        #[command(flatten)]
        settings: Settings,
    },
    /// Note how an engine's service ended (`ExecStopPost=` of fastgo@.service)
    #[command(hide = true)]
    Ended {
        /// The engine
        engine: EngineKind,
    },
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Those of the command; [`is_usage`] sorts them by exit code.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        match self.command.unwrap_or(Command::All(self.all)) {
            Command::All(args) => all::run(&args),
            Command::Serve { engine, settings } => {
                restarts::begin(engine.name(), Notifier::from_env());
                let config = settings.resolve(engine, 0);
                serve::run(config.inspect_err(|_| logging::init_for_failure(engine.name()))?, settings)
            }
            Command::Check(args) => crate::check::run(&args),
            Command::Flood(args) => crate::flood::run(&args),
            Command::Doctor(args) => crate::doctor::run(&args),
            Command::Registrations(args) => crate::registrations::run(&args),
            Command::Status(args) => Ok(crate::status::run(&args)),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Self::command(), "fastgo", &mut io::stdout());
                Ok(ExitCode::SUCCESS)
            }
            Command::Man { command } => man::show(Self::command(), command.as_deref()),
            Command::Engines => {
                for engine in ENGINES {
                    println!("{} {}", engine.kind.name(), engine.kind.default_port());
                }
                Ok(ExitCode::SUCCESS)
            }
            Command::Reload { engine, settings } => {
                reload::send(engine, &settings).inspect_err(|_| logging::init_for_failure(engine.name()))
            }
            Command::Ended { engine } => {
                logging::init_helper(Some(engine.name()))?;
                restarts::end(engine.name())?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Firmware => {
                logging::init_helper(None)?;
                match crate::daemon::firmware::run()? {}
            }
        }
    }
}

/// Whether the same command line and environment must fail again: exit code 2, after which a service pauses for longer.
pub fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<BadSettings>() || error.downcast_ref::<BindFailed>().is_some_and(BindFailed::is_usage)
}
