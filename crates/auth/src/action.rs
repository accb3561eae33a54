//! The table of actions: a row declares the type, its name, its rule, its target and the noun for a 404.
//!
//! A new action is a new row; `policy.txt` then shows what it means for every kind of caller.

use crate::policy::{Action, MatrixRow, OnBrand, OnPlatform, OnTenant, Rule};
use crate::{BrandRole, scope};

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident $name:literal: $rule:expr, $on:ty, $noun:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $action {}

            impl Action for $action {
                const NAME: &'static str = $name;
                const RULE: Rule = $rule;
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
    ListBrands "list_brands": Rule::TenantMember, OnTenant, "tenant";
    /// See a brand.
    ViewBrand "view_brand": Rule::Brand(BrandRole::Member), OnBrand, "brand";
    /// Change how a brand looks on the verification page.
    UpdateBrand "update_brand": Rule::Brand(BrandRole::Admin), OnBrand, "brand";

    /// Create a product.
    CreateProduct "create_product": Rule::Brand(BrandRole::Admin), OnBrand, "brand";
    /// Change a product.
    UpdateProduct "update_product": Rule::Brand(BrandRole::Admin), OnBrand, "product";
    /// See a product.
    ViewProduct "view_product": Rule::Brand(BrandRole::Member), OnBrand, "product";

    /// Submit a mint request (minting-security: Admin or Owner).
    SubmitMint "submit_mint": Rule::Brand(BrandRole::Admin), OnBrand, "brand";
    /// Recall a batch, or codes of one, for ever.
    RevokeBatch "revoke_batch": Rule::Brand(BrandRole::Admin), OnBrand, "batch";
    /// Destroy the secret that a batch's codes are derived from, for ever.
    DestroyBatchSecret "destroy_secret": Rule::Brand(BrandRole::Owner), OnBrand, "batch";
    /// View batches, tokens and events (minting-security: any member with brand access).
    ViewBatch "view_batch": Rule::Brand(BrandRole::Member), OnBrand, "batch";
    /// Generate an export (minting-security: Admin or Owner).
    GenerateExport "generate_export": Rule::Brand(BrandRole::Admin), OnBrand, "batch";
    /// Download an export pack (minting-security: any member with brand access).
    DownloadExport "download_export": Rule::Brand(BrandRole::Member), OnBrand, "export";

    /// Exchange a session for a PREFLIGHT_JWT; which scopes it may carry is the role's (`PreflightGrant`).
    RequestPreflightToken "request_preflight": Rule::TenantMember, OnTenant, "tenant";
    /// Issue a PREFLIGHT_JWT for a tenant, as its operator.
    IssuePreflightToken "issue_preflight": Rule::ControlToken, OnTenant, "tenant";

    /// Publish codes to the directory.
    PublishCodes "publish_codes": Rule::Scope(scope::DIRECTORY_PUBLISH), OnTenant, "publication";
    /// Recall a batch, or codes of one, in the directory.
    RevokeCodes "revoke_codes": Rule::Scope(scope::DIRECTORY_REVOKE), OnTenant, "publication";
    /// Read publications from the directory.
    ReadDirectory "read_directory": Rule::Scope(scope::DIRECTORY_READ), OnTenant, "publication";
}
