//! Rows of one step, the newest as text and the older ones in compressed pieces. Bounded in rows, age and bytes.

use std::collections::VecDeque;

use super::piece::{Document, Piece};

/// What one track may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// Seconds between two rows.
    pub(super) step: u32,
    /// Rows of a piece.
    pub(super) piece_rows: usize,
    /// Rows older than this many seconds are dropped.
    pub(super) max_age: u32,
    /// The oldest pieces are dropped beyond this many compressed bytes.
    pub(super) max_bytes: usize,
}

/// Rows that are compressed together.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    /// Time of the first row.
    pub(super) first: u32,
    /// Time of the last row.
    pub(super) last: u32,
    /// The rows with commas between them.
    pub(super) rows: Piece,
    /// Written to the disk.
    pub(super) saved: bool,
}

/// All rows of one step.
#[derive(Debug)]
pub(super) struct Track {
    pub(super) shape: Shape,
    pub(super) sealed: VecDeque<Sealed>,
    open: VecDeque<(u32, Box<str>)>,
}

/// Text of the rows that are ready to be compressed, and where they stand.
#[derive(Debug)]
pub(super) struct Unsealed {
    first: u32,
    last: u32,
    count: usize,
    text: String,
}

/// The rows of a stretch of time.
#[derive(Debug)]
pub(super) struct Rows {
    since: u32,
    sealed: Vec<Sealed>,
    tail: String,
}

impl Track {
    pub(super) fn new(shape: Shape) -> Self {
        Self { shape, sealed: VecDeque::new(), open: VecDeque::new() }
    }

    /// Adds the newest row.
    pub(super) fn push(&mut self, time: u32, row: String) {
        self.open.push_back((time, row.into()));
        // The thread that compresses may be waiting for a slow disk.
        if self.open.len() > self.shape.piece_rows * 4 {
            self.open.pop_front();
        }
        self.expire(time);
    }

    /// Time of the newest row.
    pub(super) fn newest(&self) -> Option<u32> {
        self.open.back().map(|(time, _)| *time).or_else(|| self.sealed.back().map(|sealed| sealed.last))
    }

    /// Drops every row at or after `time`.
    pub(super) fn forget_from(&mut self, time: u32) {
        self.open.retain(|(at, _)| *at < time);
        self.sealed.retain(|sealed| sealed.last < time);
    }

    /// Whether enough rows have gathered for a piece.
    pub(super) fn is_ripe(&self) -> bool {
        self.open.len() >= self.shape.piece_rows
    }

    /// The rows of the next piece: a full one, or with `all` whatever there is.
    pub(super) fn unsealed(&self, all: bool) -> Option<Unsealed> {
        let count = if all { self.open.len().min(self.shape.piece_rows) } else { self.shape.piece_rows };
        let first = self.open.front()?.0;
        let last = self.open.get(count.checked_sub(1)?)?.0;
        Some(Unsealed { first, last, count, text: joined(self.open.iter().take(count)) })
    }

    /// Puts the piece in the place of its rows, unless they are no longer there.
    pub(super) fn seal(&mut self, sealed: Sealed, count: usize) {
        let at = |index: usize| self.open.get(index).map(|(time, _)| *time);
        if at(0) == Some(sealed.first) && at(count - 1) == Some(sealed.last) {
            self.open.drain(..count);
            self.sealed.push_back(sealed);
        }
    }

    /// Puts pieces from the disk, oldest first, before everything else.
    pub(super) fn restore(&mut self, pieces: Vec<Sealed>) {
        let earliest =
            self.sealed.front().map(|sealed| sealed.first).or_else(|| self.open.front().map(|(time, _)| *time));
        for sealed in pieces.into_iter().rev() {
            let next = self.sealed.front().map(|sealed| sealed.first).or(earliest);
            if next.is_none_or(|next| sealed.last < next) {
                self.sealed.push_front(sealed);
            }
        }
    }

    /// The rows since `since`, to be written without the lock.
    pub(super) fn since(&self, since: u32) -> Rows {
        let sealed = self.sealed.iter().filter(|sealed| sealed.last >= since).cloned().collect();
        let open = self.open.iter().filter(|(time, _)| *time >= since);
        Rows { since, sealed, tail: joined(open) }
    }

    /// Compressed bytes held.
    pub(super) fn bytes(&self) -> usize {
        self.sealed.iter().map(|sealed| sealed.rows.deflated.len()).sum()
    }

    fn expire(&mut self, now: u32) {
        let oldest = now.saturating_sub(self.shape.max_age);
        let mut bytes = self.bytes();
        while let Some(front) = self.sealed.front() {
            if front.last >= oldest && bytes <= self.shape.max_bytes {
                break;
            }
            bytes -= front.rows.deflated.len();
            self.sealed.pop_front();
        }
    }
}

impl Unsealed {
    /// Compresses the rows; gives the piece and how many rows it has.
    pub(super) fn compress(self) -> (Sealed, usize) {
        (Sealed { first: self.first, last: self.last, rows: Piece::new(&self.text), saved: false }, self.count)
    }
}

impl Rows {
    /// Appends the rows, with commas between them.
    pub(super) fn write(&self, document: &mut Document) -> std::io::Result<()> {
        for (nth, sealed) in self.sealed.iter().enumerate() {
            if nth > 0 {
                document.text(",");
            }
            if sealed.first >= self.since {
                document.piece(&sealed.rows)?;
            } else {
                document.text(rows_since(&sealed.rows.text()?, self.since));
            }
        }
        if !self.sealed.is_empty() && !self.tail.is_empty() {
            document.text(",");
        }
        document.text(&self.tail);
        Ok(())
    }
}

fn joined<'a>(rows: impl Iterator<Item = &'a (u32, Box<str>)>) -> String {
    let mut text = String::new();
    for (_, row) in rows {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(row);
    }
    text
}

/// The rows of `text` from the first whose time is `since` or later. Rows have no brackets inside.
fn rows_since(text: &str, since: u32) -> &str {
    let mut rest = text;
    loop {
        let digits = rest.get(1..).and_then(|row| row.split(',').next());
        if digits.and_then(|digits| digits.parse::<u32>().ok()).is_none_or(|time| time >= since) {
            return rest;
        }
        let Some(end) = rest.find("],") else { return "" };
        rest = &rest[end + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { step: 1, piece_rows: 60, max_age: 900, max_bytes: 100_000 };

    fn push(track: &mut Track, times: std::ops::Range<u32>) {
        for time in times {
            track.push(time, format!("[{time},1.5]"));
            while track.is_ripe() {
                let (sealed, count) = track.unsealed(false).unwrap().compress();
                track.seal(sealed, count);
            }
        }
    }

    fn times(track: &Track, since: u32, gzip: bool) -> Vec<u32> {
        let mut document = Document::new(gzip);
        document.text("[");
        track.since(since).write(&mut document).unwrap();
        document.text("]");
        let out = document.finish();
        let mut text = String::new();
        if gzip {
            std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&out[..]), &mut text).unwrap();
        } else {
            text = String::from_utf8(out.to_vec()).unwrap();
        }
        let rows: Vec<(u32, f64)> = serde_json::from_str(&text).unwrap();
        rows.into_iter().map(|(time, _)| time).collect()
    }

    #[test]
    fn a_window_has_exactly_its_rows() {
        let mut track = Track::new(SHAPE);
        assert_eq!(times(&track, 0, true), [] as [u32; 0]);
        push(&mut track, 1000..3030);
        for gzip in [true, false] {
            assert_eq!(times(&track, 2130, gzip), (2130..3030).collect::<Vec<_>>());
            assert_eq!(times(&track, 3010, gzip), (3010..3030).collect::<Vec<_>>());
            assert_eq!(times(&track, 9999, gzip), [] as [u32; 0]);
        }
        assert!(track.sealed.len() <= 16, "{} pieces", track.sealed.len());
    }

    #[test]
    fn bytes_are_bounded() {
        let mut track = Track::new(Shape { max_bytes: 1000, ..SHAPE });
        push(&mut track, 0..900);
        assert!(track.bytes() <= 1000 + 300, "{}", track.bytes());
        assert_eq!(times(&track, 0, true).last(), Some(&899));
        let mut unattended = Track::new(SHAPE);
        for time in 0..10_000 {
            unattended.push(time, format!("[{time},0]"));
        }
        assert_eq!(times(&unattended, 0, false).len(), 240, "without anybody to compress them, the oldest rows go");
    }

    #[test]
    fn restored_rows_come_first_and_never_overlap() {
        let mut before = Track::new(SHAPE);
        push(&mut before, 0..600);
        let mut track = Track::new(SHAPE);
        push(&mut track, 590..640);
        track.restore(before.sealed.into());
        let all = times(&track, 0, true);
        assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!((all[0], all.len()), (0, 540 + 50), "the piece that overlaps is left out");
        track.forget_from(100);
        assert_eq!(times(&track, 0, true), (0..60).collect::<Vec<_>>());
    }

    #[test]
    fn a_piece_whose_rows_are_gone_is_dropped() {
        let mut track = Track::new(SHAPE);
        for time in 0..60 {
            track.push(time, format!("[{time},0]"));
        }
        let (sealed, count) = track.unsealed(false).unwrap().compress();
        track.forget_from(30);
        track.seal(sealed, count);
        assert_eq!(times(&track, 0, true), (0..30).collect::<Vec<_>>());
    }
}
