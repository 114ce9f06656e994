//! Named sets of defaults for `fastgo all`.

use super::values::cores;
use super::{EngineKind, Settings};

/// Defaults for all engines under one name; flags and variables win over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Preset {
    /// The settings of the project that fastgo is modelled on: 100 ms of work on worker-pool with two workers a core,
    /// 10 ms on the other engines. A load that they serve overloads the pool.
    Original,
}

impl Preset {
    /// `settings` for `engine`, with this preset's values where none were given.
    pub fn apply(self, settings: &Settings, engine: EngineKind) -> Settings {
        let Self::Original = self;
        if engine.has_pool() {
            settings.clone().or("WORK", "sleep:100ms").or("WORKERS", &(cores() * 2).to_string())
        } else {
            settings.clone().or("WORK", "sleep:10ms")
        }
    }
}
