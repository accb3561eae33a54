//! The kinds of background job, and what each carries.
//!
//! A payload names one thing and nothing else: tenant and actor travel with the job itself, and whatever the job needs
//! it reads when it runs.

use mintmark_ids::{BatchId, ExportId, ProductId};
use mintmark_jobs::JobKind;
use serde::{Deserialize, Serialize};

/// Derives the codes of one batch and publishes their digests to the directory.
#[derive(Debug)]
pub enum MintBatch {}

/// What [`MintBatch`] carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintBatchPayload {
    /// The batch to mint.
    pub batch_id: BatchId,
}

impl JobKind for MintBatch {
    const NAME: &'static str = "mint-batch";
    type Payload = MintBatchPayload;
    // Attempts without a further chunk: two hours of a directory that is away, at pauses of up to five minutes.
    const MAX_ATTEMPTS: u32 = 30;
}

/// Gives up the publication of a batch that was cancelled while no worker could.
#[derive(Debug)]
pub enum AbortPublication {}

/// What [`AbortPublication`] carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbortPublicationPayload {
    /// The batch that was cancelled.
    pub batch_id: BatchId,
}

impl JobKind for AbortPublication {
    const NAME: &'static str = "abort-publication";
    type Payload = AbortPublicationPayload;
    const MAX_ATTEMPTS: u32 = 50;
}

/// Tells the directory what a product is called and where its scans lead.
#[derive(Debug)]
pub enum SyncProduct {}

/// What [`SyncProduct`] carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncProductPayload {
    /// The product that was created or changed.
    pub product_id: ProductId,
}

impl JobKind for SyncProduct {
    const NAME: &'static str = "sync-product";
    type Payload = SyncProductPayload;
    const MAX_ATTEMPTS: u32 = 30;
}

/// Makes the ZIP parts of one export.
#[derive(Debug)]
pub enum ExportPack {}

/// What [`ExportPack`] carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportPackPayload {
    /// The export to make.
    pub export_id: ExportId,
}

impl JobKind for ExportPack {
    const NAME: &'static str = "export-pack";
    type Payload = ExportPackPayload;
    const MAX_ATTEMPTS: u32 = 10;
}

/// Deletes the objects of one export, when its retention is over, or when it failed or was cancelled half made.
#[derive(Debug)]
pub enum ExpireExport {}

/// What [`ExpireExport`] carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireExportPayload {
    /// The export whose objects go.
    pub export_id: ExportId,
}

impl JobKind for ExpireExport {
    const NAME: &'static str = "expire-export";
    type Payload = ExpireExportPayload;
    const MAX_ATTEMPTS: u32 = 50;
}

/// Writes a tenant's audit log to a file.
#[derive(Debug)]
pub enum ExportAudit {}

/// What [`ExportAudit`] and [`ExpireAudit`] carry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportAuditPayload {
    /// The export of the audit.
    pub export_id: ExportId,
}

impl JobKind for ExportAudit {
    const NAME: &'static str = "export-audit";
    type Payload = ExportAuditPayload;
    const MAX_ATTEMPTS: u32 = 10;
}

/// Deletes such a file when its retention is over.
#[derive(Debug)]
pub enum ExpireAudit {}

impl JobKind for ExpireAudit {
    const NAME: &'static str = "expire-audit";
    type Payload = ExportAuditPayload;
    const MAX_ATTEMPTS: u32 = 50;
}

/// Pulls a tenant's sums of scans from the directory, and makes the next job of its kind.
#[derive(Debug)]
pub enum PullScans {}

/// What [`PullScans`] carries: nothing but its tenant.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullScansPayload {}

impl JobKind for PullScans {
    const NAME: &'static str = "pull-scans";
    type Payload = PullScansPayload;
    // Three days of a directory that is away; then a new job follows.
    const MAX_ATTEMPTS: u32 = 1_000;
}
