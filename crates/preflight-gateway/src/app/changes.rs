//! Jobs that changed since somebody looked.

use diesel_async::AsyncPgConnection;
use mintmark_auth::Principal;
use mintmark_auth::action::TrackPreflight;
use mintmark_db::transaction;
use mintmark_fault::{Fault, Kind, Result};
use uuid::Uuid;

use super::job::Job;
use super::jobs::Jobs;
use super::permit;
use crate::store::changes;

/// Jobs that changed.
#[derive(Clone, Debug)]
pub struct Changed {
    /// In the order of their revisions.
    pub jobs: Vec<Job>,
    /// The cursor for the next pull.
    pub next_cursor: i64,
    /// Whether there are more now.
    pub more: bool,
    /// To be shown with the cursor.
    pub mark: Option<Uuid>,
}

impl Jobs {
    /// Up to `limit` of the tenant's jobs that changed after `cursor`, each as it stands now.
    ///
    /// # Errors
    /// 422 `JOBS_RESTARTED` when this database did not give out the cursor.
    pub async fn changed(
        &self,
        who: &Principal,
        cursor: i64,
        mark: Option<Uuid>,
        limit: u16,
    ) -> Result<Changed> {
        let permit = permit::<TrackPreflight>(who)?;
        let permit = &permit;
        let mut conn = self.pool.get().await?;
        transaction("preflight.changed", &mut conn, async |conn: &mut AsyncPgConnection| {
            if !changes::gave_out(conn, permit, cursor, mark).await? {
                let sentence = "the preflight gateway was restored to a time before this cursor: start again with cursor 0";
                return Err(Fault::new(Kind::Unprocessable, "JOBS_RESTARTED", sentence));
            }
            let mut jobs = changes::changed(conn, permit, cursor, i64::from(limit) + 1).await?;
            let more = jobs.len() > usize::from(limit);
            jobs.truncate(limit.into());
            let next_cursor = jobs.last().map_or(cursor, |job| job.revision);
            Ok(Changed { jobs, next_cursor, more, mark: changes::mark(conn, permit).await? })
        })
        .await
    }
}
