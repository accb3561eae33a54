//! The retention run of one tenant.

use mintmark_fault::Result;
use mintmark_jobs::JobContext;

use super::rotate::Which;
use super::{DataRetention, rotate};
use crate::app::lifecycle::Lifecycle;

/// Ends what a crash left, erases what is due, and ends the keys whose time is over.
pub(super) async fn run(lifecycle: &Lifecycle, job: &JobContext<DataRetention>) -> Result<()> {
    let (tenant, actor) = (job.permit().tenant(), job.permit().actor());
    let _alone = lifecycle.alone(tenant).await;
    while lifecycle.recover(tenant).await? > 0 {}
    let (mut done, due) = (0, lifecycle.due(tenant).await?);
    job.progress(done, due).await?;
    loop {
        let erased = lifecycle.shred_batch(tenant, actor).await?;
        if erased == 0 {
            break;
        }
        done += erased as u64;
        job.progress(done, due.max(done)).await?;
    }
    lifecycle.close_over(tenant, actor).await?;
    rotate::empty(lifecycle, job, done, Which::NotSpent).await?;
    lifecycle.disinter(tenant).await?;
    while lifecycle.sweep(tenant).await? > 0 {}
    Ok(())
}
