//! What a handler works with.

use std::sync::Arc;
use std::time::Instant;

use diesel_async::AsyncPgConnection;
use mintmark_db::{Pool, TransactionBody, transaction};
use mintmark_fault::Result;
use tokio_util::sync::CancellationToken;

use crate::claimed::Claimed;
use crate::lease::{Lease, stale};
use crate::settle::Outcome;
use crate::{JobKind, JobPermit, store};

/// One claim of one job, given to its handler.
pub struct JobContext<K> {
    permit: JobPermit<K>,
    lease: Arc<Lease>,
    pool: Pool,
}

impl<K: JobKind> JobContext<K> {
    pub(crate) fn new(claimed: &Claimed, lease: Arc<Lease>, pool: Pool) -> Self {
        Self { permit: JobPermit::of(claimed), lease, pool }
    }

    /// What the job may do.
    #[must_use]
    pub fn permit(&self) -> &JobPermit<K> {
        &self.permit
    }

    /// Fires when the handler should end: the lease is lost, a cancellation is asked for, or the process stops. A little
    /// later the handler is dropped.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        self.lease.lost()
    }

    /// Whether somebody asked to cancel the job. The claim still holds: tidy up, and end with `complete_cancelled`.
    #[must_use]
    pub fn cancel_requested(&self) -> bool {
        self.lease.cancel_requested()
    }

    /// Writes down how far the job is. More than ever before starts the count of attempts anew, so that a long job may
    /// fail now and then without ending as a dead letter.
    ///
    /// # Errors
    /// 409 `STALE_LEASE` when the claim is over; 503 when the database is away.
    pub async fn progress(&self, done: u64, total: u64) -> Result<()> {
        self.lease.check()?;
        let mut conn = self.pool.get().await?;
        let (done, total) = (bounded(done), bounded(total));
        let _busy = self.lease.busy.lock().await;
        match store::progress(&mut conn, self.permit.job(), self.permit.fence(), done, total).await? {
            Some(cancel) => {
                // Sooner than the next heartbeat: long work stops at its next step.
                if cancel {
                    self.lease.ask_to_cancel();
                }
                Ok(())
            }
            None => {
                self.lease.lose();
                Err(stale())
            }
        }
    }

    /// Runs `body` in one transaction that locks the job's row and checks the fence first, and renews the lease last: the
    /// only way to change rows that nobody but the holder of the claim may change.
    ///
    /// # Errors
    /// 409 `STALE_LEASE`, without having run `body`, when the claim is over; those of `body`; 503.
    pub async fn fenced<T, F>(&self, name: &'static str, body: F) -> Result<T>
    where
        T: Send,
        for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T>
            + TransactionBody<&'r mut AsyncPgConnection, Result<T>, Fut: Send>
            + Send
            + Sync,
    {
        self.in_claim(name, None, body).await
    }

    /// As [`fenced`](Self::fenced), and in the same transaction the job ends well.
    ///
    /// # Errors
    /// As [`fenced`](Self::fenced).
    pub async fn complete<T, F>(&self, name: &'static str, body: F) -> Result<T>
    where
        T: Send,
        for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T>
            + TransactionBody<&'r mut AsyncPgConnection, Result<T>, Fut: Send>
            + Send
            + Sync,
    {
        self.in_claim(name, Some(Outcome::Succeeded), body).await
    }

    /// As [`complete`](Self::complete), for a job that was asked to stop and has tidied up: it ends as cancelled.
    ///
    /// # Errors
    /// As [`fenced`](Self::fenced).
    pub async fn complete_cancelled<T, F>(&self, name: &'static str, body: F) -> Result<T>
    where
        T: Send,
        for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T>
            + TransactionBody<&'r mut AsyncPgConnection, Result<T>, Fut: Send>
            + Send
            + Sync,
    {
        self.in_claim(name, Some(Outcome::Cancelled), body).await
    }

    async fn in_claim<T, F>(&self, name: &'static str, end: Option<Outcome>, body: F) -> Result<T>
    where
        T: Send,
        for<'r> F: AsyncFn(&'r mut AsyncPgConnection) -> Result<T>
            + TransactionBody<&'r mut AsyncPgConnection, Result<T>, Fut: Send>
            + Send
            + Sync,
    {
        let mut conn = self.pool.get().await?;
        let _busy = self.lease.busy.lock().await;
        self.lease.check()?;
        let (job, fence, lease) = (self.permit.job(), self.permit.fence(), &*self.lease);
        let (value, renewed) = transaction(name, &mut conn, async |conn: &mut AsyncPgConnection| {
            if store::lock(conn, job, fence).await?.is_none() {
                lease.lose();
                return Err(stale());
            }
            let value = body(&mut *conn).await?;
            let sent = Instant::now();
            match end {
                Some(outcome) => store::end(conn, job, outcome, None).await?,
                None => {
                    store::renew(conn, job, fence, lease.length()).await?;
                }
            }
            Ok((value, sent))
        })
        .await?;
        match end {
            Some(outcome) => lease.end(outcome),
            None => lease.renew(renewed),
        }
        Ok(value)
    }
}

/// Counts beyond what the column holds are not counts any more.
fn bounded(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
