//! Spans as OTLP in JSON, appended to a buffer without an allocation of its own for each.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::context::{Context, digits};
use super::span::{Details, Span};

/// Kinds and states as the protocol numbers them.
const INTERNAL: u64 = 1;
const SERVER: u64 = 2;
const ERROR: &[u8] = br#","status":{"code":2}"#;

/// A moment by both clocks: spans have the monotonic one, the protocol needs the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epoch {
    monotonic: Instant,
    unix_nanos: u64,
}

impl Epoch {
    /// This moment.
    pub(super) fn now() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { monotonic: Instant::now(), unix_nanos: unix.as_nanos() as u64 }
    }

    fn unix_nanos(self, at: Instant) -> u64 {
        let before = self.monotonic.saturating_duration_since(at).as_nanos() as u64;
        self.unix_nanos.saturating_sub(before)
    }
}

impl Span {
    fn write_to(&self, out: &mut Vec<u8>, epoch: Epoch) {
        out.extend_from_slice(b"{");
        write_ids(out, self.context);
        if let Some(parent) = self.parent {
            out.extend_from_slice(br#","parentSpanId":""#);
            out.extend_from_slice(&digits(parent));
            out.push(b'"');
        }
        out.extend_from_slice(br#","name":""#);
        match self.details {
            Details::Request { method, route, .. } => {
                out.extend_from_slice(method.as_bytes());
                out.push(b' ');
                out.extend_from_slice(route.as_bytes());
            }
            _ => out.extend_from_slice(self.name().as_bytes()),
        }
        let kind = if matches!(self.details, Details::Request { .. }) { SERVER } else { INTERNAL };
        out.extend_from_slice(br#"","kind":"#);
        decimal(out, kind);
        out.extend_from_slice(br#","startTimeUnixNano":""#);
        decimal(out, epoch.unix_nanos(self.start));
        out.extend_from_slice(br#"","endTimeUnixNano":""#);
        decimal(out, epoch.unix_nanos(self.end));
        out.push(b'"');
        self.write_attributes(out);
        if !self.links().is_empty() {
            out.extend_from_slice(br#","links":["#);
            separated(out, self.links(), |out, link| {
                out.push(b'{');
                write_ids(out, *link);
                out.push(b'}');
            });
            out.push(b']');
        }
        out.push(b'}');
    }

    fn write_attributes(&self, out: &mut Vec<u8>) {
        match &self.details {
            Details::Request { method, route, status } => {
                out.extend_from_slice(br#","attributes":["#);
                text(out, "http.request.method", method);
                out.push(b',');
                text(out, "http.route", route);
                out.push(b',');
                if let Some(status) = status {
                    number(out, "http.response.status_code", u64::from(*status));
                } else {
                    text(out, "error.type", "client_gone");
                }
                out.push(b']');
                // A server's span is in error when the server is (semantic conventions for HTTP).
                if status.is_some_and(|status| status >= 500) {
                    out.extend_from_slice(ERROR);
                }
            }
            Details::Batch { commands, failed, .. } => {
                out.extend_from_slice(br#","attributes":["#);
                number(out, "fastgo.batch.commands", *commands as u64);
                out.push(b']');
                if *failed {
                    out.extend_from_slice(ERROR);
                }
            }
            Details::Queue { .. } | Details::Commit => {}
        }
    }
}

/// A request to a collector with `spans` of `service`.
pub(super) fn write_request(out: &mut Vec<u8>, service: &str, spans: &[Span], epoch: Epoch) {
    out.extend_from_slice(br#"{"resourceSpans":[{"resource":{"attributes":["#);
    text(out, "service.namespace", "fastgo");
    out.push(b',');
    text(out, "service.name", service);
    out.push(b',');
    text(out, "service.version", env!("CARGO_PKG_VERSION"));
    out.extend_from_slice(br#"]},"scopeSpans":[{"scope":{"name":"fastgo"},"spans":["#);
    separated(out, spans, |out, span| span.write_to(out, epoch));
    out.extend_from_slice(b"]}]}]}");
}

fn write_ids(out: &mut Vec<u8>, context: Context) {
    out.extend_from_slice(br#""traceId":""#);
    out.extend_from_slice(&digits((context.trace >> 64) as u64));
    out.extend_from_slice(&digits(context.trace as u64));
    out.extend_from_slice(br#"","spanId":""#);
    out.extend_from_slice(&digits(context.span));
    out.push(b'"');
}

/// An attribute; neither name nor value needs escaping.
fn text(out: &mut Vec<u8>, name: &str, value: &str) {
    for part in [r#"{"key":""#, name, r#"","value":{"stringValue":""#, value, r#""}}"#] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn number(out: &mut Vec<u8>, name: &str, value: u64) {
    for part in [r#"{"key":""#, name, r#"","value":{"intValue":""#] {
        out.extend_from_slice(part.as_bytes());
    }
    decimal(out, value);
    out.extend_from_slice(br#""}}"#);
}

fn separated<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

fn decimal(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_request_is_what_the_protocol_says() {
        let monotonic = Instant::now();
        let epoch = Epoch { monotonic, unix_nanos: 1_788_242_400_000_000_000 };
        let start = monotonic.checked_sub(Duration::from_nanos(1_500)).unwrap();
        let context = Context { trace: 0xAB, span: 0xF00D, sampled: true };
        let other = Context { trace: 0xCD, span: 0xBEEF, sampled: true };
        let span = |details, parent| Span { context, parent, start, end: monotonic, details };
        let spans = [
            span(Details::Request { method: "POST", route: "/registrations", status: Some(503) }, Some(7)),
            span(Details::Queue { batch: Some(other) }, None),
            span(Details::Batch { commands: 3, members: [other, context].into(), failed: false }, None),
            span(Details::Commit, None),
            span(Details::Request { method: "GET", route: "/", status: None }, None),
        ];
        let mut out = Vec::new();
        write_request(&mut out, "fastgo-may", &spans, epoch);
        let sent: Value = serde_json::from_slice(&out).unwrap();
        let resource = &sent["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][1]["value"]["stringValue"], "fastgo-may");
        let sent = &resource["scopeSpans"][0]["spans"];
        let expected = json!({
            "traceId": "000000000000000000000000000000ab",
            "spanId": "000000000000f00d",
            "parentSpanId": "0000000000000007",
            "name": "POST /registrations",
            "kind": 2,
            "startTimeUnixNano": "1788242399999998500",
            "endTimeUnixNano": "1788242400000000000",
            "attributes": [
                {"key": "http.request.method", "value": {"stringValue": "POST"}},
                {"key": "http.route", "value": {"stringValue": "/registrations"}},
                {"key": "http.response.status_code", "value": {"intValue": "503"}},
            ],
            "status": {"code": 2},
        });
        assert_eq!(sent[0], expected);
        let link = json!({"traceId": "000000000000000000000000000000cd", "spanId": "000000000000beef"});
        assert_eq!((&sent[1]["name"], &sent[1]["links"]), (&json!("queue"), &json!([link])));
        assert_eq!(sent[2]["attributes"][0]["value"]["intValue"], "3");
        assert_eq!((sent[2]["links"].as_array().unwrap().len(), &sent[2]["kind"]), (2, &json!(1)));
        assert_eq!((&sent[3]["name"], sent[3].get("parentSpanId")), (&json!("commit"), None));
        assert_eq!(sent[4]["attributes"][2]["value"]["stringValue"], "client_gone");
    }
}
