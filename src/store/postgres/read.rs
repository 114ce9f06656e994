//! What only reads: the course list and receipts. Look-ups run on several connections at once.

use std::collections::HashMap;

use tokio::task::JoinSet;
use tokio_postgres::Row;

use super::failure::Failure;
use super::server::{Object, Pool, Server, connection};
use super::write::receipt;
use crate::store::backend::{OpenError, ReadAccess};
use crate::store::courses::{Course, CourseList};
use crate::store::model::{Answer, Reason, Receipt, RegistrationId, Status};

/// Look-ups of one query; more are spread over the connections of the pool.
const LOOKUPS: usize = 32;

const FIND: &str = "SELECT r.sequence, r.token, r.student, c.id, r.status, fastgo.place(r.course, r.sequence, r.status), \
     r.registered_at FROM fastgo.registrations r JOIN fastgo.courses c ON c.course = r.course WHERE r.sequence = ANY ($1)";

const COURSES: &str = "SELECT d.opens_at, EXISTS (SELECT 1 FROM fastgo.students WHERE pin IS NOT NULL), \
     c.id, c.title, c.seats, c.taken, c.waiting \
     FROM fastgo.registration_day d LEFT JOIN fastgo.courses c ON true ORDER BY c.id";

/// The database for the thread that reads.
pub(super) struct Reading {
    server: Server,
}

impl Reading {
    pub(super) fn open(server: Server) -> Result<Self, OpenError> {
        // Its connection is used again for the first question.
        drop(server.open(false)?);
        Ok(Self { server })
    }
}

impl ReadAccess for Reading {
    fn is_current(&self) -> bool {
        true // Each statement takes a connection that works.
    }

    fn find(&mut self, ids: &[RegistrationId]) -> Result<Vec<Answer>, Reason> {
        let found = self.server.run(async {
            let mut queries = JoinSet::new();
            for ids in ids.chunks(LOOKUPS) {
                let (pool, sequences) = (self.server.shared.pool.clone(), ids.iter().map(|id| id.sequence).collect());
                queries.spawn(find(pool, sequences));
            }
            let mut found = HashMap::new();
            while let Some(query) = queries.join_next().await {
                found.extend(query.map_err(|_| Failure::Unexpected)??);
            }
            Ok(found)
        });
        let found = found.map_err(|failure| failure.reason())?;
        let answer = |id| match found.get(id).cloned() {
            None => Answer::UnknownRegistration,
            Some(receipt) if receipt.status == Status::Cancelled => Answer::Cancelled(receipt),
            Some(receipt) => Answer::Known(receipt),
        };
        Ok(ids.iter().map(answer).collect())
    }

    fn version(&mut self) -> Result<i64, Reason> {
        let version = self.server.run(async {
            let connection = self.server.connection().await?;
            let statement = connection.prepare_cached("SELECT changes FROM fastgo.registration_day").await?;
            Ok(connection.query_one(&statement, &[]).await?.get(0))
        });
        version.map_err(|failure| failure.reason())
    }

    fn courses(&mut self) -> Result<CourseList, Reason> {
        let list = self.server.run(async {
            let connection = self.server.connection().await?;
            courses(&connection).await
        });
        list.map_err(|failure| failure.reason())
    }
}

async fn find(pool: Pool, sequences: Vec<i64>) -> Result<Vec<(RegistrationId, Receipt)>, Failure> {
    let connection = connection(&pool).await?;
    let statement = connection.prepare_cached(FIND).await?;
    let rows = connection.query(&statement, &[&sequences]).await?;
    rows.iter().map(|row| receipt(row, 0).map(|receipt| (receipt.id, receipt))).collect()
}

/// All courses as they are now.
pub(super) async fn courses(connection: &Object) -> Result<CourseList, Failure> {
    let statement = connection.prepare_cached(COURSES).await?;
    let rows = connection.query(&statement, &[]).await?;
    let Some(first) = rows.first() else { return Err(Failure::Unexpected) };
    Ok(CourseList {
        opens_at: first.get(0),
        needs_pin: first.get(1),
        courses: rows.iter().filter_map(course).collect(),
    })
}

/// `None` in the one row of a database without courses.
fn course(row: &Row) -> Option<Course> {
    let number = |column| row.get::<_, i64>(column) as u64;
    Some(Course {
        id: row.get::<_, Option<&str>>(2)?.into(),
        title: row.get::<_, &str>(3).into(),
        seats: number(4),
        taken: number(5),
        waiting: number(6),
    })
}
