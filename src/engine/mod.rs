//! The engines: how a request's work runs.
//!
//! An engine starts a [`server::EventLoop`](crate::server::EventLoop) on each of its threads and gives it an
//! [`Engine`](crate::server::Engine), which answers whole requests. A further engine is one folder, a row in [`ENGINES`]
//! and one in [`EngineKind`].

mod hyper;
mod may;
pub mod stock_may;
mod tokio_thread;
mod worker_pool;

use std::net::TcpListener;
use std::sync::Arc;

use rustix::net::sockopt::set_tcp_nodelay;

use crate::app::App;
use crate::config::EngineKind;
use crate::server::{Server, set_unread_time};

/// One way to serve.
pub struct Engine {
    /// Which one.
    pub kind: EngineKind,
    /// Starts its serving threads, one for each listening socket.
    pub start: fn(&'static Server, Vec<TcpListener>) -> anyhow::Result<()>,
}

/// The engines that serve the whole contract, in the order of their ports.
pub const ENGINES: &[Engine] = &[
    Engine { kind: EngineKind::WORKER_POOL, start: worker_pool::start },
    Engine { kind: EngineKind::MAY, start: may::start },
    Engine { kind: EngineKind::HYPER, start: hyper::start },
];

impl Engine {
    /// Serves `app` on `listeners`, which listen already and all on the same address.
    ///
    /// # Errors
    /// A thread or a descriptor that the engine needs is unavailable.
    pub fn start(&self, app: Arc<App>, listeners: Vec<TcpListener>) -> anyhow::Result<&'static Server> {
        for listener in &listeners {
            listener.set_nonblocking(true)?;
            // Linux hands these options on to the connections that are accepted.
            set_tcp_nodelay(listener, true)?;
            // A response that fits in the socket is sent as far as this process can see, and without this the kernel would
            // keep it for minutes for a client that does not read, the connection closed or not.
            set_unread_time(listener, app.config.live.timeouts().write)?;
        }
        let server = Server::new(app, listeners.len())?;
        (self.start)(server, listeners)?;
        server.start_threads()?;
        Ok(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_of_the_contract_has_a_row() {
        assert!(ENGINES.iter().map(|engine| engine.kind).eq(EngineKind::ALL));
    }
}
