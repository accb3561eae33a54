//! The kinds of background job, and what each carries.
//!
//! A payload names one thing and nothing else: tenant and actor travel with the job itself, and whatever the job needs
//! it reads when it runs.

use mintmark_ids::{BatchId, ExportId, ProductId};
use mintmark_jobs::JobKind;
use serde::{Deserialize, Serialize};

/// Derives the codes of one batch and publishes their digests to the directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintBatch {
    /// The batch to mint.
    pub batch_id: BatchId,
}

impl JobKind for MintBatch {
    const NAME: &'static str = "mint-batch";
    type Payload = Self;
    // Progress starts the count anew, so these are attempts without a single acknowledged chunk.
    const MAX_ATTEMPTS: u32 = 20;
}

/// Tells the directory what a product is called and where its scans lead.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncProduct {
    /// The product that was created or changed.
    pub product_id: ProductId,
}

impl JobKind for SyncProduct {
    const NAME: &'static str = "sync-product";
    type Payload = Self;
    const MAX_ATTEMPTS: u32 = 20;
}

/// Makes the ZIP parts of one export.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportPack {
    /// The export to make.
    pub export_id: ExportId,
}

impl JobKind for ExportPack {
    const NAME: &'static str = "export-pack";
    type Payload = Self;
    const MAX_ATTEMPTS: u32 = 10;
}

/// Deletes the objects of one export, when its retention is over or when it failed half made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpireExport {
    /// The export whose objects go.
    pub export_id: ExportId,
}

impl JobKind for ExpireExport {
    const NAME: &'static str = "expire-export";
    type Payload = Self;
    const MAX_ATTEMPTS: u32 = 50;
}
