//! What the integration tests share: the binary as a child process, a raw HTTP/1 client, and waiting with a deadline.

mod client;
mod process;
mod server;

use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub(crate) use client::{Client, Response, connect, try_connect};
pub(crate) use process::{Process, in_process_of_its_own};
pub(crate) use server::{Server, listening_address};

/// The engines that serve the whole contract, by name.
pub(crate) static ENGINES: LazyLock<Vec<&str>> =
    LazyLock::new(|| fastgo::engine::ENGINES.iter().map(|engine| engine.kind.name()).collect());

/// How long anything may take that should happen at once. Long, because the machine may be small and busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The engines to test: all, or those that `FASTGO_TEST_ENGINES=may,hyper` lists.
pub(crate) fn engines() -> impl Iterator<Item = &'static str> {
    let chosen = std::env::var("FASTGO_TEST_ENGINES").ok();
    ENGINES
        .iter()
        .copied()
        .filter(move |engine| chosen.as_deref().is_none_or(|list| list.split(',').any(|name| name == *engine)))
}

/// Runs `body` for every engine, side by side, and fails if any of them failed.
pub(crate) fn every_engine(body: impl Fn(&'static str) + Sync) {
    std::thread::scope(|scope| {
        let running: Vec<_> = engines()
            .map(|engine| {
                let body = &body;
                let thread = std::thread::Builder::new().name(engine.to_owned());
                (engine, thread.spawn_scoped(scope, move || body(engine)).expect("thread"))
            })
            .collect();
        assert!(!running.is_empty(), "FASTGO_TEST_ENGINES names no engine");
        let results: Vec<_> = running.into_iter().map(|(engine, thread)| (engine, thread.join())).collect();
        let failed: Vec<_> = results.iter().filter(|(_, result)| result.is_err()).map(|(engine, _)| *engine).collect();
        assert!(failed.is_empty(), "failed on {}; see above", failed.join(", "));
    });
}

/// Calls `probe` until it gives something, at most for [`PATIENCE`]; `what` names the condition in the failure.
pub(crate) fn wait_for<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = probe() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A repeatable sequence of numbers (xorshift64*), for splits and mixes that are the same in every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}
