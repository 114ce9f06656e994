//! Request lines and header fields.

use super::Case;

/// Each is followed by `Host: a` and the empty line.
const REQUEST_LINES: &[(&[u8], &str)] = &[
    (b"GET / HTTP/1.1\r\n", "200 keep"),
    (b"HEAD / HTTP/1.1\r\n", "200h keep"),
    (b"GET / HTTP/1.0\r\n", "200 close"),
    (b"HEAD / HTTP/1.0\r\n", "200h close"),
    (b"GET /health HTTP/1.1\r\n", "200 keep"),
    (b"HEAD /health HTTP/1.1\r\n", "200h keep"),
    (b"GET /metrics HTTP/1.1\r\n", "200 keep"),
    // Targets: the query plays no part in routing, the path is not decoded.
    (b"GET /health?verbose=1 HTTP/1.1\r\n", "200 keep"),
    (b"GET /?a=b?c/d&e={}|`^ HTTP/1.1\r\n", "200 keep"),
    (b"GET /? HTTP/1.1\r\n", "200 keep"),
    (b"GET /nope HTTP/1.1\r\n", "404 keep"),
    (b"HEAD /nope HTTP/1.1\r\n", "404h keep"),
    (b"GET /health/ HTTP/1.1\r\n", "404 keep"),
    (b"GET // HTTP/1.1\r\n", "404 keep"),
    (b"GET /%68ealth HTTP/1.1\r\n", "404 keep"),
    (b"GET /% HTTP/1.1\r\n", "404 keep"),
    (b"GET /static/../health HTTP/1.1\r\n", "404 keep"),
    (b"GET http://a/health HTTP/1.1\r\n", "200 keep"),
    (b"GET HTTP://A:80/health?x HTTP/1.1\r\n", "200 keep"),
    (b"GET http://a HTTP/1.1\r\n", "200 keep"),
    (b"GET http://a?x=y HTTP/1.1\r\n", "200 keep"),
    (b"GET http://[::1]:8080/health HTTP/1.1\r\n", "200 keep"),
    (b"GET https://a/ HTTP/1.1\r\n", "400 close"),
    (b"GET ftp://a/ HTTP/1.1\r\n", "400 close"),
    (b"GET http:///health HTTP/1.1\r\n", "400 close"),
    (b"GET http://user@a/ HTTP/1.1\r\n", "400 close"),
    (b"GET http://a:port/ HTTP/1.1\r\n", "400 close"),
    (b"GET health HTTP/1.1\r\n", "400 close"),
    (b"GET * HTTP/1.1\r\n", "400 close"),
    (b"GET a:80 HTTP/1.1\r\n", "400 close"),
    (b"GET /a#b HTTP/1.1\r\n", "400 close"),
    (b"GET /a<b HTTP/1.1\r\n", "400 close"),
    (b"GET /a\"b HTTP/1.1\r\n", "400 close"),
    (b"GET /\x00 HTTP/1.1\r\n", "400 close"),
    (b"GET /\x7f HTTP/1.1\r\n", "400 close"),
    (b"GET /\xc3\xbc HTTP/1.1\r\n", "400 close"),
    (b"GET /\xff HTTP/1.1\r\n", "400 close"),
    // Methods: known ones that a route does not offer are 405, names that no standard has are 501.
    (b"OPTIONS / HTTP/1.1\r\n", "405 keep"),
    (b"PUT / HTTP/1.1\r\n", "405 keep"),
    (b"PATCH / HTTP/1.1\r\n", "405 keep"),
    (b"DELETE / HTTP/1.1\r\n", "405 keep"),
    (b"TRACE / HTTP/1.1\r\n", "405 keep"),
    (b"POST /health HTTP/1.1\r\n", "405 keep"),
    (b"DELETE /metrics HTTP/1.1\r\n", "405 keep"),
    (b"POST /dashboard HTTP/1.1\r\n", "405 keep"),
    (b"DELETE /nope HTTP/1.1\r\n", "404 keep"),
    (b"CONNECT a:80 HTTP/1.1\r\n", "405 close"),
    (b"CONNECT / HTTP/1.1\r\n", "405 close"),
    (b"BREW / HTTP/1.1\r\n", "501 close"),
    (b"get / HTTP/1.1\r\n", "501 close"),
    (b"GETS / HTTP/1.1\r\n", "501 close"),
    (b"G / HTTP/1.1\r\n", "501 close"),
    (b"GET@ / HTTP/1.1\r\n", "400 close"),
    (b"G\x00T / HTTP/1.1\r\n", "400 close"),
    (b"G\xc3\x9cT / HTTP/1.1\r\n", "400 close"),
    // Versions.
    (b"GET / HTTP/1.2\r\n", "200 keep"),
    (b"GET / HTTP/2.0\r\n", "505 close"),
    (b"GET / HTTP/0.9\r\n", "505 close"),
    (b"PRI * HTTP/2.0\r\n", "505 close"),
    (b"GET / HTTP/1.10\r\n", "400 close"),
    (b"GET / HTTP/11\r\n", "400 close"),
    (b"GET / HTTP/1\r\n", "400 close"),
    (b"GET / HTTP/1.\r\n", "400 close"),
    (b"GET / http/1.1\r\n", "400 close"),
    (b"GET / HTTQ/1.1\r\n", "400 close"),
    (b"GET / HTTP/1.1 \r\n", "400 close"),
    (b"GET /\r\n", "400 close"),
    (b"GET / \r\n", "400 close"),
    // White space and line ends: a bare LF is a line end here, a bare CR is not, and empty lines may come first.
    (b"GET / HTTP/1.1\n", "200 keep"),
    (b"GET / HTTP/1.1\r", "400 close"),
    (b"\r\nGET / HTTP/1.1\r\n", "200 keep"),
    (b"\n\r\n\nGET / HTTP/1.1\r\n", "200 keep"),
    (b"\rGET / HTTP/1.1\r\n", "400 close"),
    (b" GET / HTTP/1.1\r\n", "400 close"),
    (b"GET  / HTTP/1.1\r\n", "400 close"),
    (b"GET /  HTTP/1.1\r\n", "400 close"),
    (b"GET /a b HTTP/1.1\r\n", "400 close"),
    (b"GET\t/ HTTP/1.1\r\n", "400 close"),
    (b"GET /\tHTTP/1.1\r\n", "400 close"),
    // Other protocols.
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 close"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "400 close"),
    (b"\x00\x00\x00\x00", "400 close"),
];

/// Each stands between `GET / HTTP/1.1`, `Host: a` and the empty line.
const FIELDS: &[(&[u8], &str)] = &[
    (b"X: y\r\n", "200 keep"),
    (b"X:y\r\n", "200 keep"),
    (b"X:\r\n", "200 keep"),
    (b"X: \t y \t \r\n", "200 keep"),
    (b"X: \xff\xfe\r\n", "200 keep"),
    (b"X: y\n", "200 keep"),
    (b"!#$%&'*+-.^_`|~: y\r\n", "200 keep"),
    (b"X : y\r\n", "400 close"),
    (b"X\t: y\r\n", "400 close"),
    (b" X: y\r\n", "400 close"),
    (b"X: a\r\n b\r\n", "400 close"),
    (b"X: a\r\n\tb\r\n", "400 close"),
    (b"X\r\n", "400 close"),
    (b": y\r\n", "400 close"),
    (b"X Y: z\r\n", "400 close"),
    (b"X(: z\r\n", "400 close"),
    (b"\xc3\x9c: z\r\n", "400 close"),
    (b"X: a\x00b\r\n", "400 close"),
    (b"X: a\x01b\r\n", "400 close"),
    (b"X: a\x7fb\r\n", "400 close"),
    (b"X: a\rb\r\n", "400 close"),
    // Host: exactly one.
    (b"Host: a\r\n", "400 close"),
    (b"HOST: b\r\n", "400 close"),
    (b"Host:\r\n", "400 close"),
    // Persistence.
    (b"Connection: close\r\n", "200 close"),
    (b"connection: CLOSE\r\n", "200 close"),
    (b"Connection: keep-alive\r\n", "200 keep"),
    (b"Connection: keep-alive, close\r\n", "200 close"),
    (b"Connection: x ,\tclose ,\r\n", "200 close"),
    (b"Connection: keep-alive\r\nConnection: close\r\n", "200 close"),
    (b"Connection: closed\r\n", "200 keep"),
    (b"Connection:\r\n", "200 keep"),
    (b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", "200 keep"),
    (b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n", "200 keep"),
    (b"Proxy-Connection: close\r\n", "200 keep"),
    // Expectations, without a body to wait for.
    (b"Expect: 100-continue\r\n", "200 keep"),
    (b"Expect: 100-continue\r\nContent-Length: 0\r\n", "200 keep"),
    (b"Expect: a-miracle\r\n", "417 close"),
    (b"Expect: 100-continue, a-miracle\r\n", "417 close"),
    (b"Expect: \r\n", "417 close"),
    // Values that the application reads.
    (b"X-Request-ID: \xff\xfe\r\n", "200 keep"),
    (b"X-Request-ID:\r\n", "200 keep"),
    (b"Accept: */*;q=x,,,;\r\nAccept-Encoding: ;;gzip;q\r\n", "200 keep"),
    (b"Range: bytes=0-1\r\n", "200 keep"),
];

/// `Host` values of an HTTP/1.1 request.
const HOSTS: &[(&str, &str)] = &[
    ("a", "200 keep"),
    ("", "200 keep"),
    ("raspberrypi.local:8080", "200 keep"),
    ("192.168.1.2:80", "200 keep"),
    ("[::1]:80", "200 keep"),
    ("a_b", "200 keep"),
    ("a:", "200 keep"),
    ("a b", "400 close"),
    ("a, b", "400 close"),
    ("a/b", "400 close"),
    ("u@h", "400 close"),
    ("a\\b", "400 close"),
    ("a:b", "400 close"),
    ("a:80:80", "400 close"),
    ("a:123456", "400 close"),
    ("[::1", "400 close"),
    ("[::1]x", "400 close"),
    ("http://a/", "400 close"),
];

/// Whole heads of HTTP/1.0, which needs no Host and closes unless asked to stay.
const OLD: &[(&str, &str)] = &[
    ("GET / HTTP/1.0\r\n\r\n", "200 close"),
    ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 keep"),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nHost: a\r\n\r\n", "200 keep"),
    ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "200 close"),
    ("GET /nope HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "404 keep"),
    ("PUT / HTTP/1.0\r\n\r\n", "405 close"),
    ("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400 close"),
    ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "400 close"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (line, outcome) in REQUEST_LINES {
        cases.push(Case::new([line, &b"Host: a\r\n\r\n"[..]].concat(), outcome));
    }
    for (fields, outcome) in FIELDS {
        cases.push(Case::new([b"GET / HTTP/1.1\r\nHost: a\r\n", *fields, b"\r\n"].concat(), outcome));
    }
    for (host, outcome) in HOSTS {
        cases.push(Case::new(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), outcome));
    }
    cases.extend(OLD.iter().map(|(head, outcome)| Case::new(head, outcome)));
    cases.push(Case::new("GET / HTTP/1.1\r\n\r\n", "400 close"));
    cases.push(Case::new("GET / HTTP/1.1\n\n", "400 close"));
    cases.push(Case::new("GET / HTTP/1.1\nHost: a\n\n", "200 keep"));
    cases.push(Case::new("GET / HTTP/1.1\r\nHost: a\n\r\n", "200 keep"));
    // 100 fields and 2 KiB of head are the limits here; the request line counts as the target's.
    let fields = |count| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count));
    cases.push(Case::new(fields(99), "200 keep"));
    cases.push(Case::new(fields(100), "431 close"));
    let head_of = |size: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(size - 32));
    cases.push(Case::new(head_of(2048), "200 keep"));
    cases.push(Case::new(head_of(2049), "431 close"));
    cases.push(Case::new(head_of(5000), "431 close"));
    cases.push(Case::new(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(3000)), "414 close"));
    cases.push(Case::new("\r\n".repeat(1025), "keep"));
    cases.push(Case::new("X".repeat(2049), "414 close"));
    cases
}
