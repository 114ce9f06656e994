//! What the operator does: import, opening and closing, made-up courses, export.

use std::path::Path;

use deadpool_postgres::Transaction;

use super::failure::Failure;
use super::read;
use super::server::{Object, Server};
use super::url::PostgresUrl;
use super::write::receipt;
use crate::store::backend::{Administration, Inspection, OpenError};
use crate::store::courses::{CourseList, CourseRow, Import, LineProblem};
use crate::store::model::{Receipt, hashed_pin};

/// Rows of an export that are held at once.
const EXPORT_ROWS: i32 = 1000;

const EXPORT: &str = "SELECT r.sequence, r.token, r.student, c.id, r.status, \
     count(*) FILTER (WHERE r.status = 1) OVER (PARTITION BY r.course ORDER BY r.sequence), r.registered_at \
     FROM fastgo.registrations r JOIN fastgo.courses c ON c.course = r.course WHERE r.status < 2 ORDER BY r.sequence";

/// One connection for one command.
pub(in crate::store) struct Operator {
    server: Server,
    connection: Object,
}

impl Operator {
    /// Connects, and makes the tables where they are missing if `create` says so.
    pub(in crate::store) fn open(url: &PostgresUrl, create: bool) -> Result<Self, OpenError> {
        let server = Server::new(url, 1)?;
        let connection = server.open(create)?;
        Ok(Self { server, connection })
    }
}

/// Begins a transaction when it is this process's turn, as the boards do.
async fn begin(connection: &mut Object) -> Result<Transaction<'_>, Failure> {
    let transaction = connection.transaction().await?;
    transaction.execute("UPDATE fastgo.registration_day SET changes = changes + 1", &[]).await?;
    Ok(transaction)
}

impl Administration for Operator {
    fn import(&mut self, import: &Import) -> anyhow::Result<Result<(), Vec<LineProblem>>> {
        Ok(self.server.shared.runtime.block_on(async {
            let transaction = begin(&mut self.connection).await?;
            remove_demo(&transaction).await?;
            let problems = import_courses(&transaction, &import.courses).await?;
            if !problems.is_empty() {
                return Ok::<_, Failure>(Err(problems));
            }
            let salt: Vec<u8> =
                transaction.query_one("SELECT pin_salt FROM fastgo.registration_day", &[]).await?.get(0);
            let salt: [u8; 16] = salt.try_into().map_err(|_| Failure::Unexpected)?;
            let put = transaction
                .prepare(
                    "INSERT INTO fastgo.students (id, name, pin) VALUES ($1, $2, $3) \
                     ON CONFLICT (id) DO UPDATE SET name = excluded.name, pin = excluded.pin",
                )
                .await?;
            for student in &import.students {
                let pin = student.pin.as_deref().map(|pin| hashed_pin(&salt, &student.id, pin).to_vec());
                transaction.execute(&put, &[&student.id, &student.name, &pin]).await?;
            }
            transaction.execute("UPDATE fastgo.registration_day SET opens_at = NULL", &[]).await?;
            transaction.commit().await?;
            Ok(Ok(()))
        })?)
    }

    fn make_demo(&mut self, courses: &[CourseRow], now: i64) -> anyhow::Result<bool> {
        Ok(self.server.shared.runtime.block_on(async {
            let transaction = begin(&mut self.connection).await?;
            remove_demo(&transaction).await?;
            let real = "SELECT EXISTS (SELECT 1 FROM fastgo.courses) OR EXISTS (SELECT 1 FROM fastgo.students)";
            if transaction.query_one(real, &[]).await?.get(0) {
                return Ok::<_, Failure>(false);
            }
            import_courses(&transaction, courses).await?;
            transaction.execute("UPDATE fastgo.courses SET demo = true", &[]).await?;
            transaction.execute("UPDATE fastgo.registration_day SET opens_at = $1", &[&now]).await?;
            transaction.commit().await?;
            Ok(true)
        })?)
    }

    fn set_opening(&mut self, opens_at: Option<i64>) -> anyhow::Result<()> {
        Ok(self.server.run(async {
            let transaction = begin(&mut self.connection).await?;
            transaction.execute("UPDATE fastgo.registration_day SET opens_at = $1", &[&opens_at]).await?;
            Ok(transaction.commit().await?)
        })?)
    }

    fn backup(&mut self, _: &Path) -> anyhow::Result<()> {
        anyhow::bail!("PostgreSQL has its own command for that: pg_dump --schema=fastgo --file=FILE URL")
    }
}

impl Inspection for Operator {
    fn courses(&mut self) -> anyhow::Result<CourseList> {
        Ok(self.server.run(read::courses(&self.connection))?)
    }

    fn students(&mut self) -> anyhow::Result<u64> {
        let count = self.server.run(async {
            Ok(self.connection.query_one("SELECT count(*) FROM fastgo.students", &[]).await?.get::<_, i64>(0))
        })?;
        Ok(count as u64)
    }

    fn export(&mut self, each: &mut dyn FnMut(Receipt) -> anyhow::Result<()>) -> anyhow::Result<()> {
        self.server.shared.runtime.block_on(async {
            let transaction = self.connection.transaction().await?;
            // The reader of the output may be slow.
            transaction.batch_execute("SET LOCAL idle_in_transaction_session_timeout = 0").await?;
            let portal = transaction.bind(EXPORT, &[]).await?;
            loop {
                let rows = transaction.query_portal(&portal, EXPORT_ROWS).await?;
                for row in &rows {
                    each(receipt(row, 0)?)?;
                }
                if rows.len() < EXPORT_ROWS as usize {
                    return Ok(());
                }
            }
        })
    }
}

async fn remove_demo(transaction: &Transaction<'_>) -> Result<(), Failure> {
    let registrations = "FROM fastgo.registrations WHERE course IN (SELECT course FROM fastgo.courses WHERE demo)";
    let remove = format!(
        "DELETE FROM fastgo.idempotency_keys WHERE sequence IN (SELECT sequence {registrations}); \
         DELETE {registrations}; DELETE FROM fastgo.courses WHERE demo;"
    );
    Ok(transaction.batch_execute(&remove).await?)
}

async fn import_courses(transaction: &Transaction<'_>, courses: &[CourseRow]) -> Result<Vec<LineProblem>, Failure> {
    let mut problems = Vec::new();
    let existing = transaction.prepare("SELECT course, taken FROM fastgo.courses WHERE id = $1").await?;
    let insert = transaction.prepare("INSERT INTO fastgo.courses (id, title, seats) VALUES ($1, $2, $3)").await?;
    let update = transaction.prepare("UPDATE fastgo.courses SET title = $1, seats = $2 WHERE course = $3").await?;
    for CourseRow { line, id, title, seats } in courses {
        let wanted = *seats as i64;
        let Some(before) = transaction.query_opt(&existing, &[id]).await? else {
            transaction.execute(&insert, &[id, title, &wanted]).await?;
            continue;
        };
        let (course, taken): (i64, i64) = (before.get(0), before.get(1));
        if taken > wanted {
            problems.push((*line, format!("course {id}: {taken} seats are taken already, so there cannot be {seats}")));
        } else {
            transaction.execute(&update, &[title, &wanted, &course]).await?;
            transaction.execute("SELECT fastgo.promote($1)", &[&course]).await?;
        }
    }
    Ok(problems)
}
