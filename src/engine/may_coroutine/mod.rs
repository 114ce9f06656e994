//! **may**: a stackful coroutine for each active connection. The code reads like one thread per client, and parks where
//! that thread would block.

mod connection;
mod socket;
mod spawner;
mod watch;
pub(super) mod work;

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use may::coroutine;
use may::io::{CoIo, WaitIo as _};

use super::accept_trouble::AcceptTrouble;
use super::connections::{Permit, Server};
use super::heartbeat::{Beat, INTERVAL};
use super::lobby::has_spoken;
use super::memory::tidy;
use super::{Wake, WakeUp};
use spawner::Spawner;
use watch::Watches;

/// Stack of a coroutine in bytes. Only pages that are touched cost memory; address space is cheap.
const STACK_BYTES: usize = 128 * 1024;

/// Coroutines whose stacks are kept for the next connection.
const POOLED_STACKS: usize = 128;

/// Connections that one acceptor takes before it lets others run.
const BATCH: usize = 64;

/// Starts the coroutine runtime and an acceptor for each listener.
pub(super) fn start(server: &Arc<Server>, listeners: Vec<TcpListener>) -> anyhow::Result<Wake> {
    may::config()
        .set_workers(server.app.config.workers)
        .set_stack_size(STACK_BYTES / size_of::<usize>())
        .set_pool_capacity(POOLED_STACKS)
        // Pinning needs a system call that a sandbox may refuse, and gains nothing on a board of its own.
        .set_worker_pin(false);
    let watches = Arc::new(Watches::default());
    let spawner = Arc::new(Spawner::new(Arc::clone(server), Arc::clone(&watches)));
    for listener in listeners {
        let listener = CoIo::new(listener).map_err(std::io::Error::from)?;
        let (server, spawner) = (Arc::clone(server), Arc::clone(&spawner));
        may::go!(move || accept_loop(&server, &spawner, &listener));
    }
    let beats = (0..server.app.config.workers)
        .map(|index| server.heartbeats.register(format!("coroutine thread {index}")))
        .collect();
    Ok(Box::new(May { watches, spawner, beats, next_beat: Instant::now() }))
}

/// What the lobby's thread does for this engine.
struct May {
    watches: Arc<Watches>,
    spawner: Arc<Spawner>,
    beats: Vec<Beat>,
    next_beat: Instant,
}

impl WakeUp for May {
    fn wake(&mut self, stream: TcpStream, permit: Permit) {
        self.spawner.serve(stream, permit);
    }

    /// Wakes coroutines whose deadline has passed, and has every thread of the runtime run a coroutine now and then.
    fn tick(&mut self) {
        self.watches.wake_expired();
        if Instant::now() >= self.next_beat {
            self.next_beat = Instant::now() + INTERVAL;
            for (index, beat) in self.beats.iter().enumerate() {
                let beat = beat.clone();
                let spawned = may::go!(coroutine::Builder::new().id(index), move || {
                    tidy();
                    beat.beat();
                });
                if let Err(error) = spawned {
                    tracing::warn!(event = "heartbeat", %error, "cannot start a coroutine");
                }
            }
        }
    }
}

/// Accepts until told to stop, and then what the kernel still holds.
fn accept_loop(server: &Arc<Server>, spawner: &Arc<Spawner>, listener: &CoIo<TcpListener>) {
    let mut trouble = AcceptTrouble::new();
    let watch = spawner.watches.add(listener.waker());
    loop {
        let stopping = server.stop_accepting.load(Relaxed);
        let empty = accept_batch(server, spawner, listener, &mut trouble);
        if empty && stopping {
            break;
        }
        if empty {
            // The lobby's thread ends this wait too, to have the flag looked at.
            watch.set(super::clock::now_ms() + ACCEPT_LOOK_MS);
            listener.wait_io();
        } else {
            coroutine::yield_now();
        }
    }
    server.acceptors.fetch_sub(1, Relaxed);
}

/// How often an acceptor looks whether it should stop, in milliseconds.
const ACCEPT_LOOK_MS: u64 = 50;

/// Accepts what is there; whether nothing is left.
fn accept_batch(
    server: &Server,
    spawner: &Arc<Spawner>,
    listener: &CoIo<TcpListener>,
    trouble: &mut AcceptTrouble,
) -> bool {
    for _ in 0..BATCH {
        match listener.inner().accept() {
            Ok((stream, _)) => {
                trouble.is_over();
                // Fails only on a connection that is already reset, which the first read will tell.
                let _ = stream.set_nodelay(true);
                match server.permit() {
                    // A client that says nothing yet gets no coroutine.
                    Some(permit) if has_spoken(&stream) => spawner.serve(stream, permit),
                    Some(permit) => server.lobby.wait(stream, permit, super::clock::now_ms()),
                    None => server.lobby.turn_away(stream),
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return true,
            Err(error) => {
                let pause = trouble.pause_after(&error, listener.inner(), |stream| server.lobby.turn_away(stream));
                if !pause.is_zero() {
                    work::sleep(pause.max(Duration::from_millis(1)));
                }
            }
        }
    }
    false
}
