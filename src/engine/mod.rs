//! How it is served: the engines, and what they have in common.
//!
//! Every engine has the same shape: `start → accept_loop → serve_connection → (read_request → app → write_response)`,
//! and the same rooms around it. [`connections`] gives permits and deadlines, [`lobby`] keeps whoever waits. The two
//! tokio engines share [`hyper_http1`]; the coroutine engine has a loop of its own. A further engine is one folder and
//! one line in [`ENGINES`].

mod accept_trouble;
pub mod capacity;
mod clock;
mod connections;
mod drain;
mod heartbeat;
mod hyper_http1;
mod lobby;
mod may_coroutine;
mod memory;
mod metrics_log;
mod minimal_hyper;
pub mod stock_may;
mod worker_pool;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::app::App;
use crate::config::EngineKind;
use connections::{Permit, Server};
pub use drain::Drained;
use metrics_log::MetricsLog;

/// What the lobby's thread does for an engine.
trait WakeUp: Send {
    /// Takes back a connection that woke.
    fn wake(&mut self, stream: TcpStream, permit: Permit);

    /// Called a few times a second.
    fn tick(&mut self) {}
}

type Wake = Box<dyn WakeUp>;

impl<F: FnMut(TcpStream, Permit) + Send> WakeUp for F {
    fn wake(&mut self, stream: TcpStream, permit: Permit) {
        self(stream, permit);
    }
}

/// One way to serve.
pub struct Engine {
    /// Which one.
    pub kind: EngineKind,
    /// Whether each of its threads wants a listening socket of its own.
    pub listener_per_worker: bool,
    start: fn(&Arc<Server>, Vec<TcpListener>) -> anyhow::Result<Wake>,
}

/// The engines that serve the whole contract.
pub const ENGINES: &[Engine] = &[
    Engine { kind: EngineKind::WorkerPool, listener_per_worker: false, start: worker_pool::start },
    Engine { kind: EngineKind::May, listener_per_worker: true, start: may_coroutine::start },
    Engine { kind: EngineKind::Hyper, listener_per_worker: true, start: minimal_hyper::start },
];

/// A running server.
pub struct ServerHandle {
    server: Arc<Server>,
    local_addr: SocketAddr,
}

impl Engine {
    /// Serves `app` on `listeners`, which listen already and all on the same address.
    pub fn start(&self, app: Arc<App>, listeners: Vec<TcpListener>) -> anyhow::Result<ServerHandle> {
        let local_addr = listeners.first().context("there is no listening socket")?.local_addr()?;
        for listener in &listeners {
            listener.set_nonblocking(true)?;
        }
        let server = Server::new(app)?;
        server.acceptors.store(listeners.len() as u64, Relaxed);
        let wake = (self.start)(&server, listeners)?;
        spawn_lobby(&server, wake)?;
        spawn_sampler(&server)?;
        Ok(ServerHandle { server, local_addr })
    }
}

fn spawn_lobby(server: &Arc<Server>, mut wake: Wake) -> anyhow::Result<()> {
    let beat = server.heartbeats.register("the lobby");
    let server = Arc::clone(server);
    thread::Builder::new().name("lobby".into()).spawn(move || server.lobby.run(&beat, wake.as_mut()))?;
    Ok(())
}

/// The sampler also writes the METRICS log line.
fn spawn_sampler(server: &Arc<Server>) -> anyhow::Result<()> {
    let server = Arc::clone(server);
    let mut log = MetricsLog::new();
    let run = move || server.broadcaster.run(|| log.write_if_due(&server.app));
    thread::Builder::new().name("sampler".into()).spawn(run)?;
    Ok(())
}

impl ServerHandle {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// What it serves.
    pub fn app(&self) -> &Arc<App> {
        &self.server.app
    }

    /// Whether every thread and worker gave a sign of life within `max_age`; else who did not.
    pub fn check_heartbeats(&self, max_age: Duration) -> Result<(), String> {
        self.server.heartbeats.check(max_age)
    }

    /// Finishes what is in flight and stops; returns when that is done or `SHUTDOWN_TIMEOUT` is over.
    pub fn drain(&self) -> Drained {
        drain::drain(&self.server)
    }
}
