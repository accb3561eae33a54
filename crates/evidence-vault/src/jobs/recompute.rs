//! Every expiry of one tenant's records anew.

use mintmark_fault::Result;
use mintmark_jobs::JobContext;

use super::rotate::Which;
use super::{RecomputeRetention, rotate};
use crate::app::lifecycle::Lifecycle;

/// Computes every expiry from the configured retention; the keys that records have left for earlier periods are closed,
/// emptied and destroyed, because a backup could be opened with them for as long as they live.
pub(super) async fn run(lifecycle: &Lifecycle, job: &JobContext<RecomputeRetention>) -> Result<()> {
    let (tenant, actor) = (job.permit().tenant(), job.permit().actor());
    let _alone = lifecycle.alone(tenant).await;
    let (mut done, total) = (0, lifecycle.stored_records(tenant).await?);
    let mut after = None;
    loop {
        let step = lifecycle.recompute_step(tenant, actor, after).await?;
        if step.last.is_none() {
            break;
        }
        after = step.last;
        done += step.looked;
        job.progress(done, total.max(done)).await?;
    }
    rotate::empty(lifecycle, job, done, Which::All).await
}
