//! One batch of commands: one transaction, one sync.

use std::time::Instant;

use rusqlite::types::Null;
use rusqlite::{OptionalExtension as _, Row, Statement, Transaction, params};

use super::Database;
use super::turn::Turn;
use crate::store::backend::Applied;
use crate::store::fill_random;
use crate::store::model::{Answer, Command, IdempotencyKey, Receipt, Registration, RegistrationId, Status, hashed_pin};

/// This process's turn to write, in which one batch can be committed.
pub(in crate::store) struct Opportunity<'d> {
    // Dropped in this order: the turn lasts until the transaction has ended.
    transaction: Transaction<'d>,
    _turn: Turn<'d>,
}

impl Database {
    /// Waits for this process's turn. Commands that arrive meanwhile can still be part of the batch.
    pub(in crate::store) fn wait_for_turn(&mut self) -> rusqlite::Result<Opportunity<'_>> {
        let (turn, transaction) = self.begin()?;
        Ok(Opportunity { transaction, _turn: turn })
    }
}

impl Opportunity<'_> {
    /// Carries out `commands` in their order. When this returns, what the answers say is on the medium; after an error
    /// none of the commands counts as carried out, and the database must be opened again.
    ///
    /// `now` is what the registrations are dated with.
    pub(in crate::store) fn apply(self, commands: &[Command], now: i64) -> rusqlite::Result<Applied> {
        let started = Instant::now();
        let answers = {
            let mut batch = Batch::new(&self.transaction, now)?;
            commands.iter().map(|command| batch.apply(command)).collect::<rusqlite::Result<Vec<_>>>()?
        };
        let work = started.elapsed();
        self.transaction.commit()?;
        Ok(Applied { answers, work, commit: started.elapsed().saturating_sub(work) })
    }
}

/// Tokens that one look at the kernel's random numbers provides.
const TOKENS: usize = 16;

/// The statements of a transaction, each compiled once, when first needed.
struct Batch<'t> {
    transaction: &'t Transaction<'t>,
    now: i64,
    opens_at: Option<i64>,
    pin_salt: [u8; 16],
    has_students: bool,
    course: Statement<'t>,
    by_student: Statement<'t>,
    insert: Statement<'t>,
    key: Statement<'t>,
    remember_key: Statement<'t>,
    by_sequence: Statement<'t>,
    position: Statement<'t>,
    tokens: Vec<[u8; 16]>,
}

/// A registration with the number of its course.
pub(super) struct Found {
    pub(super) receipt: Receipt,
    pub(super) course: i64,
}

/// What [`found`] reads.
pub(super) const FOUND: &str = "SELECT r.sequence, r.token, r.student, c.id, r.status, r.registered_at, r.course \
     FROM registrations r JOIN courses c ON c.course = r.course";

pub(super) fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let status = match row.get(4)? {
        0 => Status::Enrolled,
        1 => Status::Waiting,
        _ => Status::Cancelled,
    };
    let receipt = Receipt {
        id: RegistrationId { sequence: row.get(0)?, token: row.get(1)? },
        student: row.get(2)?,
        course: row.get(3)?,
        status,
        position: None,
        registered_at: row.get(5)?,
    };
    Ok(Found { receipt, course: row.get(6)? })
}

impl<'t> Batch<'t> {
    fn new(transaction: &'t Transaction<'t>, now: i64) -> rusqlite::Result<Self> {
        let day = "SELECT opens_at, pin_salt, EXISTS (SELECT 1 FROM students) FROM registration_day";
        let (opens_at, pin_salt, has_students) =
            transaction.query_row(day, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(Self {
            transaction,
            now,
            opens_at,
            pin_salt,
            has_students,
            course: transaction
                .prepare("SELECT course, taken < seats AND waiting = 0, waiting FROM courses WHERE id = ?")?,
            by_student: transaction
                .prepare(&format!("{FOUND} WHERE r.student = ? AND r.course = ? AND r.status < 2"))?,
            insert: transaction.prepare(
                "INSERT INTO registrations (sequence, token, student, course, status, registered_at) \
                 VALUES (?, ?, ?, ?, ?, ?) RETURNING sequence",
            )?,
            key: transaction.prepare("SELECT sequence FROM idempotency_keys WHERE key = ?")?,
            remember_key: transaction.prepare("INSERT INTO idempotency_keys (key, sequence) VALUES (?, ?)")?,
            by_sequence: transaction.prepare(&format!("{FOUND} WHERE r.sequence = ?"))?,
            position: transaction
                .prepare("SELECT count(*) FROM registrations WHERE course = ? AND status = 1 AND sequence <= ?")?,
            tokens: Vec::new(),
        })
    }

    fn apply(&mut self, command: &Command) -> rusqlite::Result<Answer> {
        match command {
            Command::Register(registration) => self.register(registration),
            Command::Cancel(id) => self.cancel(*id),
        }
    }

    fn register(&mut self, wanted: &Registration) -> rusqlite::Result<Answer> {
        if !self.is_allowed(wanted)? {
            return Ok(Answer::NotAllowed);
        }
        let known_key = match wanted.key {
            Some(IdempotencyKey(key)) => self.key.query_row([key], |row| row.get::<_, i64>(0)).optional()?,
            None => None,
        };
        if let Some(sequence) = known_key {
            let before = self.by_sequence.query_row([sequence], found)?;
            if (&before.receipt.student, &before.receipt.course) != (&wanted.student, &wanted.course) {
                return Ok(Answer::KeyReused);
            }
            return self.known(before);
        }
        let course = self.course.query_row([&wanted.course], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, u64>(2)?))
        });
        let Some((course, free, waiting)) = course.optional()? else { return Ok(Answer::UnknownCourse) };
        let before = self.by_student.query_row(params![wanted.student, course], found).optional()?;
        if let Some(before) = before {
            self.remember(wanted.key, before.receipt.id.sequence)?;
            return self.known(before);
        }
        if self.opens_at.is_none_or(|opens_at| wanted.arrived_at < opens_at) {
            return Ok(Answer::Closed { opens_at: self.opens_at });
        }
        let status = if free { Status::Enrolled } else { Status::Waiting };
        let token = self.token()?;
        let values = params![Null, token, wanted.student, course, status as i64, self.now];
        let sequence = self.insert.query_row(values, |row| row.get(0))?;
        self.remember(wanted.key, sequence)?;
        Ok(Answer::Registered(Receipt {
            id: RegistrationId { sequence, token },
            student: wanted.student.clone(),
            course: wanted.course.clone(),
            status,
            position: (!free).then_some(waiting + 1),
            registered_at: self.now,
        }))
    }

    /// Gives back a seat, which then goes to the first on the waiting list, or a place on the waiting list.
    fn cancel(&mut self, id: RegistrationId) -> rusqlite::Result<Answer> {
        let found = self.by_sequence.query_row([id.sequence], found).optional()?;
        let Some(Found { mut receipt, course }) = found.filter(|found| found.receipt.id == id) else {
            return Ok(Answer::UnknownRegistration);
        };
        if receipt.status != Status::Cancelled {
            self.transaction.execute("UPDATE registrations SET status = 2 WHERE sequence = ?", [id.sequence])?;
            promote(self.transaction, course)?;
            receipt.status = Status::Cancelled;
        }
        Ok(Answer::Cancelled(receipt))
    }

    /// Whether the student is on the list, with this PIN if the list has one; without a list, everybody is.
    fn is_allowed(&self, wanted: &Registration) -> rusqlite::Result<bool> {
        if !self.has_students {
            return Ok(true);
        }
        let query = "SELECT pin FROM students WHERE id = ?";
        let pin = self.transaction.query_row(query, [&wanted.student], |row| row.get::<_, Option<[u8; 16]>>(0));
        Ok(match pin.optional()? {
            None => false,
            Some(None) => true,
            Some(Some(pin)) => {
                wanted.pin.as_deref().is_some_and(|given| pin == hashed_pin(&self.pin_salt, &wanted.student, given))
            }
        })
    }

    fn known(&mut self, Found { mut receipt, course }: Found) -> rusqlite::Result<Answer> {
        Ok(match receipt.status {
            Status::Enrolled => Answer::Known(receipt),
            Status::Waiting => {
                let position = self.position.query_row([course, receipt.id.sequence], |row| row.get(0))?;
                receipt.position = Some(position);
                Answer::Known(receipt)
            }
            Status::Cancelled => Answer::Cancelled(receipt),
        })
    }

    fn remember(&mut self, key: Option<IdempotencyKey>, sequence: i64) -> rusqlite::Result<()> {
        if let Some(IdempotencyKey(key)) = key {
            self.remember_key.execute(params![key, sequence])?;
        }
        Ok(())
    }

    fn token(&mut self) -> rusqlite::Result<[u8; 16]> {
        if let Some(token) = self.tokens.pop() {
            return Ok(token);
        }
        let mut random = [0; 16 * TOKENS];
        fill_random(&mut random).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let (tokens, _) = random.as_chunks();
        self.tokens.extend_from_slice(&tokens[1..]);
        Ok(tokens[0])
    }
}

/// Gives free seats of `course` to its waiting list, in the order of arrival.
pub(super) fn promote(transaction: &Transaction<'_>, course: i64) -> rusqlite::Result<()> {
    let mut next = transaction.prepare(
        "UPDATE registrations SET status = 0 WHERE sequence = \
         (SELECT min(sequence) FROM registrations WHERE course = ?1 AND status = 1) \
         AND EXISTS (SELECT 1 FROM courses WHERE course = ?1 AND taken < seats)",
    )?;
    while next.execute([course])? > 0 {}
    Ok(())
}
