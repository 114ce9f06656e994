//! The tables, and the guarantees that they enforce on every writer.

use tokio_postgres::Client;

use super::failure::Failure;
use crate::store::backend::OpenError;
use crate::store::fill_random;

/// What leads from one version to the next; the version of a database is the number of those it has behind it.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// What every connection begins with, whatever the server's own settings are. A board that loses its power in its turn
/// must not keep the others from theirs, so the server ends a transaction that nobody goes on with.
pub(super) const SESSION: &str = "SET synchronous_commit = on; SET default_transaction_isolation = 'read committed'; \
     SET idle_in_transaction_session_timeout = '3s'; SET statement_timeout = 0; SET lock_timeout = 0; \
     SET search_path = pg_catalog; SET jit = off; SET client_min_messages = error";

/// The number of the lock that a process holds while it makes or changes the tables.
const LOCK: i64 = 0x6661_7374_676F;

/// Checks that the server is fit for registrations and has the newest tables; makes an older version's newer, and new
/// ones if `create` says so.
pub(super) async fn check(client: &mut Client, create: bool) -> Result<(), OpenError> {
    let fsync: String = client.query_one("SHOW fsync", &[]).await.map_err(Failure::from)?.get(0);
    if fsync == "off" {
        return Err(OpenError::Server("fsync is off on this server: it would lose registrations".into()));
    }
    match version(client).await? {
        None if !create => Err(OpenError::Missing),
        Some(version) if version == known() => Ok(()),
        Some(version) if version > known() => Err(OpenError::Newer { version, known: known() }),
        _ => Ok(migrate(client).await?),
    }
}

fn known() -> i64 {
    MIGRATIONS.len() as i64
}

async fn version(client: &Client) -> Result<Option<i64>, Failure> {
    let exists = "SELECT to_regclass('fastgo.version') IS NOT NULL";
    if !client.query_one(exists, &[]).await?.get::<_, bool>(0) {
        return Ok(None);
    }
    Ok(Some(client.query_one("SELECT version FROM fastgo.version", &[]).await?.get(0)))
}

/// All steps that are missing, or none.
async fn migrate(client: &mut Client) -> Result<(), Failure> {
    let transaction = client.transaction().await?;
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    // Another process may have done it while this one waited for its turn.
    let version = version(transaction.client()).await?.unwrap_or(0);
    if version == 0 {
        transaction.batch_execute("CREATE SCHEMA IF NOT EXISTS fastgo").await?;
    }
    for step in MIGRATIONS.iter().skip(version as usize) {
        transaction.batch_execute(step).await?;
    }
    if version == 0 {
        let mut salt = [0_u8; 16];
        fill_random(&mut salt).map_err(|_| Failure::Unexpected)?;
        let day = "INSERT INTO fastgo.registration_day (one, pin_salt) VALUES (1, $1)";
        transaction.execute(day, &[&&salt[..]]).await?;
        transaction.execute("INSERT INTO fastgo.version (version) VALUES (0)", &[]).await?;
    }
    transaction.execute("UPDATE fastgo.version SET version = $1", &[&known()]).await?;
    Ok(transaction.commit().await?)
}
