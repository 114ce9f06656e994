//! Sizes and numbers of connections: what is over a limit is refused with the reason, and nothing is left behind after many connections at once.

use crate::common::{Random, Server, every_engine, wait_for};

#[test]
fn sizes_are_limited_by_the_settings() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("MAX_HEADER_BYTES", "1KiB"), ("MAX_BODY_BYTES", "10B")]);
        let head = |size: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(size - 32));
        let body = |size: usize| {
            let content = format!("\"{}\"", "x".repeat(size - 2));
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n{content}")
        };
        let target = |size: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(size - 1));
        for (request, status) in [
            (head(1024), 200),
            (head(1025), 431),
            (target(500), 404),
            (target(1100), 414),
            (body(10), 200),
            (body(11), 413),
        ] {
            let mut client = server.connect();
            client.send(&request);
            let response = client.response().expect(status);
            assert_eq!(response.closes(), status > 404, "{response:?}");
            if response.closes() {
                response.expect_error(status);
                client.expect_close();
            }
        }
    });
}

#[test]
fn defaults_are_16_kib_of_head_8_kib_of_target_and_1_mib_of_body() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let head = |size: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(size - 32));
        let target = |size: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(size - 1));
        let announced = |size: usize| format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
        for (request, status) in [
            (head(16 * 1024), 200),
            (head(16 * 1024 + 1), 431),
            (head(100_000), 431),
            (target(8 * 1024), 404),
            (target(8 * 1024 + 1), 414),
            (target(100_000), 414),
            (announced((1 << 20) + 1), 413),
        ] {
            let mut client = server.connect();
            client.send(&request);
            client.response().expect(status);
        }
    });
}

/// Closing at once would reset the connection under a client that is still sending, and the answer would be lost.
#[test]
fn a_refusal_reaches_a_client_that_is_still_sending() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("MAX_BODY_BYTES", "1KiB")]);
        for _ in 0..10 {
            let mut client = server.connect();
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 256000\r\n\r\n");
            for _ in 0..250 {
                client.send([b'x'; 1024]);
            }
            assert!(client.response().expect_error(413).closes());
            client.expect_close();

            let mut client = server.connect();
            client.send("GET /");
            client.send(vec![b'x'; 100_000]);
            assert!(client.response().expect_error(414).closes());
            client.expect_close();
        }
    });
}

#[test]
fn connections_over_the_limit_get_a_503_and_make_room_for_nobody() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("MAX_CONNECTIONS", "4")]);
        let mut held: Vec<_> = (0..4).map(|_| server.connect()).collect();
        for client in &mut held {
            client.get("/", "").expect(200);
        }
        for round in 0..20 {
            let mut extra = server.connect();
            if round % 2 == 0 {
                extra.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            }
            if round % 4 == 0 {
                extra.send(vec![b'x'; 20_000]);
            }
            assert!(extra.response().expect_error(503).closes());
            extra.expect_close();
        }
        for client in &mut held {
            client.get("/", "").expect(200);
        }
        let metrics = held[0].get("/metrics", "").json();
        assert_eq!(metrics["connections"]["rejected"], 20, "{metrics:#}");
        assert_eq!(metrics["active_connections"], 4, "{metrics:#}");
        drop(held.pop());
        wait_for("the freed place", || {
            let mut client = server.connect();
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            (client.response().status == 200).then_some(())
        });
    });
}

#[test]
fn streams_on_a_full_server_leave_room_to_ask_how_it_is() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("MAX_CONNECTIONS", "1")]);
        let mut held = server.connect();
        held.get("/", "").expect(200);
        let open = || {
            let mut client = server.connect();
            client.send("GET /sse/metrics HTTP/1.1\r\nHost: a\r\n\r\n");
            let status = client.read_header().expect("a response").status;
            (status == 200).then_some(client)
        };
        let streams: Vec<_> = std::iter::from_fn(open).take(32).collect();
        assert_eq!(streams.len(), 24);
        for _ in 0..20 {
            server.connect().get("/health", "").expect(200);
        }
    });
}

/// Clients that come and go in every state; `number` decides what each does.
fn pass_by(server: &Server, number: usize) {
    let mut client = server.connect();
    match number {
        0 => {}
        1 => client.reset(),
        2 => client.send("GET / HT"),
        3 => {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{");
            client.reset();
        }
        4 => client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        5 => {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.reset();
        }
        6 => drop(client.get("/", "").expect(200)),
        7 => {
            client.get("/health", "").expect(200);
            client.reset();
        }
        8 => client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20)),
        9 => {
            client.send("GET /sse/metrics HTTP/1.1\r\nHost: a\r\n\r\n");
            drop(client.read_header());
            client.reset();
        }
        10 => client.send(b"\x16\x03\x01\x02\x00"),
        _ => {
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.half_close();
        }
    }
}

#[test]
fn gauges_fall_back_after_a_storm() {
    every_engine(|engine| {
        let settings = [("WORK", "sleep:20ms"), ("WORKERS", "4"), ("THREADS", "4"), ("IDLE_TIMEOUT", "60s")];
        let mut server = Server::start(engine, &settings);
        let before = server.metrics();
        std::thread::scope(|scope| {
            for seed in 0..8 {
                let server = &server;
                scope.spawn(move || {
                    let mut random = Random::new(seed);
                    for _ in 0..60 {
                        pass_by(server, random.below(12));
                    }
                });
            }
        });
        // One connection is open: the one that asks. The last of the others may still be in the kernel's queue.
        let after = server.wait_for_metrics("all gauges to fall", |metrics| {
            metrics["connections"]["accepted"].as_u64() > Some(480)
                && metrics["active_connections"] == 1
                && ["idle_connections", "in_flight_requests", "sse_subscribers"].iter().all(|name| metrics[name] == 0)
                && metrics["num_tasks"].as_u64() <= before["num_tasks"].as_u64()
                && metrics["queue"]["depth"] == 0
        });
        let total = |name: &str| after[name].as_u64().expect("a number");
        assert_eq!(total("total_requests"), total("completed_requests") + total("error_count"), "{after:#}");
        assert!(server.is_running());
    });
}

/// A body is checked as it arrives and not kept, so clients that never finish theirs take no memory with it.
#[test]
fn half_sent_bodies_take_no_memory() {
    const BODIES: usize = 16;
    every_engine(|engine| {
        let server = Server::start(engine, &[("READ_TIMEOUT", "60s")]);
        server.connect().post("/", "{}").expect(200);
        let before = server.resident();
        let body = [b"\"".to_vec(), vec![b'x'; (1 << 20) - 2]].concat();
        let mut clients: Vec<_> = (0..BODIES).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n");
            client.send(&body);
        }
        let sent = (BODIES << 20) as u64;
        server.wait_for_metrics("all to be read", |metrics| metrics["bytes"]["read"].as_u64() > Some(sent));
        let grown = server.resident().saturating_sub(before);
        assert!(grown < 6 << 20, "{grown} bytes for {BODIES} bodies");
        for client in &mut clients {
            client.send("\"");
            assert_eq!(client.response().expect(200).json()["received_bytes"], 1 << 20);
        }
    });
}

/// The widest limit on the header leaves no gap between what the engines admit.
#[test]
fn a_field_may_be_as_long_as_the_header() {
    every_engine(|engine| {
        let server = Server::start(engine, &[("MAX_HEADER_BYTES", "1MiB")]);
        let mut client = server.connect();
        for size in [70_000, 1_000_000] {
            client.get("/health", &format!("{}: y\r\n", "x".repeat(size))).expect(200);
            client.get("/health", &format!("X: {}\r\n", "y".repeat(size))).expect(200);
        }
    });
}

/// On a system that gives them to everyone, they would take 15 MB before the first connection.
#[test]
fn the_heap_gets_no_huge_pages() {
    every_engine(|engine| assert!(!Server::start(engine, &[]).gets_huge_pages()));
}
