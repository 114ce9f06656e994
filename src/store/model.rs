//! What is registered, what can be asked of the store, and what it answers.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// Names one registration. Holds 128 random bits, so that it cannot be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegistrationId {
    /// The place in the order of arrival over all courses, from 1.
    pub sequence: i64,
    /// The random part.
    pub token: [u8; 16],
}

impl fmt::Display for RegistrationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:032x}", self.sequence, u128::from_be_bytes(self.token))
    }
}

/// A text that no [`RegistrationId`] is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl FromStr for RegistrationId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (sequence, token) = text.split_once('-').ok_or(NotAnId)?;
        let id = Self {
            sequence: sequence.parse().map_err(|_| NotAnId)?,
            token: u128::from_str_radix(token, 16).map_err(|_| NotAnId)?.to_be_bytes(),
        };
        // One registration has one id: no signs, no leading zeros, no capitals.
        if id.sequence > 0 && id.to_string() == text { Ok(id) } else { Err(NotAnId) }
    }
}

/// The state of a registration. The numbers are those in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Has a seat.
    Enrolled = 0,
    /// Stands on the waiting list.
    Waiting = 1,
    /// Was given back.
    Cancelled = 2,
}

impl Status {
    /// The name in JSON and CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Waiting => "waiting",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A registration as its student sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its name.
    pub id: RegistrationId,
    /// Who registered.
    pub student: Box<str>,
    /// For what.
    pub course: Box<str>,
    /// Seat or waiting list.
    pub status: Status,
    /// On the waiting list: the place, from 1.
    pub position: Option<u64>,
    /// Milliseconds since 1970 by the server's clock.
    pub registered_at: i64,
}

/// A request for a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Who asks.
    pub student: Box<str>,
    /// For what.
    pub course: Box<str>,
    /// Proves who asks, where the imported student list has PINs.
    pub pin: Option<Box<str>>,
    /// The client's name for this request, so that a repetition is recognised.
    pub key: Option<IdempotencyKey>,
    /// When it arrived, in milliseconds since 1970: what counts for the opening time.
    pub arrived_at: i64,
}

/// A client's `Idempotency-Key`, shortened to a hash so that its length costs no storage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub [u8; 16]);

impl IdempotencyKey {
    /// The key with this text.
    pub fn of(text: &[u8]) -> Self {
        Self(hash(&[text]))
    }
}

/// The first 128 bits of SHA-256 over `parts`, each preceded by its length.
pub(super) fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&digest.finalize()[..16]);
    short
}

/// How a PIN is stored.
pub(super) fn hashed_pin(salt: &[u8; 16], student: &str, pin: &str) -> [u8; 16] {
    hash(&[salt, student.as_bytes(), pin.as_bytes()])
}

/// Something that changes the registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take a seat or a place on the waiting list.
    Register(Registration),
    /// Give it back.
    Cancel(RegistrationId),
}

/// The outcome of a [`Command`] or a look-up; what it says is on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Registered by this very command.
    Registered(Receipt),
    /// Registered before.
    Known(Receipt),
    /// Cancelled, by this command or before.
    Cancelled(Receipt),
    /// No such course.
    UnknownCourse,
    /// No such registration.
    UnknownRegistration,
    /// Not on the imported student list, or the PIN is wrong.
    NotAllowed,
    /// Registration is closed; it opens at this time (milliseconds since 1970) if one is set.
    Closed {
        /// When it opens.
        opens_at: Option<i64>,
    },
    /// The idempotency key belongs to a registration for something else.
    KeyReused,
}

/// Why the store does not carry out a command. Nothing says whether a command that was under way took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// What is wrong.
    pub reason: Reason,
    /// When another try is worth it.
    pub retry_after: Duration,
}

/// What keeps the store from working.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// More commands wait than can be carried out in the time that a command may wait.
    Overloaded,
    /// The server is stopping.
    Stopping,
    /// No space left on the medium.
    DiskFull,
    /// The file is no database, is cut short, or contradicts itself.
    Damaged,
    /// Another program keeps the database locked.
    Locked,
    /// The server that keeps the database does not answer, or answers that it cannot.
    Unreachable,
    /// Reading, writing or syncing failed: the message of the system.
    Failed(Box<str>),
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overloaded => formatter.write_str("too many registrations are waiting"),
            Self::Stopping => formatter.write_str("the server is stopping"),
            Self::DiskFull => formatter.write_str("the disk with the registrations is full"),
            Self::Damaged => formatter.write_str("the registration database is damaged"),
            Self::Locked => formatter.write_str("another program keeps the registration database locked"),
            Self::Unreachable => formatter.write_str("the registration database cannot be reached"),
            Self::Failed(message) => write!(formatter, "the registration database failed: {message}"),
        }
    }
}

/// Whether `text` can name a student or a course: 1 to 64 letters, digits and `-_.@:/+` or spaces, beginning with a
/// letter or digit. Nothing else, so that a spreadsheet never takes an exported name for a formula.
pub fn is_name(text: &str) -> bool {
    let plain = |at: char| at.is_alphanumeric() || "-_.@:/+ ".contains(at);
    text.len() <= 64 && text.starts_with(char::is_alphanumeric) && !text.ends_with(' ') && text.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_written_in_one_way_only() {
        let id = RegistrationId { sequence: 17, token: [0xAB; 16] };
        let text = id.to_string();
        assert_eq!(text, "17-abababababababababababababababab");
        assert_eq!(text.parse(), Ok(id));
        let zero = RegistrationId { sequence: 1, token: [0; 16] };
        assert_eq!(zero.to_string().parse(), Ok(zero));
        for bad in [
            "",
            "17",
            "17-",
            "-abababababababababababababababab",
            "0-abababababababababababababababab",
            "017-abababababababababababababababab",
            "+17-abababababababababababababababab",
            "17-ABABABABABABABABABABABABABABABAB",
            "17-ababababababababababababababab",
            "17-+bababababababababababababababab",
            "17-abababababababababababababababab0",
            "99999999999999999999-abababababababababababababababab",
        ] {
            assert_eq!(bad.parse::<RegistrationId>(), Err(NotAnId), "{bad}");
        }
    }

    #[test]
    fn names_are_plain() {
        for good in ["1", "S-001", "anna.b@school.example", "Müller 7b", "数学-1", &"x".repeat(64)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", " ", "=1+1", "@a", "+1", "-1", "a\n", "a,b", "a\"b", "a ", "<b>", &"x".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
    }

    #[test]
    fn hashes_keep_parts_apart() {
        assert_ne!(hash(&[b"ab", b"c"]), hash(&[b"a", b"bc"]));
        assert_eq!(IdempotencyKey::of(b"x"), IdempotencyKey::of(b"x"));
    }
}
