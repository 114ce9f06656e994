//! **worker-pool**: multi-thread tokio, hyper speaks HTTP, and each request to `/` becomes a job on a bounded queue that
//! a fixed number of workers empties.

mod pool;

use std::net::TcpListener;
use std::sync::Arc;

use tokio::runtime::Builder;

use super::Wake;
use super::connections::Server;
use super::hyper_http1::{accept_loop, beat, serve_woken};
use super::memory::tidy;
use pool::Pool;

/// Starts the runtime, the workers and an acceptor for each listener.
pub(super) fn start(server: &Arc<Server>, listeners: Vec<TcpListener>) -> anyhow::Result<Wake> {
    let runtime = Builder::new_multi_thread().enable_all().thread_name("worker-pool").on_thread_park(tidy).build()?;
    let pool = runtime.block_on(async { Pool::start(server) });
    runtime.spawn(beat(server.heartbeats.register("the runtime of worker-pool")));
    for listener in listeners {
        runtime.spawn(accept_loop(Arc::clone(server), pool.clone(), listener));
    }
    let server = Arc::clone(server);
    // The lobby owns the runtime from here: both live as long as the process.
    Ok(Box::new(move |stream, permit| {
        runtime.spawn(serve_woken(Arc::clone(&server), pool.clone(), stream, permit));
    }))
}
