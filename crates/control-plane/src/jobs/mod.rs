//! Work that outlives a request: minting, exporting, and what keeps the directory and the object store in step.
//!
//! A job reads what it needs under its own permit, so it works for exactly one tenant, and changes tables only through
//! its context's fenced transactions, so a worker that lost its lease changes nothing.

mod abort;
mod expire;
mod export;
mod export_audit;
mod mint;
mod publish;
mod pull_scans;
mod sync;

use std::sync::Arc;
use std::time::Duration;

use mintmark_auth::KeyStore;
use mintmark_codes::link::Base;
use mintmark_db::Pool;
use mintmark_fault::Fault;
use mintmark_jobs::{JobFailure, Worker};
use mintmark_minting::CodeMasterKey;
use mintmark_objects::Store;
use mintmark_rpc::client::{Directory, EvidenceVault};

pub use crate::job_kinds::{
    AbortPublication, AbortPublicationPayload, ExpireAudit, ExpireExport, ExpireExportPayload, ExportAudit,
    ExportAuditPayload, ExportPack, ExportPackPayload, MintBatch, MintBatchPayload, PullScans,
    PullScansPayload, SyncProduct, SyncProductPayload,
};

pub use pull_scans::revive as revive_scan_pulls;

/// What the jobs work with.
pub struct JobDeps {
    /// The control plane's database.
    pub pool: Pool,
    /// The directory of the resolver.
    pub directory: Directory,
    /// The evidence vault, whose audit log is exported with ours.
    pub evidence: EvidenceVault,
    /// Signs the manifests of exported audit logs.
    pub identity: KeyStore,
    /// Unwraps batch secrets.
    pub code_master_key: Arc<CodeMasterKey>,
    /// Where packs go.
    pub store: Store,
    /// Where printed codes lead (`CODE_BASE_URL`).
    pub base: Base,
    /// How long a pack stays (`EXPORT_RETENTION_DAYS`).
    pub retention: Duration,
    /// Between two pulls of a tenant's scans (`SCAN_PULL_SECS`).
    pub scan_pull: Duration,
}

/// Teaches `worker` every kind of job of the control plane.
pub fn register(worker: Worker, deps: JobDeps) -> Worker {
    let deps = Arc::new(deps);
    let abort = deps.clone();
    let pull = deps.clone();
    let (audit, expire_audit) = (deps.clone(), deps.clone());
    let (mint, sync, export, expire) = (deps.clone(), deps.clone(), deps.clone(), deps);
    worker
        .handle::<MintBatch, _, _>(move |ctx, payload| mint::run(ctx, payload, mint.clone()))
        .on_dead::<MintBatch, _>(mint::dead)
        .on_cancelled::<MintBatch, _>(mint::cancelled)
        .handle::<PullScans, _, _>(move |ctx, payload| pull_scans::run(ctx, payload, pull.clone()))
        .on_dead::<PullScans, _>(pull_scans::ended)
        .on_cancelled::<PullScans, _>(pull_scans::ended)
        .handle::<AbortPublication, _, _>(move |ctx, payload| abort::run(ctx, payload, abort.clone()))
        .handle::<SyncProduct, _, _>(move |ctx, payload| sync::run(ctx, payload, sync.clone()))
        .handle::<ExportPack, _, _>(move |ctx, payload| export::run(ctx, payload, export.clone()))
        .on_dead::<ExportPack, _>(export::dead)
        .on_cancelled::<ExportPack, _>(export::cancelled)
        .handle::<ExportAudit, _, _>(move |ctx, payload| export_audit::run(ctx, payload, audit.clone()))
        .on_dead::<ExportAudit, _>(export_audit::dead)
        .on_cancelled::<ExportAudit, _>(export_audit::dead)
        .handle::<ExpireAudit, _, _>(move |ctx, payload| {
            export_audit::expire(ctx, payload, expire_audit.clone())
        })
        .handle::<ExpireExport, _, _>(move |ctx, payload| expire::run(ctx, payload, expire.clone()))
}

/// What a fault of the directory means for the job.
///
/// Where opening the publication anew can help, the next claim does that: a stale fence says that a newer worker has the
/// batch (what this one says of it does not count), or, like the others, that one of the two databases was restored.
fn refused(fault: Fault) -> JobFailure {
    const HEALED_BY_OPENING: [&str; 4] =
        ["STALE_FENCE", "FENCE_NOT_OPENED", "NOT_FOUND", "PUBLICATION_INCOMPLETE"];
    if HEALED_BY_OPENING.contains(&fault.code()) { JobFailure::Retry(fault) } else { fault.into() }
}

/// The sentence for the people who wait for a job that was given up.
fn explain(fault: &Fault) -> &str {
    match fault.code() {
        "INTERNAL" => {
            "it failed in each attempt, for a reason that stands in the log; an operator can replay the job"
        }
        _ => fault.message(),
    }
}

/// What a job returns when its lease, its process or its purpose is gone; it may be tried again.
fn stopped() -> JobFailure {
    JobFailure::Retry(Fault::unavailable(
        "JOB_STOPPED",
        "the work was interrupted and goes on where it stopped",
    ))
}
