//! The load client's reader of responses: the same verdict, however a response's bytes arrive.

use crate::{choice, pieces};

/// The kinds of failure that the reader reports; in fastgo they are among those of a whole run.
mod tally {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Failure {
        ClosedEarly,
        BadResponse,
    }
}

// The reader is private to the command that uses it, and needs nothing else of it.
#[path = "../../src/flood/response.rs"]
#[allow(dead_code, clippy::pedantic, reason = "a file of another crate")]
mod reader;

use tally::Failure;

/// Feeds `data` at once and in pieces.
///
/// # Panics
/// When the two differ.
pub fn run(data: &[u8]) {
    let (seed, data) = choice(data);
    let whole = read(std::iter::once(data));
    assert_eq!(whole, read(pieces(data, seed)));
    assert_eq!(whole, read(data.chunks(1)));
}

/// Whether the response is complete, its status, and whether the connection may be kept; or what is wrong with it.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<(bool, u16, bool), Failure> {
    let mut reader = reader::Response::default();
    let mut done = false;
    for piece in pieces {
        done = reader.feed(piece)?;
    }
    if !done {
        // What is cut off is a failure, except where the end of the connection is the end of the body.
        reader.end()?;
    }
    Ok((done, reader.status(), reader.keep_alive()))
}
