//! Answers made comparable: what differs by right between engines, processes and moments is replaced.

use serde_json::Value;

/// Everything a server sent on one connection, without the values that are its own: the date, its name, the time, and
/// the ids it makes up. A `Content-Length` that is right is replaced too, because the server's name counts in it.
///
/// # Errors
/// What is wrong with the bytes: something else than whole answers in a row.
pub(super) fn normal(mut bytes: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or("a head without end")? + 4;
        let head = std::str::from_utf8(&bytes[..end]).map_err(|error| error.to_string())?;
        bytes = &bytes[end..];
        if !head.starts_with("HTTP/1.") {
            return Err(format!("not an answer: {head:?}"));
        }
        let length =
            header(head, "content-length").map(|value| value.parse::<usize>().map_err(|error| error.to_string()));
        // An answer to HEAD has a length and no body: what comes after it is the next answer, or nothing.
        let length = length.transpose()?.filter(|_| !bytes.is_empty() && !bytes.starts_with(b"HTTP/1."));
        let body = bytes.get(..length.unwrap_or(0)).ok_or("less content than announced")?;
        bytes = &bytes[body.len()..];
        let made_up = Made { id: header(head, "x-request-id").is_none() };
        text.push_str(&normal_head(head));
        text.push_str(&made_up.normal_body(body));
    }
    Ok(text)
}

/// Which values of a body the server made up.
struct Made {
    id: bool,
}

impl Made {
    fn normal_body(&self, body: &[u8]) -> String {
        let Ok(Value::Object(mut object)) = serde_json::from_slice(body) else {
            return body.escape_ascii().to_string();
        };
        if object.contains_key("uptime_seconds") {
            // Counters, times and the machine's state; the tests of /metrics compare its fields.
            return object.keys().cloned().collect::<Vec<_>>().join(" ");
        }
        for key in ["timestamp", "time", "server", "server_type"].into_iter().chain(self.id.then_some("request_id")) {
            if let Some(value) = object.get_mut(key) {
                *value = Value::Null;
            }
        }
        Value::Object(object).to_string()
    }
}

fn normal_head(head: &str) -> String {
    let mut lines = Vec::new();
    for line in head.split("\r\n") {
        let name = line.split(':').next().unwrap_or_default();
        let own = ["date", "content-length"].iter().any(|own| name.eq_ignore_ascii_case(own));
        lines.push(if own { format!("{name}: …") } else { line.to_owned() });
    }
    lines.join("\n")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[test]
fn only_what_a_server_owns_is_replaced() {
    let answer = |server: &str, date: &str, rest: &str| {
        let body = format!(r#"{{"status":"healthy","server":"{server}","time":"{date}"}}"#);
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\ndate: {date}\r\n{rest}\r\n{body}").into_bytes()
    };
    let pipelined =
        [answer("may", "x", ""), b"HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\n".to_vec()].concat();
    assert_eq!(normal(&answer("may", "x", "")), normal(&answer("worker-pool", "yy", "")));
    assert_ne!(normal(&answer("may", "x", "")), normal(&answer("may", "x", "connection: close\r\n")));
    assert_eq!(normal(&pipelined).expect("two answers").matches("HTTP/1.1 ").count(), 2);
    let mut cut = answer("may", "x", "");
    cut.pop();
    assert!(normal(&cut).is_err());
    assert!(normal(b"{}HTTP/1.1 200 OK\r\n\r\n").is_err());
}
