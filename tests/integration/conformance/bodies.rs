//! Content-Length, chunked bodies and the wait for `100 Continue`.

use super::Case;

/// Framing of a POST to `/` and what follows the head; the body limit is 1 KiB.
const POSTS: &[(&str, &[u8], &str)] = &[
    // Without content there is no JSON, which is the client's mistake and not one of framing.
    ("", b"", "400 keep"),
    ("Content-Length: 0\r\n", b"", "400 keep"),
    ("Content-Length: 2\r\n", b"{}", "200 keep"),
    ("Content-Length: 002\r\n", b"{}", "200 keep"),
    ("Content-Length:  \t2 \r\n", b"{}", "200 keep"),
    ("content-length: 2\r\n", b"{}", "200 keep"),
    ("Content-Length: 2\r\nContent-Type: text/plain\r\n", b"{}", "200 keep"),
    ("Content-Length: 13\r\n", b"{\"a\":[1,2,3]}", "200 keep"),
    ("Content-Length: 2\r\nConnection: close\r\n", b"{}", "200 close"),
    ("Content-Length: 1\r\n", b"{", "400 keep"),
    ("Content-Length: 3\r\n", b"{}x", "400 keep"),
    ("Content-Length: 4\r\n", b"\"\xff\xfe\"", "400 keep"),
    ("Content-Length: 4\r\n", b"\r\n\r\n", "400 keep"),
    ("Content-Length: 1025\r\n", b"", "413 close"),
    ("Content-Length: 1025\r\n", b"{}", "413 close"),
    ("Content-Length: 9223372036854775808\r\n", b"", "413 close"),
    ("Content-Length: 18446744073709551615\r\n", b"", "413 close"),
    ("Content-Length: 18446744073709551616\r\n", b"", "400 close"),
    ("Content-Length: 99999999999999999999999999\r\n", b"", "400 close"),
    ("Content-Length: -1\r\n", b"", "400 close"),
    ("Content-Length: +2\r\n", b"{}", "400 close"),
    ("Content-Length: 0x2\r\n", b"{}", "400 close"),
    ("Content-Length: 2.0\r\n", b"{}", "400 close"),
    ("Content-Length: 2 2\r\n", b"{}", "400 close"),
    ("Content-Length: 2,2\r\n", b"{}", "400 close"),
    ("Content-Length: 2, 2\r\n", b"{}", "400 close"),
    ("Content-Length: abc\r\n", b"{}", "400 close"),
    ("Content-Length:\r\n", b"{}", "400 close"),
    ("Content-Length: \u{662}\r\n", b"{}", "400 close"),
    ("Content-Length: 2\r\nContent-Length: 2\r\n", b"{}", "400 close"),
    ("Content-Length: 2\r\nContent-Length: 3\r\n", b"{}", "400 close"),
    ("Content-Length : 2\r\n", b"{}", "400 close"),
    ("Content-Length: 2\r\n ,2\r\n", b"{}", "400 close"),
    // Transfer codings.
    ("Transfer-Encoding: CHUNKED\r\n", b"2\r\n{}\r\n0\r\n\r\n", "200 keep"),
    ("transfer-encoding:\tchunked \r\n", b"2\r\n{}\r\n0\r\n\r\n", "200 keep"),
    ("Transfer-Encoding: , chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", "200 keep"),
    ("Transfer-Encoding: gzip, chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", "501 close"),
    ("Transfer-Encoding: identity\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: gzip\r\n", b"{}", "400 close"),
    ("Transfer-Encoding: chunked, chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: chunked, identity\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: chunked,\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: chunked;q=1\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: xchunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: \"chunked\"\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: \u{b}chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding:\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n", "400 close"),
    ("Transfer-Encoding : chunked\r\n", b"0\r\n\r\n", "400 close"),
    ("Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n", "400 close"),
    // Both framings at once: one of the two hops would be wrong.
    ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", b"2\r\n{}\r\n0\r\n\r\n", "400 close"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", b"0\r\n\r\n", "400 close"),
    // `100 Continue` comes whenever a body is awaited, and never before a refusal.
    ("Expect: 100-continue\r\nContent-Length: 2\r\n", b"{}", "100 200 keep"),
    ("expect: 100-CONTINUE\r\nTransfer-Encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n", "100 200 keep"),
    ("Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n", b"{}", "100 200 close"),
    ("Expect: 100-continue\r\nContent-Length: 1\r\n", b"{", "100 400 keep"),
    ("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"x\r\n", "100 400 close"),
    ("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", b"401\r\n", "100 413 close"),
    ("Expect: 100-continue\r\nContent-Length: 1025\r\n", b"", "413 close"),
    ("Expect: 100-continue\r\nContent-Length: x\r\n", b"", "400 close"),
    ("Expect: a-miracle\r\nContent-Length: 2\r\n", b"{}", "417 close"),
];

/// Bodies of a chunked POST to `/`.
const CHUNKED: &[(&[u8], &str)] = &[
    (b"2\r\n{}\r\n0\r\n\r\n", "200 keep"),
    (b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "200 keep"),
    (b"A\r\n{\"a\":1234}\r\n0\r\n\r\n", "200 keep"),
    (b"a\r\n{\"a\":1234}\r\n0\r\n\r\n", "200 keep"),
    (b"0002\r\n{}\r\n000\r\n\r\n", "200 keep"),
    (b"2;name=value\r\n{}\r\n0;last\r\n\r\n", "200 keep"),
    (b"2 ; name=\"a b\"\t\r\n{}\r\n0\r\n\r\n", "200 keep"),
    (b"2\t\r\n{}\r\n0\r\n\r\n", "200 keep"),
    (b"2\r\n{}\r\n0\r\nX: y\r\nContent-Length: 9\r\n\r\n", "200 keep"),
    (b"0\r\n\r\n", "400 keep"),
    (b"2\r\n{]\r\n0\r\n\r\n", "400 keep"),
    (b"\r\n", "400 close"),
    (b"x\r\n", "400 close"),
    (b" 2\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"-2\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"+2\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"0x2\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2_\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2 2\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b";name\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2;na\x00me\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2\r{}\r\n0\r\n\r\n", "400 close"),
    (b"2\r\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2;name\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2\r\n{}\n0\r\n\r\n", "400 close"),
    (b"2\r\n{}0\r\n\r\n", "400 close"),
    (b"2\r\n{}x\r\n0\r\n\r\n", "400 close"),
    (b"1\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"3\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"2\r\n{}\r\n0\n\r\n", "400 close"),
    (b"2\r\n{}\r\n0\r\n\n", "400 close"),
    (b"2\r\n{}\r\n0\r\nno colon\r\n\r\n", "400 close"),
    (b"2\r\n{}\r\n0\r\n: y\r\n\r\n", "400 close"),
    (b"2\r\n{}\r\n0\r\nX : y\r\n\r\n", "400 close"),
    (b"2\r\n{}\r\n0\r\nX: y\n\r\n", "400 close"),
    (b"10000000000000002\r\n{}\r\n0\r\n\r\n", "400 close"),
    (b"fffffffffffffff\r\n", "413 close"),
    (b"401\r\n", "413 close"),
];

/// A body that the route has no use for is read and ignored: the connection stays in step.
const UNWANTED: &[(&str, &str, &str)] = &[
    ("GET /", "Content-Length: 5\r\n\r\nhello", "200 keep"),
    ("GET /", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "200 keep"),
    ("GET /", "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "100 200 keep"),
    ("HEAD /", "Content-Length: 5\r\n\r\nhello", "200h keep"),
    ("GET /health", "Content-Length: 5\r\n\r\nhello", "200 keep"),
    ("POST /health", "Content-Length: 5\r\n\r\nhello", "405 keep"),
    ("POST /health", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "405 keep"),
    ("POST /nope", "Content-Length: 5\r\n\r\nhello", "404 keep"),
    ("POST /nope", "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "100 404 keep"),
    ("PUT /", "Content-Length: 2\r\n\r\n{}", "405 keep"),
    ("PUT /", "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "405 keep"),
    // ... unless it cannot be followed to its end.
    ("POST /nope", "Transfer-Encoding: chunked\r\n\r\nx\r\n", "400 close"),
    ("GET /", "Transfer-Encoding: chunked\r\n\r\n401\r\n", "413 close"),
    ("GET /health", "Content-Length: 1025\r\n\r\n", "413 close"),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (fields, body, outcome) in POSTS {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
        cases.push(Case::new([head.as_bytes(), body].concat(), outcome));
    }
    let chunked = |body: &[u8]| [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", body].concat();
    cases.extend(CHUNKED.iter().map(|(body, outcome)| Case::new(chunked(body), outcome)));
    for (line, rest, outcome) in UNWANTED {
        cases.push(Case::new(format!("{line} HTTP/1.1\r\nHost: a\r\n{rest}"), outcome));
    }
    for (fields, outcome) in [
        ("Content-Length: 2\r\n", "200 close"),
        ("Content-Length: 2\r\nConnection: keep-alive\r\n", "200 keep"),
        // HTTP/1.0 knows no interim responses and no transfer codings.
        ("Content-Length: 2\r\nExpect: 100-continue\r\n", "200 close"),
        ("Transfer-Encoding: chunked\r\n", "400 close"),
    ] {
        cases.push(Case::new(format!("POST / HTTP/1.0\r\n{fields}\r\n{{}}"), outcome));
    }
    // The body limit, exactly met and passed by one, in both framings.
    let json_of = |size: usize| format!("\"{}\"", "y".repeat(size - 2));
    let exact = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1024\r\n\r\n{}", json_of(1024));
    cases.push(Case::new(exact, "200 keep"));
    cases.push(Case::new(chunked(format!("400\r\n{}\r\n0\r\n\r\n", json_of(1024)).as_bytes()), "200 keep"));
    let split = format!("200\r\n{}\r\n201\r\n{}\r\n0\r\n\r\n", "y".repeat(512), "y".repeat(513));
    cases.push(Case::new(chunked(split.as_bytes()), "413 close"));
    // Extensions and trailers are bounded too.
    let extension = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "y".repeat(17 * 1024));
    cases.push(Case::new(chunked(extension.as_bytes()), "431 close"));
    let trailers = format!("2\r\n{{}}\r\n0\r\n{}\r\n", "X: y\r\n".repeat(5000));
    cases.push(Case::new(chunked(trailers.as_bytes()), "431 close"));
    cases
}
