//! `/debug/pprof/`: what a profile holds, and how bad requests are refused.

use std::collections::HashMap;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;

/// A process has one profile at a time, and these tests are one process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn spawn() -> SocketAddr {
    let tasks = Arc::new(|| "workers 4\n".to_owned());
    fastgo::pprof::spawn("127.0.0.1:0".parse().unwrap(), tasks).unwrap()
}

fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Status, head and body of the answer.
fn receive(mut stream: TcpStream) -> (u16, String, Vec<u8>) {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head[9..12].parse().unwrap(), head, answer[end..].to_vec())
}

fn get(address: SocketAddr, target: &str) -> (u16, String, Vec<u8>) {
    receive(send(address, &format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")))
}

fn text(address: SocketAddr, target: &str) -> (u16, String) {
    let (status, _, body) = get(address, target);
    (status, String::from_utf8(body).unwrap())
}

/// One field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, by number.
fn fields(mut bytes: &[u8]) -> HashMap<u64, Vec<Field<'_>>> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }
    let mut fields: HashMap<u64, Vec<Field<'_>>> = HashMap::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (inner, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(inner)
            }
            other => panic!("wire type {other}"),
        };
        fields.entry(key >> 3).or_default().push(value);
    }
    fields
}

fn number(message: &HashMap<u64, Vec<Field<'_>>>, field: u64) -> u64 {
    match message.get(&field).map(|values| &values[0]) {
        Some(Field::Number(number)) => *number,
        Some(Field::Bytes(_)) => panic!("field {field} is not a number"),
        None => 0,
    }
}

fn messages<'a>(message: &HashMap<u64, Vec<Field<'a>>>, field: u64) -> Vec<&'a [u8]> {
    let values = message.get(&field).map(Vec::as_slice).unwrap_or_default();
    let bytes = values.iter().map(|value| match value {
        Field::Bytes(bytes) => *bytes,
        Field::Number(_) => panic!("field {field} is not a message"),
    });
    bytes.collect()
}

#[inline(never)]
fn burn_a_candle(out: &AtomicBool) {
    let mut wax = 1_u64;
    while !out.load(Ordering::Relaxed) {
        for _ in 0..1_000 {
            wax = black_box(wax.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
}

#[test]
fn a_profile_names_the_function_and_the_thread_that_used_the_cpu() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let address = spawn();
    let out = Arc::new(AtomicBool::new(false));
    let burning = Arc::clone(&out);
    let candle = thread::Builder::new().name("candle".into()).spawn(move || burn_a_candle(&burning)).unwrap();
    let (status, head, body) = get(address, "/debug/pprof/profile?seconds=1");
    out.store(true, Ordering::Relaxed);
    candle.join().unwrap();
    assert_eq!(status, 200, "{head}");
    assert_eq!(&body[..2], b"\x1f\x8b", "not gzip");
    let mut raw = Vec::new();
    GzDecoder::new(&body[..]).read_to_end(&mut raw).unwrap();

    let profile = fields(&raw);
    let strings: Vec<_> = messages(&profile, 6).iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
    let string = |id: u64| strings[id as usize];
    assert_eq!(string(0), "");
    let kinds: Vec<_> = messages(&profile, 1).iter().map(|kind| fields(kind)).collect();
    let kinds: Vec<_> = kinds.iter().map(|kind| (string(number(kind, 1)), string(number(kind, 2)))).collect();
    assert_eq!(kinds, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert!((1_000_000_000..3_000_000_000).contains(&number(&profile, 10)), "{}", number(&profile, 10));

    let functions: HashMap<_, _> = messages(&profile, 5)
        .iter()
        .map(|function| fields(function))
        .map(|function| (number(&function, 1), string(number(&function, 2))))
        .collect();
    let locations: HashMap<_, Vec<_>> = messages(&profile, 4)
        .iter()
        .map(|location| fields(location))
        .map(|location| {
            let lines = messages(&location, 4).into_iter().map(|line| functions[&number(&fields(line), 1)]).collect();
            (number(&location, 1), lines)
        })
        .collect();
    let mut on_candle = 0;
    let mut cpu = 0;
    let mut others = Vec::new();
    for sample in messages(&profile, 2) {
        let sample = fields(sample);
        let label = fields(messages(&sample, 3)[0]);
        assert_eq!(string(number(&label, 1)), "thread");
        let Field::Number(nanoseconds) = sample[&2][1] else { panic!("no CPU time") };
        cpu += nanoseconds;
        let stack = sample[&1].iter().flat_map(|location| match location {
            Field::Number(id) => &locations[id],
            Field::Bytes(_) => panic!("a location is a number"),
        });
        let stack: Vec<_> = stack.collect();
        let thread = string(number(&label, 2));
        if stack.iter().any(|name| name.contains("burn_a_candle")) {
            assert_eq!(thread, "candle");
            on_candle += nanoseconds;
        } else {
            others.push((nanoseconds, thread, stack));
        }
    }
    others.sort();
    assert!(on_candle * 10 > cpu * 7, "only {on_candle} of {cpu} ns are the candle's, the others {others:#?}");
    assert!(on_candle > 100_000_000, "only {on_candle} ns");
}

#[test]
fn one_profile_at_a_time_and_none_for_a_client_that_left() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let address = spawn();
    let long = send(address, "GET /debug/pprof/profile?seconds=300 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    // Whichever of the two comes first, the other is refused.
    let (status, ..) = get(address, "/debug/pprof/profile?seconds=1");
    if status == 200 {
        assert_eq!(receive(long).0, 409);
        return;
    }
    assert_eq!(status, 409);
    drop(long);
    let deadline = Instant::now() + Duration::from_secs(20);
    while get(address, "/debug/pprof/profile?seconds=1").0 == 409 {
        assert!(Instant::now() < deadline, "it goes on for a client that left");
    }
}

#[test]
fn bad_requests_are_told_so() {
    let address = spawn();
    for seconds in ["0", "301", "-1", "x", "", "1.5"] {
        let (status, body) = text(address, &format!("/debug/pprof/profile?debug=0&seconds={seconds}"));
        assert_eq!(status, 400, "seconds={seconds}");
        assert!(body.starts_with("{\"error\":\"seconds"), "{body}");
    }
    assert_eq!(text(address, "/debug/pprof/goroutine").0, 404);
    assert_eq!(text(address, "/").0, 404);
    let (status, head, _) =
        receive(send(address, "POST /debug/pprof/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
    assert_eq!(status, 405);
    assert!(head.contains("\r\nallow: GET, HEAD\r\n"), "{head}");
    assert_eq!(receive(send(address, "nonsense\r\n\r\n")).0, 400);
}

#[test]
fn the_other_pages_are_text() {
    let address = spawn();
    for target in ["/debug/pprof", "/debug/pprof/"] {
        let (status, index) = text(address, target);
        assert_eq!(status, 200);
        assert!(
            index.contains(&format!("go tool pprof -top 'http://{address}/debug/pprof/profile?seconds=30'")),
            "{index}"
        );
    }
    assert_eq!(text(address, "/debug/pprof/tasks"), (200, "workers 4\n".to_owned()));
    let (status, heap) = text(address, "/debug/pprof/heap");
    assert_eq!(status, 200);
    for name in ["VmRSS:", "Pss:", "Private_Dirty:"] {
        assert!(heap.contains(name), "{name} in {heap}");
    }
    let (status, answer, body) =
        receive(send(address, "HEAD /debug/pprof/profile?seconds=300 HTTP/1.1\r\nHost: [::1]\r\n\r\n"));
    assert_eq!((status, body.len()), (200, 0), "{answer}");
}

#[test]
fn only_loopback_is_served() {
    let refusal = fastgo::pprof::spawn("0.0.0.0:0".parse().unwrap(), Arc::new(String::new)).unwrap_err();
    assert!(refusal.to_string().contains("loopback only"), "{refusal}");
}

#[test]
fn a_name_that_a_stranger_lets_lead_here_gets_nothing() {
    let address = spawn();
    let asked_as = |host: &str| receive(send(address, &format!("GET /debug/pprof/tasks HTTP/1.1\r\n{host}\r\n"))).0;
    let port = address.port();
    for good in ["", "Host: localhost\r\n", "Host: [::1]:6060\r\n", &format!("Host: 127.0.0.1:{port}\r\n")] {
        assert_eq!(asked_as(good), 200, "{good:?}");
    }
    for bad in ["evil.example", "localhost.evil.example:6060", "pi.local", "pi", "\u{ff}"] {
        assert_eq!(asked_as(&format!("Host: {bad}\r\n")), 421, "{bad:?}");
    }
}
