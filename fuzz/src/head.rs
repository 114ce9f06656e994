//! The head of a request: bytes in, a head or a refusal out.

use fastgo::http::{Framing, Limits, Parsed, Reject, parse_head};

const LIMITS: [Limits; 2] =
    [Limits { max_head_bytes: 16 * 1024, max_body_bytes: 1 << 20 }, Limits { max_head_bytes: 256, max_body_bytes: 16 }];

/// Parses `data` whole and in every shorter form.
///
/// # Panics
/// When the parser contradicts itself, or accepts what no engine may act on.
pub fn run(data: &[u8]) {
    for limits in &LIMITS {
        let whole = parse_head(data, limits);
        match &whole {
            Ok(Parsed::Complete(head)) => {
                assert!(head.bytes <= data.len() && head.bytes <= limits.max_head_bytes);
                assert!(head.path.starts_with('/') || head.path == "*", "{:?}", head.path);
                assert!(head.path.bytes().all(|byte| byte.is_ascii_graphic()), "{:?}", head.path);
                assert!(!head.path.contains(['?', '#']), "{:?}", head.path);
                if let Framing::Length(length) = head.framing {
                    assert!(length <= limits.max_body_bytes);
                }
                assert!(!(head.http10 && head.framing == Framing::Chunked));
                for value in [head.accept, head.accept_encoding, head.last_event_id, head.request_id] {
                    assert!(value.is_none_or(|value| !value.iter().any(|byte| b"\r\n\0".contains(byte))));
                }
                // What follows a head belongs to the next request.
                assert_eq!(summary(&parse_head(&data[..head.bytes], limits)), summary(&whole));
                // A head is complete at its last byte and not before; nor is a valid one refused before it is complete.
                for end in ends(head.bytes) {
                    assert!(matches!(parse_head(&data[..end], limits), Ok(Parsed::Partial)), "at {end}");
                }
            }
            // What is not whole yet cannot have been whole, nor refused, when less of it had come.
            Ok(Parsed::Partial) => {
                for end in ends(data.len()) {
                    assert!(matches!(parse_head(&data[..end], limits), Ok(Parsed::Partial)), "at {end}");
                }
            }
            Err(reject) => assert!((400..=505).contains(&reject.status)),
        }
    }
}

/// Lengths shorter than `length` to try: the last few, and some before them.
fn ends(length: usize) -> impl Iterator<Item = usize> {
    let step = length / 16 + 1;
    (0..length).filter(move |end| length - end < 6 || end % step == 0)
}

fn summary(parsed: &Result<Parsed<'_>, Reject>) -> String {
    format!("{parsed:?}")
}
