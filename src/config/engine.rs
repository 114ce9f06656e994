//! The engines by name.

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// Which engine serves: one row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineKind {
    name: &'static str,
    default_port: u16,
    doc: &'static str,
    has_pool: bool,
}

impl EngineKind {
    /// Multi-thread tokio.
    pub const WORKER_POOL: Self = Self {
        has_pool: true,
        ..Self::new("worker-pool", 8080, "Multi-thread tokio with a bounded queue and a pool of workers")
    };
    /// Coroutines.
    pub const MAY: Self =
        Self::new("may", 8081, "A stackful coroutine for each request that takes work, on the may runtime");
    /// Thread per core.
    pub const HYPER: Self = Self::new(
        "hyper",
        8082,
        "Thread per core: a single-threaded tokio runtime and a listener each, hyper, no queue",
    );
    /// `may_minihttp`.
    pub const STOCK_MAY: Self =
        Self::new("stock-may", 8083, "The published may_minihttp, unchanged, for comparison on loopback");

    /// The engines that serve the whole contract, in the order of their ports: those that `fastgo all` starts.
    pub const ALL: [Self; 3] = [Self::WORKER_POOL, Self::MAY, Self::HYPER];

    /// An engine without a pool. `doc` is one line for the help.
    pub const fn new(name: &'static str, default_port: u16, doc: &'static str) -> Self {
        Self { name, default_port, doc, has_pool: false }
    }

    /// The name in the command line and in metrics.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The port it listens on when no other is set.
    pub fn default_port(self) -> u16 {
        self.default_port
    }

    /// Whether its workers take jobs from a queue.
    pub fn has_pool(self) -> bool {
        self.has_pool
    }
}

impl ValueEnum for EngineKind {
    fn value_variants<'a>() -> &'a [Self] {
        const { &[Self::WORKER_POOL, Self::MAY, Self::HYPER, Self::STOCK_MAY] }
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name).help(self.doc))
    }
}
