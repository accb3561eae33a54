//! Reconciliation when the vault may work, and then one retention job for each tenant that has something to do, again and again.

use std::collections::HashMap;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use mintmark_db::transaction;
use mintmark_fault::{Chain, Result};
use mintmark_ids::{JobId, TenantId};
use mintmark_jobs::{JobState, enqueue, status};
use mintmark_service::Shutdown;

use super::{Lifecycle, VAULT};
use crate::jobs::{DataRetention, WholeTenant};
use crate::store::shredding;

/// The pause after a run that could not be finished.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

impl Lifecycle {
    /// Looks for work until shutdown.
    pub async fn run(self, shutdown: Shutdown) {
        let mut waiting = HashMap::new();
        let stop = shutdown.token();
        loop {
            if stop.run_until_cancelled(self.parts.gate.opened()).await.is_none() {
                return;
            }
            let pause = match self.look(&mut waiting).await {
                Ok(()) => self.config.run_every,
                Err(fault) => {
                    tracing::warn!(error = %Chain(&fault), "the retention run could not be finished and is tried again");
                    AFTER_FAILURE.min(self.config.run_every)
                }
            };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn look(&self, waiting: &mut HashMap<TenantId, JobId>) -> Result<()> {
        self.reconcile().await?;
        let tenants =
            shredding::tenants_with_work(&mut *self.conn().await?, self.abandoned_before()?).await?;
        for tenant in tenants {
            // One job of ours a tenant: a dead one is an operator's to replay, and the next run makes another.
            if let Some(job) = waiting.get(&tenant)
                && matches!(self.state_of(*job).await?, JobState::Queued | JobState::Running)
            {
                continue;
            }
            let job = self
                .in_gate("evidence.retention_due", async |conn: &mut AsyncPgConnection| {
                    enqueue::<DataRetention>(conn, &tenant, &VAULT, &WholeTenant {}).await
                })
                .await?;
            waiting.insert(tenant, job);
        }
        Ok(())
    }

    async fn state_of(&self, job: JobId) -> Result<JobState> {
        let mut conn = self.conn().await?;
        transaction("evidence.job_state", &mut conn, async |conn: &mut AsyncPgConnection| {
            Ok(status(conn, job).await?.state)
        })
        .await
    }
}
