//! What people do to jobs: cancel, list what died, replay.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{JobId, TenantId};

use crate::store::{self, DeadRow};

/// What a request to cancel did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancel {
    /// It was waiting and is cancelled. No hook runs: bring your own rows in order in the same transaction.
    Cancelled,
    /// It is running: its worker is told with the next heartbeat and decides how it ends.
    Requested,
    /// It had ended before.
    Finished,
}

/// Cancels a job.
///
/// # Errors
/// 404 when there is none.
pub async fn request_cancel(conn: &mut AsyncPgConnection, job: JobId) -> Result<Cancel> {
    match store::request_cancel(conn, job).await? {
        Some(state) if state == "cancelled" => Ok(Cancel::Cancelled),
        Some(_) => Ok(Cancel::Requested),
        // Nothing to change: it has ended, or was never there.
        None => crate::status(conn, job).await.map(|_| Cancel::Finished),
    }
}

/// A job that was given up.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The job.
    pub job: JobId,
    /// The kind's name.
    pub kind: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Code and public sentence of its last failure.
    pub last_error: Option<String>,
    /// Attempts since its last progress.
    pub attempts: u32,
    /// How often it has been replayed.
    pub replays: u32,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it was given up.
    pub died_at: DateTime<Utc>,
}

/// The dead letters of the queue, newest first; `after` is the last one of the page before. At most 200 at a time.
///
/// # Errors
/// 503 when the database is away.
pub async fn dead_letters(
    conn: &mut AsyncPgConnection,
    limit: u32,
    after: Option<JobId>,
) -> Result<Vec<DeadLetter>> {
    letters(store::dead_letters(conn, None, limit.min(200), after).await?)
}

/// The dead letters of one tenant, as [`dead_letters`]; at most 201 at a time, so that a full page can look one further.
///
/// # Errors
/// 503 when the database is away.
pub async fn dead_letters_of(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    limit: u32,
    after: Option<JobId>,
) -> Result<Vec<DeadLetter>> {
    letters(store::dead_letters(conn, Some(tenant), limit.min(201), after).await?)
}

fn letters(rows: Vec<DeadRow>) -> Result<Vec<DeadLetter>> {
    let letters = rows.into_iter().map(|row| {
        Ok(DeadLetter {
            job: JobId::from_uuid(row.id),
            kind: row.kind,
            tenant: TenantId::parse(&row.tenant_id).map_err(Fault::internal)?,
            last_error: row.last_error,
            attempts: row.attempts.unsigned_abs(),
            replays: row.replays.unsigned_abs(),
            created_at: row.created_at,
            died_at: row.finished_at,
        })
    });
    letters.collect()
}

/// [`replay`] for one tenant: another tenant's job is 404.
///
/// # Errors
/// As there.
pub async fn replay_of(conn: &mut AsyncPgConnection, tenant: &TenantId, job: JobId) -> Result<()> {
    if crate::status(conn, job).await?.tenant != *tenant {
        return Err(Fault::not_found("job"));
    }
    replay(conn, job).await
}

/// Puts a dead letter back into the queue under its own id, with all its attempts; its fence goes on growing. Two people
/// who replay it at once start it once.
///
/// # Errors
/// 404 when there is no such job; 409 `JOB_NOT_DEAD` when it is not (or no longer) a dead letter.
pub async fn replay(conn: &mut AsyncPgConnection, job: JobId) -> Result<()> {
    if store::replay(conn, job).await? {
        return Ok(());
    }
    let state = crate::status(conn, job).await?.state;
    Err(Fault::conflict(
        "JOB_NOT_DEAD",
        format!("only a dead job can be replayed; this one is {}", state.as_str()),
    ))
}
