//! **hyper**: thread per core. Each thread has a single-threaded tokio runtime and a listening socket of its own; hyper
//! calls the service and writes the responses, and work runs where its connection is. No queue, no hand-over.

mod codec;

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};

use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

use super::tokio_thread::run;
use crate::app::Request;
use crate::server::{Engine, EventLoop, Exchange, Pending, Server, spawn_critical};
use codec::Codec;

/// Codecs that a thread keeps for its next requests.
const POOLED: usize = 64;

/// A codec with hyper's two buffers of 8 KiB, and the future of the work.
const PENDING_BYTES: usize = 20 * 1024;

/// The engine of one serving thread.
struct Hyper {
    server: &'static Server,
    /// Codecs that wait for a request.
    pool: Pool,
}

type Pool = Rc<RefCell<Vec<Codec>>>;

/// Starts a thread with a runtime and an event loop for each listening socket.
pub(super) fn start(server: &'static Server, listeners: Vec<TcpListener>) -> anyhow::Result<()> {
    // Where few files may be open, the connections of one thread must not take what the next needs to start.
    let all_started = Arc::new(Barrier::new(listeners.len()));
    for (index, listener) in listeners.into_iter().enumerate() {
        let all_started = Arc::clone(&all_started);
        spawn_critical(&format!("hyper-{index}"), move || {
            let mut builder = Builder::new_current_thread();
            let runtime = builder.enable_all().build_local(LocalOptions::default());
            let runtime = runtime.expect("descriptors are reserved for it");
            let engine = Hyper { server, pool: Pool::default() };
            let event_loop = EventLoop::new(server, index, listener, engine).expect("a socket can be watched");
            all_started.wait();
            runtime.block_on(run(event_loop));
        })?;
    }
    Ok(())
}

impl Engine for Hyper {
    fn pending_bytes(&self) -> usize {
        PENDING_BYTES
    }

    fn respond(&mut self, mut exchange: Exchange<'_>, request: Request) {
        let mut codec = self.pool.borrow_mut().pop().unwrap_or_else(|| Codec::new(self.server));
        codec.start(request, exchange.session().envelope(), exchange.now());
        if codec.poll(&mut Context::from_waker(Waker::noop()), exchange.session().output_mut()).is_ready() {
            let now = exchange.now();
            exchange.session().responded(codec.keep_alive(), now);
            keep(&self.pool, codec);
        } else if let Some(pending) = exchange.detach() {
            spawn_local(finish(self.server, Rc::clone(&self.pool), codec, pending));
        }
    }
}

/// Waits for a response that takes work, and sends it.
async fn finish(server: &'static Server, pool: Pool, mut codec: Codec, mut pending: Pending) {
    let _task = server.app.metrics.counters.task();
    let is_answered = {
        let mut output = Vec::new();
        let is_answered = tokio::select! {
            biased;
            () = poll_fn(|context| codec.poll(context, &mut output)) => true,
            () = pending.client_gone() => false,
        };
        pending.session().output_mut().append(&mut output);
        is_answered
    };
    if is_answered {
        pending.session().responded(codec.keep_alive(), crate::clock::Moment::now());
        pending.finish();
        keep(&pool, codec);
    }
}

/// Puts a codec back for the next request.
fn keep(pool: &Pool, codec: Codec) {
    let mut pool = pool.borrow_mut();
    if codec.is_reusable() && pool.len() < POOLED {
        pool.push(codec);
    }
}
