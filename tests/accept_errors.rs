//! Too few descriptors: the server neither ends nor spins, goes on with the connections it has, and recovers.

mod common;

use std::process::Command;
use std::time::{Duration, Instant};

use common::{Client, Server, every_engine, wait_for};
use rustix::process::{Resource, getrlimit, prlimit};

/// What may come back to a client that the server has no descriptor for: an answer, or a close.
fn is_served(client: &mut Client) -> bool {
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_response(false).is_ok_and(|response| response.status == 200)
}

#[test]
fn the_connection_limit_is_clamped_to_the_descriptors_there_are() {
    every_engine(|engine| {
        let plain = Server::command(engine, &[("WORKERS", "2")]);
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
        limited.env_clear();
        limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut server = Server::spawn(&mut limited);
        let limits = &server.metrics()["limits"];
        let most = limits["max_connections"].as_u64().expect("a number");
        assert!((4..64).contains(&most), "{limits}");
        assert!(server.log().to_lowercase().contains("max_connections"), "it must say so:\n{}", server.log());
        for _ in 0..3 {
            let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
            for client in &mut clients {
                client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            }
            let mut served = 0;
            for client in &mut clients {
                match client.read_response(false) {
                    Ok(response) if response.status == 200 => served += 1,
                    Ok(response) => drop(response.expect_error(503)),
                    Err(error) => panic!("dropped in silence: {error}"),
                }
            }
            assert!(served >= most / 2, "{served} of {most}");
            drop(clients);
            wait_for("a free place", || is_served(&mut server.connect()).then_some(()));
        }
        assert!(server.is_running());
    });
}

#[test]
fn running_out_of_descriptors_is_survived_without_spinning() {
    const WINDOW: Duration = Duration::from_millis(1500);
    every_engine(|engine| {
        let mut server = Server::start(engine, &[("WORKERS", "2")]);
        let mut control = server.connect();
        let open = control.get("/metrics", "").json()["open_fds"].as_u64().expect("a number");
        // Taken away behind its back, as another process of the same user would use them up.
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = Some(open + 10);
        prlimit(Some(server.pid()), Resource::Nofile, limit).expect("prlimit");
        let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        // Whoever is served proves that the storm has begun.
        clients[0].response().expect(200);
        let (before, began) = (server.cpu_seconds(), Instant::now());
        while began.elapsed() < WINDOW {
            control.get("/health", "").expect(200);
            std::thread::sleep(Duration::from_millis(50));
        }
        let used = server.cpu_seconds() - before;
        assert!(used < WINDOW.as_secs_f64() / 3.0, "{used} s of CPU in {WINDOW:?}");
        control.get("/metrics", "").expect(200);
        assert!(server.log().lines().count() < 60, "the log is flooded:\n{}", server.log());
        drop(clients);
        wait_for("recovery", || is_served(&mut server.connect()).then_some(()));
        assert!(server.is_running());
        server.wait_for_metrics("the storm to be over", |metrics| metrics["active_connections"] == 2);
    });
}
