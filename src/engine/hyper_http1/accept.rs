//! Accepting on a tokio runtime.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Execute, serve_connection};
use crate::engine::accept_trouble::AcceptTrouble;
use crate::engine::connections::Server;
use crate::engine::heartbeat::{Beat, INTERVAL};

/// How often an acceptor looks whether it should stop.
const LOOK: Duration = Duration::from_millis(50);

/// Accepts until told to stop, and then what the kernel still holds.
pub(crate) async fn accept_loop<E: Execute>(server: Arc<Server>, executor: E, listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        tracing::error!(event = "accept", "the listening socket cannot be watched");
        server.acceptors.fetch_sub(1, Relaxed);
        return;
    };
    let mut trouble = AcceptTrouble::new();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopping = server.stop_accepting.load(Relaxed);
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = std::future::ready(()), if stopping => break,
            _ = look.tick() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                trouble.is_over();
                receive(&server, &executor, stream);
            }
            Err(error) => {
                let pause = trouble.pause_after(&error, &listener, |stream| server.lobby.turn_away(stream));
                if !pause.is_zero() {
                    sleep(pause).await;
                }
            }
        }
    }
    // Not ready in tokio's eyes does not mean that nothing waits: ask the kernel itself.
    if let Ok(listener) = listener.into_std() {
        while let Ok((stream, _)) = listener.accept() {
            if let Ok(stream) = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                receive(&server, &executor, stream);
            }
        }
    }
    server.acceptors.fetch_sub(1, Relaxed);
}

/// Gives signs of life of the runtime it runs on.
pub(crate) async fn beat(beat: Beat) {
    let mut ticks = interval(INTERVAL);
    loop {
        ticks.tick().await;
        beat.beat();
    }
}

/// Gives a connection a permit and a task, or turns it away.
fn receive<E: Execute>(server: &Arc<Server>, executor: &E, stream: TcpStream) {
    // Fails only on a connection that is already reset, which the first read will tell.
    let _ = stream.set_nodelay(true);
    if let Some(permit) = server.permit() {
        tokio::spawn(serve_connection(Arc::clone(server), executor.clone(), stream, permit));
    } else if let Ok(stream) = stream.into_std() {
        server.lobby.turn_away(stream);
    }
}
