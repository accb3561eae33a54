//! Reading how far a job is.

use std::collections::HashMap;
use std::str::FromStr;

use diesel_async::AsyncPgConnection;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{JobId, TenantId};

use crate::store;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Waits for a worker, or for its time.
    Queued,
    /// A worker has claimed it.
    Running,
    /// Done.
    Succeeded,
    /// Given up; an operator may replay it.
    Dead,
    /// Cancelled on request.
    Cancelled,
}

impl JobState {
    /// As it stands in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

impl FromStr for JobState {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Queued, Self::Running, Self::Succeeded, Self::Dead, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Fault::internal(format!("{text:?} is no state of a job")))
    }
}

/// How far a job is.
#[derive(Clone, Debug)]
pub struct JobStatus {
    /// The kind's name.
    pub kind: String,
    /// Whose it is: compare before showing it to anybody.
    pub tenant: TenantId,
    /// Where it stands.
    pub state: JobState,
    /// Units of work done, in the handler's own unit; never falls.
    pub done: u64,
    /// Units of work in all; 0 until the handler says.
    pub total: u64,
    /// Attempts so far, counted since the last progress.
    pub attempt: u32,
    /// Code and public sentence of the last failure.
    pub last_error: Option<String>,
}

/// How far `job` is.
///
/// # Errors
/// 404 when there is none.
pub async fn status(conn: &mut AsyncPgConnection, job: JobId) -> Result<JobStatus> {
    statuses(conn, &[job]).await?.remove(&job).ok_or_else(|| Fault::not_found("job"))
}

/// How far each of `jobs` is, in one query; those that do not exist are absent.
///
/// # Errors
/// 503 when the database is away.
pub async fn statuses(conn: &mut AsyncPgConnection, jobs: &[JobId]) -> Result<HashMap<JobId, JobStatus>> {
    let mut found = HashMap::with_capacity(jobs.len());
    for row in store::statuses(conn, jobs).await? {
        let status = JobStatus {
            kind: row.kind,
            tenant: TenantId::parse(&row.tenant_id).map_err(Fault::internal)?,
            state: row.state.parse()?,
            done: row.done.unsigned_abs(),
            total: row.total.unsigned_abs(),
            attempt: row.attempts.unsigned_abs(),
            last_error: row.last_error,
        };
        found.insert(JobId::from_uuid(row.id), status);
    }
    Ok(found)
}
