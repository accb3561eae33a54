//! PREFLIGHT_JWTs: a person exchanges a session for one, the operator has one made for a tenant, a service exchanges its
//! caller's own for one that is no wider.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::action::{ExchangePreflightToken, IssuePreflightToken, RequestPreflightToken};
use mintmark_auth::policy::{Action, OnTenant, Permit, authorize};
use mintmark_auth::{Minted, PreflightGrant, PreflightScopes, Principal, ServiceVerifier, Tier, TokenSource};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BrandId, TenantId};
use serde_json::json;

use super::access;
use crate::store::{scopes, tenants};

/// The field of a fault about the token that was presented for an exchange.
const PRESENTED: &str = "presented_token";

/// Mints PREFLIGHT_JWTs.
#[derive(Clone)]
pub struct PreflightTokens {
    pool: Pool,
    source: TokenSource,
    verifier: ServiceVerifier,
}

/// A fresh token, and what it may be used for.
#[derive(Debug)]
pub struct PreflightToken {
    /// The token and its end.
    pub minted: Minted,
    /// Its scopes, in the contract's order.
    pub scopes: Vec<&'static str>,
}

impl PreflightTokens {
    /// Signs with the control plane's own key: the only one that the trust bundle grants `ppos:control`. `verifier` judges
    /// PREFLIGHT_JWTs that are presented for an exchange.
    pub fn new(pool: Pool, source: TokenSource, verifier: ServiceVerifier) -> Self {
        PreflightTokens { pool, source, verifier }
    }

    /// A token for the caller's own tenant, with at most the caller's own rights: those for `brand`, or the highest for any
    /// brand. Another tenant's brand is 404.
    pub async fn exchange<T: AsRef<str>>(
        &self,
        who: &Principal,
        asked: &[T],
        brand: Option<BrandId>,
    ) -> Result<PreflightToken> {
        let session = access::session(who)?;
        let mut conn = self.pool.get().await?;
        let permit: Permit<RequestPreflightToken> = access::to_own_tenant(&mut conn, who).await?;
        let asked = PreflightScopes::parse(asked)?;
        if let Some(brand) = brand {
            scopes::of_brand(&mut conn, permit.tenant(), brand)
                .await
                .map_err(|fault| fault.field("brandId"))?;
        }
        let grant = PreflightGrant::for_person(session, brand, asked)?;
        let tier = tenants::tier(&mut conn, &permit).await?;
        self.mint(&mut conn, &permit, &grant, tier).await
    }

    /// A token for any tenant with any of the scopes, in the name of the control plane; for the operator.
    pub async fn issue<T: AsRef<str>>(
        &self,
        who: &Principal,
        tenant: TenantId,
        asked: &[T],
    ) -> Result<PreflightToken> {
        let permit = authorize::<IssuePreflightToken>(who, OnTenant(tenant))?;
        let asked = PreflightScopes::parse(asked)?;
        let mut conn = self.pool.get().await?;
        let tier = tenants::tier(&mut conn, &permit).await.map_err(|fault| fault.field("tenantId"))?;
        let grant = PreflightGrant::for_operator(&permit, asked);
        self.mint(&mut conn, &permit, &grant, tier).await
    }

    /// A token in exchange for a caller's own, for the service that asks: the same tenant, subject and tier, the scopes that
    /// were asked for (none: all) as far as the presented token has them, and no later end.
    ///
    /// What is wrong with the presented token says so with the field `presented_token`: the service that asks has a token of
    /// its own, and must be able to tell one from the other.
    pub async fn exchange_presented<T: AsRef<str>>(
        &self,
        who: &Principal,
        presented: &str,
        asked: &[T],
    ) -> Result<PreflightToken> {
        let tenant = access::tenant(who)?.clone();
        let permit: Permit<ExchangePreflightToken> = authorize(who, OnTenant(tenant))?;
        let asked = if asked.is_empty() { None } else { Some(PreflightScopes::parse(asked)?) };
        let presented =
            self.verifier.verify(presented).map_err(|error| Fault::from(error).field(PRESENTED))?;
        let mut conn = self.pool.get().await?;
        let judged = PreflightGrant::for_exchange(&permit, &presented, asked.as_ref());
        let grant = match judged {
            Ok(grant) => grant,
            Err(fault) => {
                let resource = ("tenant", permit.tenant().to_string());
                access::note_if_forbidden::<ExchangePreflightToken>(&mut conn, who, &fault, resource).await;
                return Err(fault.field(PRESENTED));
            }
        };
        // A tenant that is gone has no tokens, whatever was minted for it before.
        tenants::tier(&mut conn, &permit).await?;
        self.mint(&mut conn, &permit, &grant, presented.tier()).await
    }

    /// The token leaves only when the audit has it.
    async fn mint<A: Action<On = OnTenant>>(
        &self,
        conn: &mut AsyncPgConnection,
        permit: &Permit<A>,
        grant: &PreflightGrant,
        tier: Tier,
    ) -> Result<PreflightToken> {
        let minted = self.source.preflight(grant, tier);
        transaction("preflight_token.mint", conn, async |conn: &mut AsyncPgConnection| {
            let detail = json!({
                "scopes": grant.scopes(), "expiresAt": minted.expires_at(), "subject": grant.subject(),
            });
            let (of, by) = (permit.tenant(), permit.actor());
            let act = AuditEvent::allowed(Some(of), by, "PREFLIGHT_TOKEN_MINTED", ("tenant", of), detail);
            audit::record(conn, &act).await
        })
        .await?;
        Ok(PreflightToken { minted, scopes: grant.scopes().to_vec() })
    }
}
