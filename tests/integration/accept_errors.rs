//! Too few descriptors: the server neither ends nor spins, goes on with the connections it has, and recovers.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::common::{Client, Server, every_engine, wait_for};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Whether the answer on this connection is 200; the only other one is 503.
fn is_served(client: &mut Client) -> bool {
    match client.read_response(false) {
        Ok(response) if response.status == 200 => true,
        Ok(response) => response.expect_error(503).status == 200,
        Err(error) => panic!("dropped in silence: {error}"),
    }
}

fn send_all(clients: &mut [Client]) {
    for client in clients {
        client.send(GET);
    }
}

/// Asks on a new connection.
fn serves(server: &Server) -> bool {
    let mut client = server.connect();
    client.send(GET);
    is_served(&mut client)
}

#[test]
fn the_connection_limit_is_clamped_to_the_descriptors_there_are() {
    every_engine(|engine| {
        let plain = Server::command(engine, &[("WORKERS", "2"), ("THREADS", "2")]);
        let mut limited = Command::new("/bin/sh");
        limited.args(["-c", "ulimit -n 128; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
        limited.env_clear();
        limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut server = Server::spawn(&mut limited);
        let limits = &server.metrics()["limits"];
        let most = limits["max_connections"].as_u64().expect("a number");
        assert!((16..64).contains(&most), "{limits}");
        assert!(server.log().contains("max-connections lowered"), "it must say so:\n{}", server.log());
        for _ in 0..3 {
            let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
            send_all(&mut clients);
            let answered = clients.iter_mut().map(is_served).filter(|served| *served).count();
            assert!(answered as u64 >= most / 2, "{answered} of {most}");
            drop(clients);
            wait_for("a free place", || serves(&server).then_some(()));
        }
        assert!(server.is_running());
    });
}

#[test]
fn running_out_of_descriptors_is_survived_without_spinning() {
    const WINDOW: Duration = Duration::from_millis(1500);
    every_engine(|engine| {
        let mut server = Server::start(engine, &[("WORKERS", "2"), ("THREADS", "2")]);
        let mut control = server.connect();
        control.get("/health", "").expect(200);
        // Taken away behind its back.
        let plenty = getrlimit(Resource::Nofile);
        let scarce = Rlimit { current: Some(server.open_files() + 10), maximum: plenty.maximum };
        prlimit(Some(server.pid()), Resource::Nofile, scarce).expect("prlimit");
        let mut clients: Vec<Client> = (0..100).map(|_| server.connect()).collect();
        send_all(&mut clients);
        server.wait_for_log("cannot accept");
        let (before, began) = (server.cpu_seconds(), Instant::now());
        while began.elapsed() < WINDOW {
            control.get("/health", "").expect(200);
            std::thread::sleep(Duration::from_millis(50));
        }
        let used = server.cpu_seconds() - before;
        assert!(used < WINDOW.as_secs_f64() / 3.0, "{used} s of CPU in {WINDOW:?}");
        control.get("/metrics", "").expect(200);
        assert!(server.log().lines().count() < 40, "the log is flooded:\n{}", server.log());
        // Connections that still wait are served as soon as there are descriptors again.
        prlimit(Some(server.pid()), Resource::Nofile, plenty).expect("prlimit");
        let answered = clients.iter_mut().map(is_served).filter(|served| *served).count();
        assert!(answered >= 60, "{answered} of 100");
        drop(clients);
        assert!(serves(&server) && server.is_running());
        server.wait_for_metrics("the surplus connections to close", |metrics| metrics["active_connections"] == 2);
    });
}

/// Stacks and buffers that cannot be mapped cost requests, or the process; they leave no server that answers in part.
#[test]
fn running_out_of_address_space_is_survived_or_ends_the_process() {
    every_engine(|engine| {
        let settings = [("WORK", "sleep:200ms"), ("WORKERS", "400"), ("THREADS", "2"), ("READ_TIMEOUT", "5s")];
        let mut server = Server::start(engine, &settings);
        assert!(serves(&server));
        let mut clients: Vec<Client> = (0..400).map(|_| server.connect()).collect();
        let plenty = getrlimit(Resource::As);
        let scarce = Rlimit { current: Some(server.address_space() + (8 << 20)), maximum: plenty.maximum };
        prlimit(Some(server.pid()), Resource::As, scarce).expect("prlimit");
        for client in &mut clients {
            // A process that has ended is noticed below.
            let _ = client.stream.write_all(GET.as_bytes());
        }
        let outcomes: Vec<_> = clients.iter_mut().map(|client| client.read_response(false).is_ok()).collect();
        if server.is_running() {
            assert!(outcomes.contains(&true), "nobody was served");
            prlimit(Some(server.pid()), Resource::As, plenty).expect("prlimit");
            drop(clients);
            assert!(serves(&server), "{}", server.log());
            server.wait_for_metrics("nothing to be left", |metrics| metrics["in_flight_requests"] == 0);
        }
    });
}
