//! The table of actions: a row declares the type, its name, its rule, its target and the noun for a 404; `impersonable`
//! where somebody who acts as the person may do it too.
//!
//! A new action is a new row; `policy.txt` then shows what it means for every kind of caller.

use crate::policy::{Action, MatrixRow, OnBrand, OnPlatform, OnTenant, Rule};
use crate::{ApiScope, BrandRole, EvidenceRole, scope};

macro_rules! actions {
    (@may impersonable) => { true };
    (@may) => { false };
    ($($(#[$doc:meta])* $action:ident $name:literal: $rule:expr, $on:ty, $noun:literal $(, $mark:ident)?;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $action {}

            impl Action for $action {
                const NAME: &'static str = $name;
                const RULE: Rule = $rule;
                const IMPERSONABLE: bool = actions!(@may $($mark)?);
                const NOUN: &'static str = $noun;
                type On = $on;
            }
        )+

        /// Every action, in the order of the table.
        pub fn matrix() -> Vec<MatrixRow> {
            vec![$(MatrixRow::of::<$action>(),)+]
        }
    };
}

actions! {
    /// Create tenants and list them.
    ManageTenants "manage_tenants": Rule::ControlToken, OnPlatform, "tenant";
    /// Change a tenant, its tier, users, memberships and sessions.
    AdministerTenant "administer_tenant": Rule::ControlToken, OnTenant, "tenant";

    /// Create a brand; whoever does becomes its owner.
    CreateBrand "create_brand": Rule::TenantAdmin, OnTenant, "tenant";
    /// List the brands that one is a member of.
    ListBrands "list_brands": Rule::TenantMember, OnTenant, "tenant", impersonable;
    /// See a brand.
    ViewBrand "view_brand": Rule::Brand(BrandRole::Member), OnBrand, "brand", impersonable;
    /// Change how a brand looks on the verification page.
    UpdateBrand "update_brand": Rule::Brand(BrandRole::Admin), OnBrand, "brand", impersonable;

    /// Create a product.
    CreateProduct "create_product": Rule::Brand(BrandRole::Admin), OnBrand, "brand", impersonable;
    /// Change a product.
    UpdateProduct "update_product": Rule::Brand(BrandRole::Admin), OnBrand, "product", impersonable;
    /// See a product.
    ViewProduct "view_product": Rule::Brand(BrandRole::Member), OnBrand, "product", impersonable;

    /// Submit a mint request (minting-security: Admin or Owner).
    SubmitMint "submit_mint": Rule::Brand(BrandRole::Admin), OnBrand, "brand";
    /// Recall a batch, or codes of one, for ever.
    RevokeBatch "revoke_batch": Rule::Brand(BrandRole::Admin), OnBrand, "batch";
    /// Destroy the secret that a batch's codes are derived from, for ever.
    DestroyBatchSecret "destroy_secret": Rule::Brand(BrandRole::Owner), OnBrand, "batch";
    /// View batches, tokens and events (minting-security: any member with brand access).
    ViewBatch "view_batch": Rule::Brand(BrandRole::Member), OnBrand, "batch", impersonable;
    /// Generate an export (minting-security: Admin or Owner).
    GenerateExport "generate_export": Rule::Brand(BrandRole::Admin), OnBrand, "batch";
    /// Download an export pack (minting-security: any member with brand access).
    DownloadExport "download_export": Rule::Brand(BrandRole::Member), OnBrand, "export";

    /// Exchange a session for a PREFLIGHT_JWT; which scopes it may carry is the role's (`PreflightGrant`).
    RequestPreflightToken "request_preflight": Rule::TenantMember, OnTenant, "tenant";
    /// Issue a PREFLIGHT_JWT for a tenant, as its operator.
    IssuePreflightToken "issue_preflight": Rule::ControlToken, OnTenant, "tenant";

    /// Exchange a caller's own PREFLIGHT_JWT for one that is no wider.
    ExchangePreflightToken "narrow_preflight": Rule::Scope(scope::TOKENS_EXCHANGE), OnTenant, "tenant";
    /// Take a tenant's preflight jobs over into the registry.
    SyncPreflightJobs "sync_preflight": Rule::ControlToken, OnTenant, "tenant";
    /// Read the registry of preflight jobs.
    ReadPreflightRegistry "read_registry": Rule::ControlToken, OnPlatform, "job";

    /// Make an API key; which scopes it may carry is the person's (`api_scope::grantable`).
    CreateApiKey "create_api_key": Rule::TenantMember, OnTenant, "tenant";
    /// See one's own API keys; an administrator of the tenant sees all of them.
    ViewApiKeys "view_api_keys": Rule::TenantMember, OnTenant, "key";
    /// Rotate or revoke an API key of one's own; an administrator of the tenant any of them.
    ManageApiKey "manage_api_key": Rule::TenantMember, OnTenant, "key";

    /// Read users, audit entries and failed events of the tenant.
    ReadAdmin "read_admin": Rule::Api(ApiScope::AdminRead), OnTenant, "tenant", impersonable;
    /// Give and take roles for brands.
    AssignRoles "assign_roles": Rule::Api(ApiScope::AdminWrite), OnTenant, "user";
    /// Revoke any API key of the tenant.
    RevokeAnyKey "revoke_any_key": Rule::Api(ApiScope::AdminWrite), OnTenant, "key";
    /// Act as a person of the tenant.
    Impersonate "impersonate": Rule::Api(ApiScope::AdminWrite), OnTenant, "user";
    /// Run a failed event again.
    ReplayEvent "replay_event": Rule::Api(ApiScope::AdminWrite), OnTenant, "event";
    /// Have the tenant's audit log exported, and download it.
    ExportAuditLog "export_audit_log": Rule::Api(ApiScope::ExportsRead), OnTenant, "export";

    /// Publish codes to the directory.
    PublishCodes "publish_codes": Rule::Scope(scope::DIRECTORY_PUBLISH), OnTenant, "publication";
    /// Recall a batch, or codes of one, in the directory.
    RevokeCodes "revoke_codes": Rule::Scope(scope::DIRECTORY_REVOKE), OnTenant, "publication";
    /// Read publications from the directory.
    ReadDirectory "read_directory": Rule::Scope(scope::DIRECTORY_READ), OnTenant, "publication";

    /// See preflight jobs, their reports and facts, the policies and the metrics.
    ViewPreflight "view_preflight": Rule::Scope(scope::PREFLIGHT_READ), OnTenant, "job";
    /// Create, change and cancel preflight jobs; keep policies of the tenant's own.
    WritePreflight "write_preflight": Rule::Scope(scope::PREFLIGHT_WRITE), OnTenant, "job";
    /// Have the preflight engine run.
    AnalyzePreflight "analyze_preflight": Rule::Scope(scope::PREFLIGHT_ANALYZE), OnTenant, "job";
    /// Read single preflight jobs (v2), and which of them changed.
    TrackPreflight "track_preflight": Rule::OneOf(&[scope::JOBS_READ, scope::PREFLIGHT_READ]), OnTenant, "job";
    /// Create a preflight job (v2).
    SubmitPreflight "submit_preflight": Rule::OneOf(&[scope::JOBS_WRITE, scope::PREFLIGHT_WRITE]), OnTenant, "job";
    /// Store the telemetry of a repaired document.
    ReportRepair "report_repair": Rule::Scope(scope::JOBS_WRITE), OnTenant, "job";

    /// Open a dispute.
    OpenDispute "open_dispute": Rule::Evidence(&EvidenceRole::ALL), OnTenant, "dispute";
    /// See disputes.
    ViewDispute "view_dispute": Rule::Evidence(&EvidenceRole::ALL), OnTenant, "dispute";
    /// Decide a dispute, for good.
    CloseDispute "close_dispute": Rule::Evidence(&[EvidenceRole::Arbitrator, EvidenceRole::Governance]), OnTenant, "dispute";
    /// Upload evidence to an open dispute.
    UploadEvidence "upload_evidence": Rule::Evidence(&EvidenceRole::ALL), OnTenant, "dispute";
    /// See the metadata of evidence (USER: of what they uploaded).
    ViewEvidence "view_evidence": Rule::Evidence(&EvidenceRole::ALL), OnTenant, "evidence";
    /// Read evidence (ARBITRATOR: while the dispute is open).
    ReadEvidenceContent "read_content": Rule::Evidence(&[EvidenceRole::Arbitrator, EvidenceRole::Governance]), OnTenant, "evidence";
    /// Set and lift legal holds.
    HoldEvidence "hold_evidence": Rule::Evidence(&[EvidenceRole::Governance]), OnTenant, "evidence";
    /// Fetch the proof of an erasure.
    ViewErasureProof "view_erasure": Rule::ApiOrEvidence(ApiScope::AdminRead, &[EvidenceRole::Governance]), OnTenant, "evidence";
    /// Read the vault's audit entries of the tenant, each with its proof.
    ReadEvidenceAudit "evidence_audit": Rule::ApiOrEvidence(ApiScope::AdminRead, &[EvidenceRole::Governance]), OnTenant, "entry";
    /// Start work on all of a tenant's evidence.
    OperateEvidence "operate_evidence": Rule::ControlToken, OnTenant, "operation";

    /// Store a record in the vault.
    StoreRecord "store_record": Rule::Scope(scope::EVIDENCE_UPLOAD), OnTenant, "evidence";
    /// Read the metadata of records in the vault.
    ReadRecord "read_record": Rule::Scope(scope::EVIDENCE_READ), OnTenant, "evidence";
    /// Decrypt a record of the vault.
    DecryptRecord "decrypt_record": Rule::Scope(scope::EVIDENCE_CONTENT), OnTenant, "evidence";
    /// Set and lift the hold of a record of the vault.
    HoldRecord "hold_record": Rule::Scope(scope::EVIDENCE_HOLD), OnTenant, "evidence";
    /// Read erasure proofs of the vault, and their keys.
    ReadErasureProof "read_proof": Rule::Scope(scope::EVIDENCE_PROOF), OnTenant, "evidence";
    /// Read the vault's audit log.
    ReadVaultAudit "read_vault_audit": Rule::Scope(scope::EVIDENCE_AUDIT), OnTenant, "entry";
    /// Start work on all of a tenant's records in the vault.
    OperateVault "operate_vault": Rule::Scope(scope::EVIDENCE_OPERATE), OnTenant, "operation";

    /// Count a request and judge it by its tier's limit.
    CheckRateLimit "check_rate_limit": Rule::Scope(scope::RATELIMIT_CHECK), OnTenant, "tenant";
}
