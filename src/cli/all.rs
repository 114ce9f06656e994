//! `fastgo all`: the settings of every engine checked here, then a process for each.

use std::process::ExitCode;

use crate::config::{BadSettings, Config, EngineKind, Preset, Settings};
use crate::daemon::logging;
use crate::daemon::supervisor::{self, Child};
use crate::server::capacity;

use super::summary;

/// What `all` and the bare command take.
#[derive(Debug, clap::Args)]
pub(super) struct AllArgs {
    /// Start just these engines
    #[arg(long, value_delimiter = ',', value_name = "ENGINES")]
    only: Vec<EngineKind>,
    /// Other defaults for all engines
    #[arg(long)]
    preset: Option<Preset>,
    #[command(flatten)]
    settings: Settings,
}

pub(super) fn run(args: &AllArgs) -> anyhow::Result<ExitCode> {
    let startable = args.only.iter().all(|engine| EngineKind::ALL.contains(engine));
    anyhow::ensure!(startable, BadSettings::one("--only: all does not start stock-may; fastgo serve stock-may does"));
    let mut engines = Vec::new();
    // The last one first: it alone may have no port left, so its bad values are those of all.
    for (position, engine) in EngineKind::ALL.into_iter().enumerate().rev() {
        if args.only.is_empty() || args.only.contains(&engine) {
            let own = args.preset.map(|preset| preset.apply(&args.settings, engine));
            let settings = own.unwrap_or_else(|| args.settings.clone());
            engines.push((settings.resolve(engine, position as u16)?, settings));
        }
    }
    engines.reverse();
    let child = |(config, settings): &(Config, Settings)| Child {
        engine: config.engine.name(),
        port: config.address.port(),
        args: settings.to_args(),
    };
    let children = engines.iter().map(child).collect();
    // What is logged here is not logged again by each of them.
    if let Some((config, _)) = engines.first_mut() {
        logging::init_supervisor(config.log.clone())?;
        for clamp in capacity::clamp(config) {
            tracing::warn!(event = "clamp", "{clamp}");
        }
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(event = "start", "version {version}, {}", summary::of_limits(config));
    }
    supervisor::run(children)
}
