//! The scopes that service tokens carry.

/// Publish codes to the directory.
pub const DIRECTORY_PUBLISH: &str = "directory:publish";
/// Recall batches and codes in the directory.
pub const DIRECTORY_REVOKE: &str = "directory:revoke";
/// Read publications, activations and scan summaries from the directory.
pub const DIRECTORY_READ: &str = "directory:read";

/// Have requests counted and judged by the rate limiter.
pub const RATELIMIT_CHECK: &str = "ratelimit:check";

/// View preflight job statuses and metrics (preflight-auth-contract, section 2).
pub const PREFLIGHT_READ: &str = "preflight:read";
/// Create or update preflight analysis records.
pub const PREFLIGHT_WRITE: &str = "preflight:write";
/// Invoke parsing binaries on physical assets.
pub const PREFLIGHT_ANALYZE: &str = "preflight:analyze";
/// Read general job tracking tables.
pub const JOBS_READ: &str = "jobs:read";
/// Persist repaired document telemetry.
pub const JOBS_WRITE: &str = "jobs:write";

/// Exchange a caller's own PREFLIGHT_JWT at the control plane for one that is no wider and ends no later.
pub const TOKENS_EXCHANGE: &str = "tokens:exchange";

/// Store evidence.
pub const EVIDENCE_UPLOAD: &str = "evidence:upload";
/// Read the metadata of evidence.
pub const EVIDENCE_READ: &str = "evidence:read";
/// Decrypt evidence.
pub const EVIDENCE_CONTENT: &str = "evidence:content";
/// Set and lift legal holds.
pub const EVIDENCE_HOLD: &str = "evidence:hold";
/// Read proofs of erasure, and the keys that they verify with.
pub const EVIDENCE_PROOF: &str = "evidence:proof";
/// Read the vault's audit log.
pub const EVIDENCE_AUDIT: &str = "evidence:audit";
/// Start work on all of a tenant's records.
pub const EVIDENCE_OPERATE: &str = "evidence:operate";

/// Every scope of the evidence vault.
pub const EVIDENCE: [&str; 7] = [
    EVIDENCE_UPLOAD,
    EVIDENCE_READ,
    EVIDENCE_CONTENT,
    EVIDENCE_HOLD,
    EVIDENCE_PROOF,
    EVIDENCE_AUDIT,
    EVIDENCE_OPERATE,
];

/// The five scopes of a PREFLIGHT_JWT.
pub const PREFLIGHT: [&str; 5] = [PREFLIGHT_READ, PREFLIGHT_WRITE, PREFLIGHT_ANALYZE, JOBS_READ, JOBS_WRITE];
