//! How clients see jobs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::intent::Intent;
use crate::app::job::{Job, State, Verdict, hex};

/// A job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// Its name within the tenant.
    #[schema(example = "job_manual_verify_101")]
    job_id: String,
    /// What is preflighted.
    #[schema(example = "s3://ppos-storage/incoming/validate.pdf")]
    target_file: String,
    /// The name of the policy.
    #[schema(example = "digital-print")]
    policy: String,
    /// The version of the policy.
    #[schema(example = "1")]
    policy_version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<Intent>,
    /// The batch whose codes are printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<String>,
    state: State,
    /// What the policy says; absent before the job succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureView>,
    target: TargetView,
    /// SHA-256 of what was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    content_sha256: Option<String>,
    /// The engine that made the facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine_version: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// When a worker took it up first.
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<DateTime<Utc>>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_at: Option<DateTime<Utc>>,
    /// Grows with each change of any job of the tenant.
    revision: i64,
}

/// Why a job failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FailureView {
    /// A stable code.
    code: String,
    /// A sentence that says what to do.
    message: String,
}

/// The version of the file that was accepted, and that is read or nothing.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetView {
    /// As the object store writes it.
    etag: String,
    bytes: u64,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        JobView {
            target_file: job.target.to_string(),
            job_id: job.job_id,
            policy: job.policy,
            policy_version: job.policy_version,
            intent: job.intent,
            batch_id: job.batch,
            state: job.state,
            verdict: job.verdict,
            failure: job.failure.map(|failure| FailureView { code: failure.code, message: failure.message }),
            target: TargetView { etag: job.pin.etag, bytes: job.pin.bytes },
            content_sha256: job.content_sha256.map(|digest| hex(&digest)),
            engine_version: job.engine_version,
            created_at: job.created_at,
            updated_at: job.updated_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            revision: job.revision,
        }
    }
}
