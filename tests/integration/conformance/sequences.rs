//! Several requests on one connection, and clients that stop sending.

use super::Case;

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEAD: &str = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
const MISSING: &str = "GET /nope HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const BAD: &str = "GET / HTTP/1.1\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
const EXPECT: &str = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}";
const OLD: &str = "GET / HTTP/1.0\r\n\r\n";
const OLD_KEPT: &str = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

pub(super) fn cases() -> Vec<Case> {
    let hidden = |framing: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n{body}");
    let in_length = hidden(&format!("Content-Length: {}", GET.len()), GET);
    let in_chunk = hidden("Transfer-Encoding: chunked", &format!("{:x}\r\n{GET}\r\n0\r\n\r\n", GET.len()));
    let in_trailer = hidden("Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\nGET: / HTTP/1.1\r\nHost: a\r\n\r\n");
    let sequences: &[(&[&str], &str)] = &[
        (&[GET, GET], "200 200 keep"),
        (&[GET, GET, GET, GET, GET, GET, GET, GET], "200 200 200 200 200 200 200 200 keep"),
        (&[GET, "\r\n", GET], "200 200 keep"),
        (&[GET, "\r\n\r\n\n", GET], "200 200 keep"),
        (&[HEAD, GET, HEAD], "200h 200 200h keep"),
        (&[GET, MISSING, GET], "200 404 200 keep"),
        (&[POST, GET, CHUNKED, HEAD], "200 200 200 200h keep"),
        (&[GET, EXPECT, GET], "200 100 200 200 keep"),
        (&[OLD_KEPT, OLD_KEPT, GET], "200 200 200 keep"),
        (&[OLD_KEPT, OLD], "200 200 close"),
        // What follows a request that ends the connection is not answered.
        (&[CLOSE, GET], "200 close"),
        (&[OLD, GET], "200 close"),
        (&[BAD, GET], "400 close"),
        (&[GET, BAD, GET], "200 400 close"),
        (&[GET, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n", GET], "200 501 close"),
        (&[GET, "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", GET], "200 405 close"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n", GET], "413 close"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n", GET], "400 close"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nContent-Length: 2\r\n\r\n{}", GET], "417 close"),
        // A request inside a body is content, not a request.
        (&[&in_length], "400 keep"),
        (&[&in_length, GET], "400 200 keep"),
        (&[&in_chunk], "400 keep"),
        (&[&in_chunk, GET], "400 200 keep"),
        (&[&in_trailer, GET], "200 200 keep"),
        (&["POST /nope HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\n", GET], "404 keep"),
        (&["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\n", GET], "200 keep"),
        // More content than announced is the start of the next request.
        (&["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{} ", GET], "200 400 close"),
        // A client that stops sending is still answered what it asked in full, and nothing else.
        (&[GET], "200 fin"),
        (&[HEAD], "200h fin"),
        (&[CLOSE], "200 fin"),
        (&[OLD], "200 fin"),
        (&[POST], "200 fin"),
        (&[CHUNKED], "200 fin"),
        (&[EXPECT], "100 200 fin"),
        (&[GET, GET, GET], "200 200 200 fin"),
        (&[BAD], "400 fin"),
        (&[GET, BAD], "200 400 fin"),
        (&[], "fin"),
        (&["\r\n"], "fin"),
        (&["GE"], "fin"),
        (&["GET / HTTP/1.1"], "fin"),
        (&["GET / HTTP/1.1\r\nHost: a\r\n"], "fin"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"], "fin"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"], "fin"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"], "fin"),
        (&["POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"], "100 fin"),
        (&[GET, "GET / HTTP/1.1\r\nHo"], "200 fin"),
        (&[POST, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{"], "200 fin"),
    ];
    sequences.iter().map(|(requests, outcome)| Case::new(requests.concat(), outcome)).collect()
}
