//! Samples on disk: a few files of records that are only ever appended to, each record with a checksum.
//!
//! A torn or damaged record ends what is read of its file; the rest of the file is cut off before the next append. Nothing
//! here is synchronised: a power cut may cost the records of the last half minute, which the checksum detects.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::directory::numbered;
use super::piece::Piece;
use super::track::Sealed;

/// Begins every record; the last byte is the version of the form.
const MAGIC: [u8; 4] = *b"FGH\x01";

/// Bytes of a record before its payload.
const HEADER: usize = 36;

/// A file is not appended to any more when it is as large as this, or as old as [`FILE_SECONDS`].
const FILE_BYTES: u64 = 1024 * 1024;
const FILE_SECONDS: u32 = 6 * 3600;

/// The oldest files are deleted beyond this many bytes in all.
const TOTAL_BYTES: u64 = 4 * 1024 * 1024;

const SUFFIX: &str = ".samples";

/// The files of one engine.
#[derive(Debug)]
pub(super) struct SampleLog {
    directory: PathBuf,
    /// The names of the fields, as a number: records with other fields are not read.
    fields: u32,
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    file: File,
    first: u32,
    length: u64,
}

/// What was found on disk.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Step and rows of each record, in the order in which they were written.
    pub(super) records: Vec<(u32, Sealed)>,
    /// Files of which something could not be read.
    pub(super) damaged: Vec<PathBuf>,
}

impl SampleLog {
    /// Reads what is there of at most `max_age` seconds before `now`.
    pub(super) fn open(directory: PathBuf, fields: &str, now: u32, max_age: u32) -> io::Result<(Self, Found)> {
        let mut log = Self { directory, fields: crc32fast::hash(fields.as_bytes()), current: None };
        let mut found = Found::default();
        let files = numbered(&log.directory, SUFFIX)?;
        let newest = files.last().map(|(first, _)| *first);
        for (first, path) in files {
            let content = read_bounded(&path)?;
            let length = log.records(&content, now.saturating_sub(max_age), &mut found.records);
            if length < content.len() {
                found.damaged.push(path.clone());
            }
            if Some(first) == newest {
                let file = OpenOptions::new().append(true).open(&path)?;
                file.set_len(length as u64)?;
                log.current = Some(Current { file, first, length: length as u64 });
            }
        }
        Ok((log, found))
    }

    /// Appends records in one write. After an error the file is as it was.
    pub(super) fn append(&mut self, pieces: &[(u32, Sealed)], now: u32, max_age: u32) -> io::Result<()> {
        let mut block = Vec::new();
        for (step, sealed) in pieces {
            self.encode(*step, sealed, &mut block);
        }
        if block.is_empty() {
            return Ok(());
        }
        let current = self.writable(now)?;
        if let Err(error) = current.file.write_all(&block) {
            current.file.set_len(current.length)?;
            return Err(error);
        }
        current.length += block.len() as u64;
        self.delete_old(now.saturating_sub(max_age))
    }

    /// The file to append to: the newest, or a new one when that is large or old.
    fn writable(&mut self, now: u32) -> io::Result<&mut Current> {
        let is_full = |current: &Current| current.length >= FILE_BYTES || now.abs_diff(current.first) >= FILE_SECONDS;
        let current = if let Some(current) = self.current.take().filter(|current| !is_full(current)) {
            current
        } else {
            let path = self.directory.join(format!("{now}{SUFFIX}"));
            let file = OpenOptions::new().append(true).create(true).open(path)?;
            let length = file.metadata()?.len();
            Current { file, first: now, length }
        };
        Ok(self.current.insert(current))
    }

    /// Deletes files that only hold rows before `oldest`, and the oldest beyond the budget.
    fn delete_old(&self, oldest: u32) -> io::Result<()> {
        let files = numbered(&self.directory, SUFFIX)?;
        let mut total = 0;
        for (at, (first, path)) in files.iter().enumerate().rev() {
            total += fs::metadata(path)?.len();
            // A file ends where the next begins, so only that shows its newest row.
            let is_old = files.get(at + 1).is_some_and(|(next, _)| *next < oldest);
            let is_current = self.current.as_ref().is_some_and(|current| current.first == *first);
            if (is_old || total > TOTAL_BYTES) && !is_current {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn encode(&self, step: u32, sealed: &Sealed, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        let payload = &sealed.rows.deflated;
        let numbers =
            [self.fields, step, sealed.first, sealed.last, sealed.rows.length, sealed.rows.crc, payload.len() as u32];
        for number in numbers {
            out.extend_from_slice(&number.to_le_bytes());
        }
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&out[start..]);
        checksum.update(payload);
        out.extend_from_slice(&checksum.finalize().to_le_bytes());
        out.extend_from_slice(payload);
    }

    /// Reads records up to the first that is not whole; gives where that was.
    fn records(&self, content: &[u8], oldest: u32, into: &mut Vec<(u32, Sealed)>) -> usize {
        let mut at = 0;
        while let Some((record, length)) = decode(&content[at..]) {
            at += length;
            if record.fields == self.fields && record.sealed.last >= oldest {
                into.push((record.step, record.sealed));
            }
        }
        at
    }
}

struct Record {
    fields: u32,
    step: u32,
    sealed: Sealed,
}

/// The record at the front of `bytes` and its length.
fn decode(bytes: &[u8]) -> Option<(Record, usize)> {
    let header = bytes.get(..HEADER)?;
    let number = |index: usize| -> Option<u32> {
        let at = MAGIC.len() + index * 4;
        Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?))
    };
    let payload = bytes.get(HEADER..HEADER.checked_add(number(6)? as usize)?)?;
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&header[..HEADER - 4]);
    checksum.update(payload);
    if header[..MAGIC.len()] != MAGIC || number(7)? != checksum.finalize() {
        return None;
    }
    let rows = Piece { deflated: Bytes::copy_from_slice(payload), crc: number(5)?, length: number(4)? };
    let sealed = Sealed { first: number(2)?, last: number(3)?, rows, saved: true };
    Some((Record { fields: number(0)?, step: number(1)?, sealed }, HEADER + payload.len()))
}

/// The file, or as much of it as this program would have written.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut content = Vec::new();
    File::open(path)?.take(2 * FILE_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u32 = 86_400;

    fn piece(first: u32) -> (u32, Sealed) {
        let rows = Piece::new(&format!("[{first},1],[{},2]", first + 10));
        (10, Sealed { first, last: first + 10, rows, saved: false })
    }

    fn firsts(found: &Found) -> Vec<u32> {
        found.records.iter().map(|(_, sealed)| sealed.first).collect()
    }

    fn files(directory: &Path) -> Vec<PathBuf> {
        numbered(directory, SUFFIX).unwrap().into_iter().map(|(_, path)| path).collect()
    }

    #[test]
    fn what_was_appended_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let open = |now| SampleLog::open(directory.path().to_owned(), "fields", now, DAY).unwrap();
        for start in [100, 400, 700] {
            let (mut log, found) = open(start);
            assert!(found.damaged.is_empty());
            log.append(&[piece(start), piece(start + 100)], start + 100, DAY).unwrap();
        }
        let (_, found) = open(800);
        assert_eq!(firsts(&found), [100, 200, 400, 500, 700, 800]);
        assert_eq!(found.records[0].1.rows.text().unwrap(), "[100,1],[110,2]");
        assert_eq!(files(directory.path()).len(), 1, "a restart goes on with the same file");
        let (_, other) = SampleLog::open(directory.path().to_owned(), "other fields", 800, DAY).unwrap();
        assert!(other.records.is_empty() && other.damaged.is_empty());
        let (_, late) = open(DAY + 450);
        assert_eq!(firsts(&late), [500, 700, 800]);
    }

    #[test]
    fn damage_anywhere_costs_the_records_behind_it_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let open = || SampleLog::open(directory.path().to_owned(), "fields", 500, DAY).unwrap();
        open().0.append(&[piece(100), piece(200), piece(300)], 300, DAY).unwrap();
        let path = files(directory.path()).remove(0);
        let whole = fs::read(&path).unwrap();
        let record = whole.len() / 3;
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&path, &damaged).unwrap();
            let (_, found) = open();
            assert_eq!(firsts(&found), [100, 200, 300][..at / record], "byte {at} flipped");
            assert_eq!(found.damaged.len(), 1);
            fs::write(&path, &whole[..at]).unwrap();
            let (mut log, found) = open();
            assert_eq!(firsts(&found), [100, 200, 300][..at / record], "cut at byte {at}");
            assert_eq!(found.damaged.len(), usize::from(at % record != 0));
            // What is appended after the damage is read again.
            log.append(&[piece(400)], 400, DAY).unwrap();
            assert_eq!(firsts(&open().1).last(), Some(&400));
        }
        fs::write(&path, vec![0xff; 3_000_000]).unwrap();
        assert!(open().1.records.is_empty());
    }

    #[test]
    fn disk_use_is_bounded_and_old_files_go() {
        let directory = tempfile::tempdir().unwrap();
        let (mut log, _) = SampleLog::open(directory.path().to_owned(), "fields", 0, DAY).unwrap();
        // Incompressible rows, about 40 KB in each append, for three days.
        let mut state = 1_u32;
        let mut noise = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state
        };
        for now in (0..3 * DAY).step_by(300) {
            let text = (0..7000).map(|_| noise().to_string()).collect::<Vec<_>>().concat();
            let sealed = Sealed { first: now, last: now + 290, rows: Piece::new(&text), saved: false };
            log.append(&[(10, sealed)], now, DAY).unwrap();
            let total: u64 = files(directory.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
            assert!(total <= TOTAL_BYTES + FILE_BYTES + 100_000, "{total} bytes after {now} s");
        }
        let (mut log, _) = SampleLog::open(directory.path().to_owned(), "fields", 0, DAY).unwrap();
        for now in (3 * DAY..6 * DAY).step_by(300) {
            log.append(&[piece(now)], now, DAY).unwrap();
        }
        let numbers = numbered(directory.path(), SUFFIX).unwrap();
        assert!(numbers.len() <= 6 && numbers[0].0 > 4 * DAY, "{numbers:?}");
    }
}
