//! One serving thread in this process, with an engine whose work the test does, and a memory budget of its own.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};
use rustix::process::Signal;

use super::connection::{Connection, Outcome};
use super::table::{Held, State, Taken};
use super::*;
use crate::app::{Job, Request, Route, Task};
use crate::config::{EngineKind, Settings};
use crate::http::Session;

const PATIENCE: Duration = Duration::from_secs(30);
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Hands over requests with work, and has a bug in two of the other routes.
struct Handing(Sender<(Pending, Job)>);

impl Engine for Handing {
    fn pending_bytes(&self) -> usize {
        512
    }

    fn respond(&mut self, exchange: Exchange<'_>, request: Request) {
        match request.route {
            Route::NotFound => panic!("a bug"),
            // Not answered.
            Route::Courses => {}
            _ => {
                if let Some((pending, Task::Work(job))) = exchange.plan(request) {
                    self.0.send((pending, job)).unwrap();
                }
            }
        }
    }
}

struct Running {
    server: &'static Server,
    address: SocketAddr,
    work: Receiver<(Pending, Job)>,
}

pub(super) fn server(buffers: usize) -> &'static Server {
    let settings = Settings::default().with("DATABASE_URL", "none").with("WORK", "none");
    let app = App::new(settings.resolve(EngineKind::HYPER, 0).unwrap()).unwrap();
    Server::with_buffers(app, 1, buffers).unwrap()
}

/// An event loop that turns only when a test calls it, with its address and what it hands over.
fn stopped_loop(buffers: usize) -> (EventLoop<Handing>, Running) {
    let server = server(buffers);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, work) = channel();
    let event_loop = EventLoop::new(server, 0, listener, Handing(sender)).unwrap();
    (event_loop, Running { server, address, work })
}

fn start(buffers: usize) -> Running {
    let (mut event_loop, running) = stopped_loop(buffers);
    thread::spawn(move || {
        loop {
            if !event_loop.turn() {
                let descriptor = event_loop.as_fd();
                let _ = poll(&mut [PollFd::new(&descriptor, PollFlags::IN)], None);
            }
        }
    });
    running.server.start_threads().unwrap();
    running
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn used(&self) -> usize {
        self.server.buffers.used()
    }
}

/// What has arrived; nothing is waited for.
fn arrived(mut stream: &TcpStream) -> String {
    stream.set_nonblocking(true).unwrap();
    let mut bytes = Vec::new();
    while stream.read_to_end(&mut bytes).is_err_and(|error| error.kind() == ErrorKind::Interrupted) {}
    String::from_utf8(bytes).unwrap()
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "waited for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// What the server sends until it closes.
fn rest(mut stream: &TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// What has arrived once there is something.
fn some(mut stream: &TcpStream) -> String {
    let mut bytes = [0; 4096];
    let count = stream.read(&mut bytes).unwrap();
    String::from_utf8(bytes[..count].to_vec()).unwrap()
}

fn has_something(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    peeked.is_ok()
}

#[test]
fn a_bug_costs_the_request_that_meets_it() {
    let running = start(1 << 20);
    let bystander = running.connect();
    for path in ["/nope", "/courses"] {
        let mut client = running.connect();
        let request = |path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        client.write_all((request("/health") + &request(path) + &request("/health")).as_bytes()).unwrap();
        let text = rest(&client);
        let statuses: Vec<&str> = text.split("HTTP/1.1 ").skip(1).map(|response| &response[..3]).collect();
        assert_eq!(statuses, ["200", "500"], "{text}");
        assert!(text.contains("connection: close"), "{text}");
        (&bystander).write_all(request("/health").as_bytes()).unwrap();
        assert!(some(&bystander).starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn unfinished_requests_take_no_more_memory_than_there_is() {
    let running = start(64 << 10);
    let half = |method: &str| format!("{method} / HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(4000));
    let mut waiting = Vec::new();
    let refused = loop {
        let mut client = running.connect();
        let used = running.used();
        client.write_all(half("GET").as_bytes()).unwrap();
        wait_until("the server to read it", || running.used() > used || has_something(&client));
        if running.used() == used {
            break client;
        }
        waiting.push(client);
    };
    assert!((10..=16).contains(&waiting.len()), "{} of 4 KB in 64 KiB", waiting.len());
    let text = rest(&refused);
    assert!(
        text.starts_with("HTTP/1.1 503 ") && text.contains("retry-after: 1") && text.contains("{\"error\""),
        "{text}"
    );
    let mut head = running.connect();
    head.write_all(half("HEAD").as_bytes()).unwrap();
    let text = rest(&head);
    assert!(text.starts_with("HTTP/1.1 503 ") && text.ends_with("\r\n\r\n"), "{text}");
    // What needs no memory is served, and what is given back is used again.
    let mut client = running.connect();
    client.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(some(&client).starts_with("HTTP/1.1 200 "));
    waiting[0].write_all(b"\r\n\r\n").unwrap();
    let (pending, job) = running.work.recv_timeout(PATIENCE).unwrap();
    pending.respond(&job.finish(Ok(())));
    assert!(some(&waiting[0]).starts_with("HTTP/1.1 200 "));
    drop(waiting);
    wait_until("the memory to be given back", || running.used() == 0);
}

#[test]
fn requests_in_work_take_no_more_memory_than_there_is() {
    let running = start(16 << 10);
    // Bytes of a next request wait with the one in work.
    let request = format!("{GET}GET /{}", "x".repeat(1085));
    let mut clients: Vec<TcpStream> = (0..20).map(|_| running.connect()).collect();
    let mut in_work = Vec::new();
    for client in &mut clients[..10] {
        client.write_all(request.as_bytes()).unwrap();
        in_work.push(running.work.recv_timeout(PATIENCE).unwrap());
    }
    for client in &mut clients[10..] {
        client.write_all(GET.as_bytes()).unwrap();
        wait_until("work or a refusal", || match running.work.try_recv() {
            Ok(_) => panic!("more than 16 KiB in work"),
            Err(_) => has_something(client),
        });
        let text = some(client);
        assert!(text.starts_with("HTTP/1.1 503 ") && !text.contains("connection: close"), "{text}");
    }
    let metrics = &running.server.app.metrics;
    assert_eq!(metrics.in_flight(), 10);
    for (pending, job) in in_work {
        pending.respond(&job.finish(Ok(())));
    }
    for client in &clients[..10] {
        assert!(some(client).starts_with("HTTP/1.1 200 "));
    }
    clients[10].write_all(GET.as_bytes()).unwrap();
    drop(running.work.recv_timeout(PATIENCE).unwrap());
    assert_eq!(rest(&clients[10]), "", "a response that is never made ends the connection");
    drop(clients);
    wait_until("the memory to be given back", || running.used() == 0);
    wait_until("the permits to be given back", || metrics.counters.active.load(Relaxed) == 0);
}

/// The time to read the last response is not renewed by what the client goes on sending.
#[test]
fn a_closed_connection_cannot_be_kept_by_sending() {
    let running = start(1 << 20);
    let mut client = running.connect();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert!(rest(&client).starts_with("HTTP/1.1 400 "));
    let began = Instant::now();
    let error = loop {
        match client.write_all(b"x") {
            Ok(()) => thread::sleep(Duration::from_millis(50)),
            Err(error) => break error,
        }
        assert!(began.elapsed() < PATIENCE, "the connection was kept");
    };
    assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

/// Else a client that pipelines without end would be served once more in each turn than in the one before.
#[test]
fn a_connection_has_one_turn_at_a_time() {
    let server = server(1 << 20);
    let reactor = &server.reactors[0];
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let now = Moment::now();
    let key = reactor.table().insert(server.permit(&stream).unwrap());
    let connection = Connection { server, reactor, key };
    let held = || Some(Box::new(Held { session: Session::new(now), charge: server.buffers.charge() }));
    for _ in 0..3 {
        connection.dispose(stream, held(), Outcome::Resume, now);
        let mut table = reactor.table();
        assert!(matches!(table.take(key, false), Taken::Nothing) && table.has_resumed());
        let mut resumed = table.take_resumed();
        let (again, Taken::Serve(back, Some(_), _)) = resumed.remove(0) else { panic!("nothing to serve") };
        assert!(again == key && resumed.is_empty() && !table.has_resumed());
        stream = back;
    }
    connection.dispose(stream, held(), Outcome::Resume, now);
    connection.remove();
    assert!(reactor.table().take_resumed().is_empty(), "a connection that is gone");
}

/// Else the time to write would run from the first of all responses for a client that reads slowly and asks on.
#[test]
fn what_a_client_has_not_read_is_sent_before_more_is_decoded() {
    let (mut event_loop, Running { server, .. }) = stopped_loop(1 << 20);
    let reactor = &server.reactors[0];
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = TcpStream::connect(other.local_addr().unwrap()).unwrap();
    let mut stream = other.accept().unwrap().0;
    stream.set_nonblocking(true).unwrap();
    while stream.write(&[b'x'; 4096]).is_ok() {}
    let (now, key) = (Moment::now(), reactor.table().insert(server.permit(&stream).unwrap()));
    assert!(reactor.watch(key, &stream));
    let mut session = Session::new(now);
    session.receive(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    session.output_mut().extend_from_slice(b"unsent");
    let held = Box::new(Held { session, charge: server.buffers.charge() });
    Connection { server, reactor, key }.dispose(stream, Some(held), Outcome::Resume, now);
    event_loop.turn();
    let mut table = reactor.table();
    let Some(State::Waiting(_, held)) = table.state(key) else { panic!("it does not wait") };
    assert_eq!((held.session.output(), held.session.has_input()), (&b"unsent"[..], true));
}

const HEALTH: &[u8] = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n";

/// More responses than the outbox holds.
#[test]
fn requests_of_one_turn_are_all_answered_in_it() {
    let (mut event_loop, running) = stopped_loop(1 << 20);
    let mut clients = Vec::new();
    for _ in 0..220 {
        clients.push(running.connect());
        event_loop.turn();
    }
    for requests in [1, 3] {
        for mut client in &clients {
            client.write_all(&HEALTH.repeat(requests)).unwrap();
        }
        event_loop.turn();
        for client in &clients {
            assert_eq!(arrived(client).matches("HTTP/1.1 200 OK").count(), requests);
        }
    }
}

#[test]
fn a_gathered_response_that_the_socket_does_not_take_waits_for_the_client() {
    let (mut event_loop, running) = stopped_loop(1 << 20);
    let mut client = running.connect();
    set_socket_recv_buffer_size(&client, 4096).unwrap();
    while event_loop.turn() {}
    let (reactor, key) = (&running.server.reactors[0], (1 << 32).into());
    match reactor.table().state(key) {
        Some(State::Idle(stream)) => set_socket_send_buffer_size(stream, 4096).unwrap(),
        _ => panic!("it is not the first connection"),
    }
    let mut asked = 0;
    while !matches!(reactor.table().state(key), Some(State::Waiting(..))) {
        client.write_all(HEALTH).unwrap();
        event_loop.turn();
        asked += 1;
        assert!(asked < 1_000_000, "all of it was taken");
    }
    let mut text = String::new();
    while text.matches("HTTP/1.1 200 OK").count() < asked {
        text += &arrived(&client);
        event_loop.turn();
    }
    assert!(text.ends_with("\"}"), "the last response is not whole");
}

/// A thread that is needed must not be missing in silence.
#[test]
fn a_critical_thread_that_panics_ends_the_process() {
    const MARK: &str = "FASTGO_TEST_PANIC";
    if std::env::var_os(MARK).is_some() {
        spawn_critical("needed", || panic!("a bug")).unwrap();
        thread::sleep(PATIENCE);
        return;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "server::tests::a_critical_thread_that_panics_ends_the_process"]).env(MARK, "1");
    let output = child.output().unwrap();
    assert_eq!(output.status.signal(), Some(Signal::ABORT.as_raw()), "{output:?}");
}
