//! Reading, changing and cancelling jobs.

use diesel_async::AsyncPgConnection;
use mintmark_auth::Principal;
use mintmark_auth::action::{AnalyzePreflight, TrackPreflight, ViewPreflight, WritePreflight};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::JobId;
use mintmark_jobs::Cancel;
use mintmark_objects::Intake;
use uuid::Uuid;

use super::intent::Intent;
use super::job::{Job, State, Verdict};
use super::names::{JobKey, PolicyRef};
use super::permit;
use super::policies::{resolve, unknown};
use crate::jobs::{Preflight, PreflightPayload};
use crate::store::jobs::{self as rows, Change, Filter};
use crate::store::results;

/// The tenants' jobs.
#[derive(Clone)]
pub struct Jobs {
    pub(super) pool: Pool,
    pub(super) intake: Intake,
    pub(super) max_file_bytes: u64,
}

/// Which jobs a list is of.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// In this state.
    pub state: Option<State>,
    /// With this verdict.
    pub verdict: Option<Verdict>,
    /// Of this batch.
    pub batch: Option<String>,
}

/// What shall change; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// Another policy.
    pub policy: Option<PolicyRef>,
    /// Another product.
    pub intent: Option<Intent>,
    /// Another batch, or none.
    pub batch: Option<Option<String>>,
    /// Start it.
    pub run: bool,
}

impl Jobs {
    /// Works on the given database, with files of the given buckets.
    #[must_use]
    pub fn new(pool: Pool, intake: Intake, max_file_bytes: u64) -> Self {
        Self { pool, intake, max_file_bytes }
    }

    /// A job, for whoever may see statuses.
    ///
    /// # Errors
    /// 404.
    pub async fn view(&self, who: &Principal, key: &JobKey) -> Result<Job> {
        let permit = permit::<ViewPreflight>(who)?;
        rows::find(&mut *self.pool.get().await?, &permit, key).await
    }

    /// A job, for whoever may see statuses or read tracking tables.
    ///
    /// # Errors
    /// 404.
    pub async fn track(&self, who: &Principal, key: &JobKey) -> Result<Job> {
        let permit = permit::<TrackPreflight>(who)?;
        rows::find(&mut *self.pool.get().await?, &permit, key).await
    }

    /// Up to `limit` jobs, newest first, older than `after`.
    pub async fn list(
        &self,
        who: &Principal,
        wanted: &Wanted,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Job>> {
        let permit = permit::<ViewPreflight>(who)?;
        let filter = Filter { state: wanted.state, verdict: wanted.verdict, batch: wanted.batch.as_deref() };
        rows::list(&mut *self.pool.get().await?, &permit, &filter, after, limit).await
    }

    /// A job and its report as JSON.
    ///
    /// # Errors
    /// 404; 409 `REPORT_NOT_READY` with `state`.
    pub async fn report(&self, who: &Principal, key: &JobKey) -> Result<(Job, String)> {
        let permit = permit::<ViewPreflight>(who)?;
        let mut conn = self.pool.get().await?;
        let job = rows::find(&mut conn, &permit, key).await?;
        match results::report(&mut conn, &permit, key).await? {
            Some(report) => Ok((job, report)),
            None => Err(not_ready(&job, "report")),
        }
    }

    /// The facts of the job's file, as JSON.
    ///
    /// # Errors
    /// 404; 409 `FACTS_NOT_READY` with `state`.
    pub async fn facts(&self, who: &Principal, key: &JobKey) -> Result<results::Facts> {
        let permit = permit::<ViewPreflight>(who)?;
        let mut conn = self.pool.get().await?;
        let job = rows::find(&mut conn, &permit, key).await?;
        results::facts_of(&mut conn, &permit, key).await?.ok_or_else(|| not_ready(&job, "facts"))
    }

    /// Changes a job that was not started, and starts it where asked; the batch may be named at any time.
    ///
    /// # Errors
    /// 403 without `preflight:analyze` where it shall start; 404; 409 `JOB_STARTED`; 422 `POLICY_UNKNOWN`.
    pub async fn update(&self, who: &Principal, key: &JobKey, edit: &Edit) -> Result<Job> {
        let permit = permit::<WritePreflight>(who)?;
        if edit.run {
            super::permit::<AnalyzePreflight>(who)?;
        }
        let mut conn = self.pool.get().await?;
        let permit = &permit;
        transaction("preflight.update", &mut conn, async |conn: &mut AsyncPgConnection| {
            let job = rows::find_held(conn, permit, key).await?;
            let policy = match &edit.policy {
                Some(wanted) => Some(resolve(conn, permit, wanted).await?.ok_or_else(|| unknown(wanted))?),
                None => None,
            };
            // A change that is there already may be asked for again.
            let policy = policy.filter(|to| (&to.name, &to.version) != (&job.policy, &job.policy_version));
            let intent = edit.intent.as_ref().filter(|to| job.intent.as_ref() != Some(*to));
            let batch = edit.batch.as_ref().filter(|to| job.batch != **to);
            let run = edit.run && job.queue.is_none();
            if (policy.is_some() || intent.is_some() || run) && job.state != State::Recorded {
                return Err(in_state(
                    "JOB_STARTED",
                    &job,
                    "policy, intent and start belong to a job that was not started",
                ));
            }
            let queue = match run {
                true => {
                    let payload = PreflightPayload { id: job.id };
                    let queue =
                        mintmark_jobs::enqueue::<Preflight>(conn, permit.tenant(), permit.actor(), &payload);
                    Some(queue.await?)
                }
                false => None,
            };
            if policy.is_some() || intent.is_some() || batch.is_some() || run {
                let change = Change {
                    policy: policy.as_ref().map(|to| (to.name.as_str(), to.version.as_str())),
                    intent,
                    batch: batch.map(Option::as_deref),
                    queue,
                };
                rows::change(conn, permit, job.id, &change).await?;
            }
            rows::find(conn, permit, key).await
        })
        .await
    }

    /// Cancels a job. One that waits is cancelled at once; one that a worker has within seconds.
    ///
    /// # Errors
    /// 404; 409 `JOB_ENDED`.
    pub async fn cancel(&self, who: &Principal, key: &JobKey) -> Result<Job> {
        let permit = permit::<WritePreflight>(who)?;
        let permit = &permit;
        let mut conn = self.pool.get().await?;
        transaction("preflight.cancel", &mut conn, async |conn: &mut AsyncPgConnection| {
            let mut job = rows::find(conn, permit, key).await?;
            if job.queue.is_none() {
                // Only recorded: held, so that nobody starts it meanwhile. Whoever did so has given it a job of the queue.
                job = rows::find_held(conn, permit, key).await?;
            }
            let now = match job.queue {
                None => job.state == State::Recorded,
                Some(queue) => {
                    let asked = mintmark_jobs::request_cancel(conn, JobId::from_uuid(queue)).await?;
                    asked == Cancel::Cancelled
                }
            };
            if now {
                rows::cancel(conn, permit, job.id).await?;
            }
            let job = rows::find(conn, permit, key).await?;
            match job.state {
                State::Succeeded | State::Failed => {
                    Err(in_state("JOB_ENDED", &job, "the job has ended, and there is nothing left to cancel"))
                }
                _ => Ok(job),
            }
        })
        .await
    }
}

fn not_ready(job: &Job, what: &str) -> Fault {
    let code = if what == "report" { "REPORT_NOT_READY" } else { "FACTS_NOT_READY" };
    in_state(code, job, &format!("only a job that succeeded has {what}"))
}

fn in_state(code: &'static str, job: &Job, sentence: &str) -> Fault {
    let state = job.state.as_str();
    Fault::conflict(code, format!("{sentence}; this one is {state}")).with("state", state)
}
