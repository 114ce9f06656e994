//! One batch of commands: one transaction, one commit.

use std::time::Instant;

use tokio_postgres::types::ToSql;
use tokio_postgres::{NoTls, Row, Statement};

use super::failure::Failure;
use super::server::{Object, POOL_TIMEOUT, Server};
use crate::store::backend::{Applied, OpenError, WriteAccess};
use crate::store::clock;
use crate::store::fill_random;
use crate::store::model::{Answer, Command, Reason, Receipt, RegistrationId, Status, hashed_pin};

/// Begins a transaction when it is this board's turn.
const BEGIN: &str = "BEGIN; UPDATE fastgo.registration_day SET changes = changes + 1";

const CARRY_OUT: &str = "SELECT * FROM fastgo.carry_out($1, $2, $3, $4, $5, $6, $7, $8)";

/// The connection of the thread that writes.
pub(super) struct Writing {
    server: Server,
    connection: Object,
    carry_out: Statement,
    pin_salt: [u8; 16],
}

impl Writing {
    pub(super) fn open(server: Server) -> Result<Self, OpenError> {
        let connection = server.open(false)?;
        let (carry_out, pin_salt) = server.run(async {
            let salt = connection.query_one("SELECT pin_salt FROM fastgo.registration_day", &[]).await?;
            Ok((connection.prepare(CARRY_OUT).await?, bytes(salt.get(0))?))
        })?;
        Ok(Self { server, connection, carry_out, pin_salt })
    }

    /// Runs `transaction`; one that is late is cancelled, so that it does not keep the others from their turns.
    fn attempt<T>(&self, transaction: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        let result = self.server.run(transaction);
        if matches!(result, Err(Failure::Late)) {
            let cancel = self.connection.cancel_token();
            let limited = async move { tokio::time::timeout(POOL_TIMEOUT, cancel.cancel_query(NoTls)).await };
            // Best effort: the server may be gone.
            let _ = self.server.shared.runtime.block_on(limited);
        }
        result
    }
}

impl WriteAccess for Writing {
    fn is_current(&self) -> bool {
        !self.connection.is_closed()
    }

    fn carry_out(&mut self, take: &mut dyn FnMut() -> Vec<Command>) -> Result<Applied, Reason> {
        let applied = self.attempt(async {
            self.connection.batch_execute(BEGIN).await?;
            // Commands that arrived while this waited are still part of the batch.
            let (commands, started) = (take(), Instant::now());
            let (batch, now) = (Batch::new(&commands, &self.pin_salt)?, clock::now());
            let Batch { students, wishes, pins, keys, arrivals, sequences, tokens } = &batch;
            let arguments: [&(dyn ToSql + Sync); 8] = [&now, students, wishes, pins, keys, arrivals, sequences, tokens];
            let rows = self.connection.query(&self.carry_out, &arguments).await?;
            let answers = rows.iter().map(answer).collect::<Result<Vec<_>, _>>()?;
            if answers.len() != commands.len() {
                return Err(Failure::Unexpected);
            }
            let work = started.elapsed();
            self.connection.batch_execute("COMMIT").await?;
            Ok(Applied { answers, work, commit: started.elapsed().saturating_sub(work) })
        });
        applied.map_err(|failure| {
            tracing::warn!(event = "store", "PostgreSQL: {failure}");
            failure.reason()
        })
    }

    fn probe(&mut self) -> Result<(), Reason> {
        let probed = self.attempt(async {
            self.connection.batch_execute(BEGIN).await?;
            Ok(self.connection.batch_execute("COMMIT").await?)
        });
        probed.map_err(|failure| failure.reason())
    }

    fn checkpoint(&mut self) -> Result<(), Reason> {
        Ok(()) // The server makes its own.
    }
}

/// The arguments of `fastgo.carry_out`, one array for each.
struct Batch<'c> {
    students: Vec<Option<&'c str>>,
    wishes: Vec<Option<&'c str>>,
    pins: Vec<Option<Vec<u8>>>,
    keys: Vec<Option<&'c [u8]>>,
    arrivals: Vec<Option<i64>>,
    sequences: Vec<Option<i64>>,
    tokens: Vec<Vec<u8>>,
}

impl<'c> Batch<'c> {
    fn new(commands: &'c [Command], pin_salt: &[u8; 16]) -> Result<Self, Failure> {
        let mut random = vec![0; 16 * commands.len()];
        fill_random(&mut random).map_err(|_| Failure::Unexpected)?;
        let registration = |command: &'c Command| match command {
            Command::Register(registration) => Some(registration),
            Command::Cancel(_) => None,
        };
        let registrations = || commands.iter().map(registration);
        let ids = || {
            commands.iter().map(|command| match command {
                Command::Register(_) => None,
                Command::Cancel(id) => Some(id),
            })
        };
        let pin = |wanted: &crate::store::model::Registration| {
            wanted.pin.as_deref().map(|pin| hashed_pin(pin_salt, &wanted.student, pin).to_vec())
        };
        Ok(Self {
            students: registrations().map(|wanted| wanted.map(|wanted| &*wanted.student)).collect(),
            wishes: registrations().map(|wanted| wanted.map(|wanted| &*wanted.course)).collect(),
            pins: registrations().map(|wanted| wanted.and_then(pin)).collect(),
            keys: registrations().map(|wanted| wanted.and_then(|wanted| Some(&wanted.key.as_ref()?.0[..]))).collect(),
            arrivals: registrations().map(|wanted| wanted.map(|wanted| wanted.arrived_at)).collect(),
            sequences: ids().map(|id| id.map(|id| id.sequence)).collect(),
            tokens: ids()
                .zip(random.chunks(16))
                .map(|(id, random)| id.map_or_else(|| random.to_vec(), |id| id.token.to_vec()))
                .collect(),
        })
    }
}

fn answer(row: &Row) -> Result<Answer, Failure> {
    Ok(match row.get(0) {
        0 => Answer::Registered(receipt(row, 1)?),
        1 => Answer::Known(receipt(row, 1)?),
        2 => Answer::Cancelled(receipt(row, 1)?),
        3 => Answer::UnknownCourse,
        4 => Answer::UnknownRegistration,
        5 => Answer::NotAllowed,
        6 => Answer::Closed { opens_at: row.get(8) },
        7 => Answer::KeyReused,
        _ => return Err(Failure::Unexpected),
    })
}

/// The receipt whose sequence, token, student, course, status, place and time are in the columns from `first` on.
pub(super) fn receipt(row: &Row, first: usize) -> Result<Receipt, Failure> {
    let status = match row.get(first + 4) {
        0 => Status::Enrolled,
        1 => Status::Waiting,
        _ => Status::Cancelled,
    };
    let place: Option<i64> = row.get(first + 5);
    Ok(Receipt {
        id: RegistrationId { sequence: row.get(first), token: bytes(row.get(first + 1))? },
        student: row.get::<_, &str>(first + 2).into(),
        course: row.get::<_, &str>(first + 3).into(),
        status,
        position: place.filter(|_| status == Status::Waiting).map(|place| place as u64),
        registered_at: row.get(first + 6),
    })
}

fn bytes(bytes: &[u8]) -> Result<[u8; 16], Failure> {
    bytes.try_into().map_err(|_| Failure::Unexpected)
}
