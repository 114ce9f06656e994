//! A fourth engine, made as docs/architecture.md says: plain threads, one for each request that takes work. It passes the
//! same table as the three.

use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fastgo::app::{App, CpuSlices, Request, Task, outcome_unknown};
use fastgo::config::{Config, EngineKind, Settings, Work};
use fastgo::engine;
use fastgo::http::Response;
use fastgo::server::{Engine, EventLoop, Exchange, Pending, Server, spawn_critical, work_timed_out};
use rustix::event::{PollFd, PollFlags, poll};

use crate::common::{self, connect};
use crate::conformance;

/// The engine's row.
const ENGINE: engine::Engine = engine::Engine { kind: EngineKind::new("threads", 8084, "Plain threads"), start };

/// Stack of a thread for a request's work; what is touched of it is less.
const STACK_BYTES: usize = 128 * 1024;

/// The engine of one serving thread.
struct Threads {
    server: &'static Server,
}

/// Starts a thread with an event loop for each listening socket.
fn start(server: &'static Server, listeners: Vec<TcpListener>) -> anyhow::Result<()> {
    for (index, listener) in listeners.into_iter().enumerate() {
        let mut event_loop = EventLoop::new(server, index, listener, Threads { server })?;
        spawn_critical(&format!("threads-{index}"), move || {
            loop {
                if !event_loop.turn() {
                    let descriptor = event_loop.as_fd();
                    // An interrupted wait is a short one.
                    let _ = poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None);
                }
            }
        })?;
    }
    Ok(())
}

impl Engine for Threads {
    fn pending_bytes(&self) -> usize {
        STACK_BYTES / 4
    }

    fn respond(&mut self, exchange: Exchange<'_>, request: Request) {
        let server = self.server;
        if let Some((pending, task)) = exchange.plan(request) {
            // Without a thread the connection closes: the response is dropped with the closure.
            drop(
                thread::Builder::new().stack_size(STACK_BYTES).spawn(move || answer(&server.app.config, pending, task)),
            );
        }
    }
}

/// Does what a response takes, and sends it.
fn answer(config: &Config, pending: Pending, task: Task) {
    let left = pending.end_by().remaining();
    let response = match task {
        Task::Work(job) => job.finish(do_work(config.live.work(), left)),
        Task::Store(job) => {
            let (sender, response) = mpsc::channel();
            job.start(move |response| drop(sender.send(response)));
            response.recv_timeout(left).unwrap_or_else(|_| outcome_unknown())
        }
    };
    pending.respond(&response);
}

fn do_work(work: Work, left: Duration) -> Result<(), Response> {
    let end = Instant::now() + left;
    match work {
        Work::None => {}
        Work::Sleep(time) => thread::sleep(time.min(left)),
        Work::Cpu(time) => CpuSlices::new(time).take_while(|()| Instant::now() < end).for_each(drop),
    }
    if Instant::now() <= end { Ok(()) } else { Err(work_timed_out()) }
}

/// Starts it in a process of its own, and waits until it listens.
fn start_server(settings: &[(&str, &str)]) -> common::Server {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "fourth_engine::serve", "--ignored", "--nocapture"]);
    command.env_clear().envs(settings.iter().copied());
    common::Server::spawn(&mut command)
}

#[test]
#[ignore = "the server's process, which ends when it is killed"]
fn serve() {
    let mut settings = Settings::default().with("DATABASE_URL", "none").with("WORK", "none");
    for name in ["WORK", "MAX_HEADER_BYTES", "MAX_BODY_BYTES", "READ_TIMEOUT"] {
        settings = settings.with(name, &std::env::var(name).unwrap_or_default());
    }
    let config = settings.resolve(ENGINE.kind, 0).expect("settings");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let listeners = vec![listener.try_clone().expect("a descriptor"), listener];
    ENGINE.start(App::new(config).expect("an application"), listeners).expect("a server");
    eprintln!("listening on http://{address}");
    loop {
        thread::park();
    }
}

#[test]
fn an_engine_of_plain_threads_passes_the_conformance_table() {
    conformance::check_table("threads", start_server);
}

#[test]
fn an_engine_of_plain_threads_serves_the_contract() {
    let server = start_server(&[("WORK", "sleep:50ms")]);
    assert_eq!(server.metrics()["server_type"], "threads");
    let mut clients: Vec<_> = (0..50).map(|_| connect(server.address)).collect();
    let began = Instant::now();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2));
    }
    for client in &mut clients {
        for _ in 0..2 {
            client.response().expect(200);
        }
    }
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
    for path in ["/health", "/metrics", "/dashboard", "/compare3"] {
        clients[0].get(path, "").expect(200);
    }
    clients[0].send("GET /sse/metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    clients[0].read_header().expect("a header").expect(200);
    assert_eq!(clients[0].line().as_deref(), Ok("retry: 2000"));
}
