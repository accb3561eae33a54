//! Work that outlives a request: one kind of job.

mod preflight;

use mintmark_jobs::JobKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use preflight::{JobDeps, register};

/// Reads one file and judges it.
#[derive(Debug)]
pub enum Preflight {}

/// What [`Preflight`] carries: the job's own id; tenant and actor travel with the job of the queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreflightPayload {
    /// The preflight job.
    pub id: Uuid,
}

impl JobKind for Preflight {
    const NAME: &'static str = "preflight";
    type Payload = PreflightPayload;
    // A store that is away for minutes, a worker that is lost now and then; never a file that fails each time.
    const MAX_ATTEMPTS: u32 = 8;
}
