//! A rotation of one tenant's keys.

use mintmark_fault::Result;
use mintmark_jobs::{JobContext, JobKind};

use super::RotateKeys;
use crate::app::lifecycle::Lifecycle;

/// Closes every key of a period, wraps what they open under new ones, and destroys them.
pub(super) async fn run(lifecycle: &Lifecycle, job: &JobContext<RotateKeys>) -> Result<()> {
    let (tenant, actor) = (job.permit().tenant(), job.permit().actor());
    let _alone = lifecycle.alone(tenant).await;
    lifecycle.close_older(tenant, actor, job.permit().job()).await?;
    empty(lifecycle, job, 0, Which::All).await?;
    lifecycle.disinter(tenant).await.map(drop)
}

/// Which of the closing keys are emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them.
    All,
    /// Not those that are closed because their budget is spent: they still open what they hold until their period is over.
    NotSpent,
}

/// Wraps what the tenant's closing keys open under others, and destroys those that nothing refers to then.
pub(super) async fn empty<K: JobKind>(
    lifecycle: &Lifecycle,
    job: &JobContext<K>,
    before: u64,
    which: Which,
) -> Result<()> {
    let (tenant, actor) = (job.permit().tenant(), job.permit().actor());
    let (closing, left) = lifecycle.closing(tenant).await?;
    let mut done = before;
    for kek in &closing {
        let mut after = None;
        while which == Which::All || !lifecycle.is_spent(kek) {
            let step = lifecycle.rewrap_step(kek, actor, after).await?;
            if step.last.is_none() {
                break;
            }
            after = step.last;
            done += step.moved;
            job.progress(done, before + left.max(done - before)).await?;
        }
        lifecycle.destroy_unused(tenant, kek.id, actor).await?;
    }
    Ok(())
}
