//! The commands and what each of them starts.

mod serve;
mod summary;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use fastgo::config::{BadSettings, Config, EngineKind, Settings};
use fastgo::daemon::logging;
use fastgo::daemon::supervisor::{self, Child};
use fastgo::engine::capacity;

/// Three HTTP concurrency models side by side, with a live dashboard.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start each engine as a process of its own (what fastgo does without a command)
    All {
        /// Start just these engines
        #[arg(long, value_delimiter = ',', value_name = "ENGINES")]
        only: Vec<EngineKind>,
    },
    /// Serve with one engine in this process
    Serve {
        /// The engine
        engine: EngineKind,
    },
    Flood(fastgo::flood::FloodArgs),
    Doctor(fastgo::doctor::DoctorArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

impl Cli {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.command.unwrap_or(Command::All { only: Vec::new() }) {
            Command::All { only } => all(&self.settings, &only),
            Command::Serve { engine } => serve::run(self.settings.resolve(engine, 0)?),
            Command::Flood(args) => fastgo::flood::run(&args),
            Command::Doctor(args) => fastgo::doctor::run(&args),
            Command::Completions { shell } => {
                clap_complete::generate(shell, &mut Self::command(), "fastgo", &mut io::stdout());
                Ok(ExitCode::SUCCESS)
            }
            Command::Man => {
                clap_mangen::Man::new(Self::command()).render(&mut io::stdout())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Whether trying again with the same settings must fail again.
pub(crate) fn is_usage(error: &anyhow::Error) -> bool {
    let in_use = |cause: &io::Error| {
        matches!(
            cause.kind(),
            io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable | io::ErrorKind::PermissionDenied
        )
    };
    error.is::<BadSettings>() || error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(in_use))
}

fn all(settings: &Settings, only: &[EngineKind]) -> anyhow::Result<ExitCode> {
    let startable = only.iter().all(|engine| EngineKind::ALL.contains(engine));
    anyhow::ensure!(startable, BadSettings::one("--only: all does not start stock-may; fastgo serve stock-may does"));
    let mut configs = Vec::new();
    // The last one first: it alone may find no room for its port, so its bad values are those of all.
    for (position, engine) in EngineKind::ALL.into_iter().enumerate().rev() {
        if only.is_empty() || only.contains(&engine) {
            configs.insert(0, settings.resolve(engine, position as u16)?);
        }
    }
    let child =
        |config: &Config| Child { engine: config.engine.name(), port: config.address.port(), args: settings.to_args() };
    let children = configs.iter().map(child).collect();
    // What is told here is not told again by each of them.
    if let Some(config) = configs.first_mut() {
        logging::init_supervisor(config.log.clone())?;
        for clamp in capacity::clamp(config) {
            tracing::warn!(event = "clamp", "{clamp}");
        }
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(event = "start", "version {version}, {}", summary::of_limits(config));
    }
    supervisor::run(children)
}
