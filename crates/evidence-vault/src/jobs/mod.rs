//! Work on all of a tenant's records: what the timer or an operator starts.
//!
//! Each job goes in steps that may be repeated and says after each how far it is. Jobs of one tenant run one after the other
//! in a process; in two processes at once they do each step once all the same.

mod recompute;
mod retention;
mod rotate;

use mintmark_jobs::{JobKind, Worker};
use serde::{Deserialize, Serialize};

use crate::app::lifecycle::Lifecycle;

/// What these jobs carry: nothing. Tenant and actor travel with the job of the queue.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeTenant {}

/// Erases what is due, and destroys the keys that nothing needs.
#[derive(Debug)]
pub enum DataRetention {}

/// Closes the tenant's keys, wraps what is left under new ones, and destroys the old ones.
#[derive(Debug)]
pub enum RotateKeys {}

/// Computes every expiry anew from the configured retention.
#[derive(Debug)]
pub enum RecomputeRetention {}

impl JobKind for DataRetention {
    const NAME: &'static str = "data_retention";
    type Payload = WholeTenant;
    // A key provider or a store that is away for hours; the timer makes the next job anyway.
    const MAX_ATTEMPTS: u32 = 20;
}

impl JobKind for RotateKeys {
    const NAME: &'static str = "rotate_keys";
    type Payload = WholeTenant;
    const MAX_ATTEMPTS: u32 = 20;
}

impl JobKind for RecomputeRetention {
    const NAME: &'static str = "recompute_retention";
    type Payload = WholeTenant;
    const MAX_ATTEMPTS: u32 = 20;
}

/// Has a worker do these jobs.
#[must_use]
pub fn register(worker: Worker, lifecycle: Lifecycle) -> Worker {
    let (retention, rotate) = (lifecycle.clone(), lifecycle.clone());
    worker
        .handle::<DataRetention, _, _>(move |job, _| {
            let lifecycle = retention.clone();
            async move { Ok(retention::run(&lifecycle, &job).await?) }
        })
        .handle::<RotateKeys, _, _>(move |job, _| {
            let lifecycle = rotate.clone();
            async move { Ok(rotate::run(&lifecycle, &job).await?) }
        })
        .handle::<RecomputeRetention, _, _>(move |job, _| {
            let lifecycle = lifecycle.clone();
            async move { Ok(recompute::run(&lifecycle, &job).await?) }
        })
}
