//! **hyper**: thread per core. Each thread has a single-threaded tokio runtime and a listener of its own; the work of a
//! request runs where its connection is. No queue, no hand-over.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

use super::Wake;
use super::connections::Server;
use super::hyper_http1::{Execute, accept_loop, beat, do_work, serve_woken};
use super::memory::tidy;
use crate::config::Work;
use crate::http::Response;

/// Runs the work where it is asked for.
#[derive(Clone, Copy)]
struct Inline(Work);

impl Execute for Inline {
    async fn work(&self, _: u64, end_by: u64) -> Result<(), Response> {
        do_work(self.0, end_by).await
    }
}

/// Starts a thread with a runtime and an acceptor for each listener.
pub(super) fn start(server: &Arc<Server>, listeners: Vec<TcpListener>) -> anyhow::Result<Wake> {
    let inline = Inline(server.app.config.work);
    let mut threads: Vec<Handle> = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        let runtime = Builder::new_current_thread().enable_all().on_thread_park(tidy).build()?;
        threads.push(runtime.handle().clone());
        let server = Arc::clone(server);
        let name = format!("hyper-{index}");
        let run = move || serve(&runtime, &server, inline, listener, index);
        thread::Builder::new().name(name).spawn(run)?;
    }
    let server = Arc::clone(server);
    let mut next = 0;
    Ok(Box::new(move |stream, permit| {
        next = (next + 1) % threads.len();
        threads[next].spawn(serve_woken(Arc::clone(&server), inline, stream, permit));
    }))
}

/// One core's thread: accepts, and goes on serving what it accepted until the process ends.
fn serve(runtime: &Runtime, server: &Arc<Server>, inline: Inline, listener: TcpListener, index: usize) {
    runtime.block_on(async {
        tokio::spawn(accept_loop(Arc::clone(server), inline, listener));
        beat(server.heartbeats.register(format!("hyper thread {index}"))).await;
    });
}
