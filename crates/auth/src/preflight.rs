//! What may stand in a PREFLIGHT_JWT (preflight-auth-contract, section 2), and for whom.

use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{BrandId, ServiceName, TenantId};
use serde_json::json;

use crate::action::{ExchangePreflightToken, IssuePreflightToken, SyncPreflightJobs};
use crate::{BrandRole, Permit, ServiceCaller, Session, Standing, audience, scope};

/// A selection of the five scopes: at least one, each once, in the contract's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightScopes(Vec<&'static str>);

impl PreflightScopes {
    /// Reads what a client asked for: 400 `SCOPES_REQUIRED` for nothing, 422 `UNKNOWN_SCOPE` for another word than the five.
    pub fn parse<T: AsRef<str>>(asked: &[T]) -> Result<Self> {
        if asked.is_empty() {
            let sentence = format!("scopes names at least one of {}", scope::PREFLIGHT.join(", "));
            return Err(Fault::invalid("SCOPES_REQUIRED", "scopes", sentence));
        }
        if !asked.iter().all(|name| scope::PREFLIGHT.contains(&name.as_ref())) {
            let sentence = format!("a preflight scope is one of {}", scope::PREFLIGHT.join(", "));
            return Err(Fault::new(Kind::Unprocessable, "UNKNOWN_SCOPE", sentence).field("scopes"));
        }
        let chosen = |scope: &&'static str| asked.iter().any(|name| name.as_ref() == *scope);
        Ok(PreflightScopes(scope::PREFLIGHT.into_iter().filter(chosen).collect()))
    }

    /// The scopes as they stand in `scp`.
    pub fn as_slice(&self) -> &[&'static str] {
        &self.0
    }
}

/// The right to one PREFLIGHT_JWT: what [`crate::TokenSource::preflight`] takes, and nothing else makes.
///
/// ```compile_fail
/// fn forge() -> mintmark_auth::PreflightGrant { mintmark_auth::PreflightGrant::new() }
/// ```
#[derive(Debug)]
pub struct PreflightGrant {
    tenant: TenantId,
    scopes: PreflightScopes,
    subject: String,
    /// The token ends no later than this, however long such tokens may live.
    not_after: Option<DateTime<Utc>>,
}

impl PreflightGrant {
    /// For a person's own session: never more than the person may, by the role for `brand`, or by the highest role for any
    /// brand of the tenant when none is named. 403 `FORBIDDEN` with `requiredScope` and `grantedScopes` otherwise.
    ///
    /// An administrator of the tenant without a role for a brand has none: administering people is not handling their files.
    pub fn for_person(session: &Session, brand: Option<BrandId>, asked: PreflightScopes) -> Result<Self> {
        let granted = granted(session.standing(), brand);
        if let Some(missing) = asked.0.iter().find(|scope| !granted.contains(scope)) {
            return Err(Fault::forbidden("FORBIDDEN", "your role does not carry the scope that you ask for")
                .with("requiredScope", *missing)
                .with("grantedScopes", json!(granted)));
        }
        let subject = format!("user:{}", session.user());
        Ok(PreflightGrant { tenant: session.tenant().clone(), scopes: asked, subject, not_after: None })
    }

    /// For the operator, in the name of the control plane: any of the five for the tenant of the permit.
    pub fn for_operator(permit: &Permit<IssuePreflightToken>, asked: PreflightScopes) -> Self {
        let subject = format!("service:{}", ServiceName::ControlPlane);
        PreflightGrant { tenant: permit.tenant().clone(), scopes: asked, subject, not_after: None }
    }

    /// For taking a tenant's jobs over, in the name of the control plane: the one scope that reads them.
    ///
    /// With a token that the operator was handed for it (`X-Upstream-Token`) the grant is narrowed to that token: 403
    /// `TENANT_MISMATCH` for another tenant, 403 `FORBIDDEN` without the scope, and no later end.
    pub fn for_sync(permit: &Permit<SyncPreflightJobs>, upstream: Option<&ServiceCaller>) -> Result<Self> {
        let subject = format!("service:{}", ServiceName::ControlPlane);
        let scopes = PreflightScopes(vec![scope::JOBS_READ]);
        let Some(upstream) = upstream else {
            return Ok(PreflightGrant { tenant: permit.tenant().clone(), scopes, subject, not_after: None });
        };
        presented_here(upstream, permit.tenant())?;
        if !upstream.has_scope(scope::JOBS_READ) {
            let sentence = "the token in X-Upstream-Token lacks the scope that a sync needs";
            return Err(Fault::forbidden("FORBIDDEN", sentence)
                .with("requiredScope", scope::JOBS_READ)
                .with("grantedScopes", json!(upstream.scopes())));
        }
        let not_after = Some(upstream.expires_at());
        Ok(PreflightGrant { tenant: permit.tenant().clone(), scopes, subject, not_after })
    }

    /// For a service that acts for a caller: the same tenant, subject and tier as in the PREFLIGHT_JWT that the caller
    /// presented, its scopes as far as they were asked for (`None`: all of them), and no later end.
    ///
    /// 403 `TENANT_MISMATCH` where the presented token is another tenant's, 403 `FORBIDDEN` where it has none of the scopes.
    pub fn for_exchange(
        permit: &Permit<ExchangePreflightToken>,
        presented: &ServiceCaller,
        asked: Option<&PreflightScopes>,
    ) -> Result<Self> {
        presented_here(presented, permit.tenant())?;
        let kept = |scope: &&'static str| {
            presented.has_scope(scope) && asked.is_none_or(|asked| asked.0.contains(scope))
        };
        let scopes: Vec<&'static str> = scope::PREFLIGHT.into_iter().filter(kept).collect();
        if scopes.is_empty() {
            let required = asked.and_then(|asked| asked.0.first()).copied().unwrap_or_default();
            return Err(Fault::forbidden(
                "FORBIDDEN",
                "the presented token has none of the scopes asked for",
            )
            .with("requiredScope", required)
            .with("grantedScopes", json!(presented.scopes())));
        }
        Ok(PreflightGrant {
            tenant: presented.tenant().clone(),
            scopes: PreflightScopes(scopes),
            subject: presented.subject().to_owned(),
            not_after: Some(presented.expires_at()),
        })
    }

    /// The tenant that the token will be for.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The scopes that it will carry.
    pub fn scopes(&self) -> &[&'static str] {
        self.scopes.as_slice()
    }

    /// In whose name: `sub`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn not_after(&self) -> Option<DateTime<Utc>> {
        self.not_after
    }
}

/// Whether a token that somebody presented is a PREFLIGHT_JWT of this tenant. Another kind was never verified as one.
fn presented_here(presented: &ServiceCaller, tenant: &TenantId) -> Result<()> {
    if presented.audience() != audience::PREFLIGHT {
        return Err(Fault::internal("a token of another audience was taken for a PREFLIGHT_JWT"));
    }
    if presented.tenant() != tenant {
        let sentence =
            "the presented PREFLIGHT_JWT is another tenant's: name its own tenant, or present another token";
        return Err(Fault::forbidden("TENANT_MISMATCH", sentence));
    }
    Ok(())
}

/// The preflight scopes of a role: members look, Admin and Owner do everything.
fn granted(standing: &Standing, brand: Option<BrandId>) -> &'static [&'static str] {
    let role = match brand {
        Some(brand) => standing.role(brand),
        None => standing.brands.iter().map(|(_, role)| *role).max(),
    };
    match role {
        None => &[],
        Some(BrandRole::Member) => &[scope::PREFLIGHT_READ, scope::JOBS_READ],
        Some(BrandRole::Admin | BrandRole::Owner) => &scope::PREFLIGHT,
    }
}
