//! Idle connections: after a grace they are parked, and any byte resumes them.

use crate::common::{Client, Random, Server, every_engine};

const CLIENTS: usize = 150;

/// Waits until every one of `clients` connections is parked.
fn park(server: &Server, clients: usize) {
    server.wait_for_metrics("all to be parked", |metrics| metrics["idle_connections"] == clients);
}

#[test]
fn parked_connections_answer_the_next_request_again_and_again() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
        // Those that never sent a byte are parked as well.
        park(&server, CLIENTS);
        for round in 0..4 {
            for (number, client) in clients.iter_mut().enumerate() {
                let id = format!("{round}-{number}");
                client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Request-ID: {id}\r\n\r\n"));
            }
            for (number, client) in clients.iter_mut().enumerate() {
                let response = client.response().expect(200);
                assert_eq!(response.header("x-request-id"), Some(format!("{round}-{number}").as_str()));
            }
            park(&server, CLIENTS);
        }
    });
}

/// The byte that resumes a connection may be any part of a request, or its end.
#[test]
fn parked_connections_resume_on_any_byte_and_on_a_close() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.get("/health", "").expect(200);
        }
        park(&server, CLIENTS);
        let request = "\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
        let mut random = Random::new(7);
        let splits: Vec<usize> = clients.iter().map(|_| 1 + random.below(request.len() - 1)).collect();
        for (client, split) in clients.iter_mut().zip(&splits) {
            client.send(&request[..*split]);
        }
        for (client, split) in clients.iter_mut().zip(&splits) {
            client.send(&request[*split..]);
        }
        for client in &mut clients {
            client.response().expect(200);
        }
        park(&server, CLIENTS);
        for (number, client) in clients.into_iter().enumerate() {
            match number % 3 {
                0 => drop(client),
                1 => client.reset(),
                _ => {
                    let mut client = client;
                    client.half_close();
                    client.expect_close();
                }
            }
        }
        server.wait_for_metrics("all to be gone", |metrics| {
            metrics["active_connections"] == 1 && metrics["idle_connections"] == 0
        });
    });
}

/// A request that arrives in the very moment its connection is parked must not be lost.
#[test]
fn no_request_is_lost_while_its_connection_is_parked() {
    every_engine(|engine| {
        let server = Server::start(engine, &[]);
        let mut clients: Vec<Client> = (0..60).map(|_| server.connect()).collect();
        let mut random = Random::new(11);
        // Pauses of every length around the grace, different for each connection.
        for _ in 0..120 {
            for client in &mut clients {
                if random.below(8) == 0 {
                    client.get("/", "").expect(200);
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(random.below(60) as u64));
        }
    });
}
