//! A request's body: the same content and the same end, however its bytes arrive.

use fastgo::http::{BodyDecoder, Decoded, Framing, Limits};

use crate::{choice, pieces};

const MAX_BODY_BYTES: u64 = 4096;

/// The result of a body.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    content: Vec<u8>,
    /// Bytes after the body's end, when it has ended.
    left: Option<usize>,
    refused: Option<u16>,
}

/// Decodes `data` at once and in pieces; its first byte says how it is framed.
///
/// # Panics
/// When the two differ, or a decoder takes more than it is allowed to.
pub fn run(data: &[u8]) {
    let (seed, data) = choice(data);
    let framing = if seed % 2 == 0 { Framing::Chunked } else { Framing::Length(u64::from(seed) * 4) };
    let whole = decode(framing, std::iter::once(data));
    assert!(whole.content.len() as u64 <= MAX_BODY_BYTES);
    assert!(whole.refused.is_none_or(|status| (400..=431).contains(&status)));
    if let Framing::Length(length) = framing {
        let expected = data.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        assert_eq!(whole.content, data[..expected]);
        assert_eq!(whole.left.is_some(), expected as u64 == length);
    }
    assert_eq!(whole, decode(framing, pieces(data, seed)));
    assert_eq!(whole, decode(framing, data.chunks(1)));
}

fn decode<'a>(framing: Framing, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let limits = Limits { max_head_bytes: 1024, max_body_bytes: MAX_BODY_BYTES };
    let mut decoder = BodyDecoder::new(framing, &limits);
    let mut outcome = Outcome { content: Vec::new(), left: None, refused: None };
    for mut piece in pieces {
        if let Some(left) = &mut outcome.left {
            *left += piece.len();
            continue;
        }
        while outcome.left.is_none() {
            match decoder.next(&mut piece) {
                Ok(Decoded::Content(content)) => {
                    assert!(!content.is_empty(), "a step that does nothing");
                    outcome.content.extend_from_slice(content);
                }
                Ok(Decoded::End) => outcome.left = Some(piece.len()),
                Ok(Decoded::NeedMore) => {
                    assert!(piece.is_empty(), "bytes left behind");
                    break;
                }
                Err(reject) => {
                    outcome.refused = Some(reject.status);
                    return outcome;
                }
            }
        }
    }
    // A body without content has ended before a byte came.
    if outcome.left.is_none() && decoder.next(&mut &[][..]) == Ok(Decoded::End) {
        outcome.left = Some(0);
    }
    outcome
}
