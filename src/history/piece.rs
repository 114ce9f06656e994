//! Text that is compressed once and served often: pieces of a gzip stream that are joined without compressing again.
//!
//! A piece ends on a byte boundary (a sync flush, RFC 1951 §3.2.4), so pieces and uncompressed blocks can follow each
//! other in one deflate stream, and the checksums of the pieces combine to that of the whole. Answering with a day of
//! history copies bytes and compresses nothing, which also keeps it off the small stack of a coroutine.

use std::io::{self, Read as _, Write as _};

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

/// A gzip header (RFC 1952 §2.3) without name and time.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty last block.
const DEFLATE_END: [u8; 2] = [0x03, 0x00];

/// Compressed text.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) deflated: Bytes,
    /// CRC-32 of the text.
    pub(super) crc: u32,
    /// Bytes of the text.
    pub(super) length: u32,
}

impl Piece {
    pub(super) fn new(text: &str) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.flush()).expect("writing to a Vec cannot fail");
        let deflated = std::mem::take(encoder.get_mut()).into();
        Self { deflated, crc: crc32fast::hash(text.as_bytes()), length: text.len() as u32 }
    }

    /// The text, if the piece is whole.
    pub(super) fn text(&self) -> io::Result<String> {
        let stream = self.deflated.as_ref().chain(&DEFLATE_END[..]);
        let mut text = String::with_capacity(self.length as usize);
        // One byte more than there should be shows a piece that is longer than it says.
        DeflateDecoder::new(stream).take(u64::from(self.length) + 1).read_to_string(&mut text)?;
        if text.len() == self.length as usize && crc32fast::hash(text.as_bytes()) == self.crc {
            Ok(text)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidData, "checksum mismatch"))
        }
    }
}

/// Text that grows from plain text and pieces, and comes out as gzip or as it is.
#[derive(Debug)]
pub(super) struct Document {
    out: Vec<u8>,
    /// For gzip: the checksum of the text so far.
    checksum: Option<Hasher>,
    length: u32,
}

impl Document {
    pub(super) fn new(gzip: bool) -> Self {
        let out = if gzip { GZIP_HEADER.to_vec() } else { Vec::new() };
        Self { out, checksum: gzip.then(Hasher::new), length: 0 }
    }

    /// Appends text as it is.
    pub(super) fn text(&mut self, text: &str) {
        let Some(checksum) = &mut self.checksum else {
            self.out.extend_from_slice(text.as_bytes());
            return;
        };
        checksum.update(text.as_bytes());
        self.length = self.length.wrapping_add(text.len() as u32);
        for block in text.as_bytes().chunks(usize::from(u16::MAX)) {
            let size = block.len() as u16;
            self.out.push(0);
            self.out.extend_from_slice(&size.to_le_bytes());
            self.out.extend_from_slice(&(!size).to_le_bytes());
            self.out.extend_from_slice(block);
        }
    }

    /// Appends the text of a piece.
    pub(super) fn piece(&mut self, piece: &Piece) -> io::Result<()> {
        match &mut self.checksum {
            Some(checksum) => {
                checksum.combine(&Hasher::new_with_initial_len(piece.crc, u64::from(piece.length)));
                self.length = self.length.wrapping_add(piece.length);
                self.out.extend_from_slice(&piece.deflated);
            }
            None => self.out.extend_from_slice(piece.text()?.as_bytes()),
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Bytes {
        if let Some(checksum) = self.checksum {
            self.out.extend_from_slice(&DEFLATE_END);
            self.out.extend_from_slice(&checksum.finalize().to_le_bytes());
            self.out.extend_from_slice(&self.length.to_le_bytes());
        }
        self.out.into()
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn pieces_and_text_join_to_one_gzip_stream() {
        let long = "[1,2,3],".repeat(20_000);
        let (one, other) = (Piece::new("first piece"), Piece::new(&long));
        let mut expected = String::new();
        for gzip in [true, false] {
            let mut document = Document::new(gzip);
            document.text("{");
            document.piece(&one).unwrap();
            document.text(&long);
            document.piece(&other).unwrap();
            document.piece(&one).unwrap();
            document.text("}");
            let out = document.finish();
            let mut text = String::new();
            if gzip {
                GzDecoder::new(&out[..]).read_to_string(&mut text).unwrap();
                expected = format!("{{first piece{long}{long}first piece}}");
            } else {
                text = String::from_utf8(out.to_vec()).unwrap();
            }
            assert!(text == expected, "{} bytes for {}", text.len(), expected.len());
        }
    }

    #[test]
    fn a_damaged_piece_is_an_error() {
        let piece = Piece::new("some text that is long enough to be compressed, compressed, compressed");
        assert!(piece.text().is_ok());
        assert!(Piece { crc: piece.crc ^ 1, ..piece.clone() }.text().is_err());
        assert!(Piece { length: piece.length - 1, ..piece.clone() }.text().is_err());
        assert!(Piece { deflated: piece.deflated.slice(..piece.deflated.len() / 2), ..piece }.text().is_err());
    }
}
