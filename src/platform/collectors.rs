//! The outcome of each subsystem's reading: absent and unreadable are different things.

use std::time::{Duration, Instant};

use super::source::Reader;

/// One subsystem's last reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collector {
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// How a reading went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is a value.
    Read,
    /// This board has no such thing.
    Absent,
    /// Its files are there, but cannot be read or make no sense.
    Unreadable,
}

/// The readings of one second, in the order in which they were taken.
#[derive(Debug, Default)]
pub(super) struct Collectors(pub(super) Vec<Collector>);

impl Collectors {
    /// Reads one subsystem and notes how that went.
    pub(super) fn run<T>(
        &mut self,
        name: &'static str,
        reader: &mut Reader,
        read: impl FnOnce(&mut Reader) -> Option<T>,
    ) -> Option<T> {
        let began = Instant::now();
        reader.forget();
        let value = read(reader);
        let outcome = match &value {
            Some(_) => Outcome::Read,
            None if reader.has_unexplained() => Outcome::Unreadable,
            None => Outcome::Absent,
        };
        self.0.push(Collector { name, outcome, took: began.elapsed() });
        value
    }

    /// The names of those that could not be understood.
    pub(super) fn unreadable(&self) -> Vec<&'static str> {
        self.0.iter().filter(|one| one.outcome == Outcome::Unreadable).map(|one| one.name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_told_from_unreadable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("value");
        let (mut collectors, mut reader) = (Collectors::default(), Reader::default());
        assert_eq!(collectors.run("absent", &mut reader, |reader| reader.value::<u32>(&path)), None);
        std::fs::write(&path, "7\n").unwrap();
        assert_eq!(collectors.run("read", &mut reader, |reader| reader.value::<u32>(&path)), Some(7));
        std::fs::write(&path, "seven\n").unwrap();
        assert_eq!(collectors.run("noise", &mut reader, |reader| reader.value::<u32>(&path)), None);
        let directory = directory.path();
        assert_eq!(collectors.run("a directory", &mut reader, |reader| reader.value::<u32>(directory)), None);
        let outcomes: Vec<_> = collectors.0.iter().map(|one| one.outcome).collect();
        assert_eq!(outcomes, [Outcome::Absent, Outcome::Read, Outcome::Unreadable, Outcome::Unreadable]);
        assert_eq!(collectors.unreadable(), ["noise", "a directory"]);
    }

    #[test]
    fn no_rate_yet_is_no_fault() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("counter");
        std::fs::write(&path, "7\n").unwrap();
        let (mut collectors, mut reader) = (Collectors::default(), Reader::default());
        let first = collectors.run("rate", &mut reader, |reader| {
            reader.value::<u32>(&path)?;
            reader.forget();
            None::<f64>
        });
        assert_eq!((first, collectors.0[0].outcome), (None, Outcome::Absent));
    }
}
