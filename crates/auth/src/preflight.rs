//! What may stand in a PREFLIGHT_JWT (preflight-auth-contract, section 2), and for whom.

use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::{BrandId, ServiceName, TenantId};
use serde_json::json;

use crate::action::IssuePreflightToken;
use crate::{BrandRole, Permit, Session, Standing, scope};

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
        Ok(PreflightGrant { tenant: session.tenant().clone(), scopes: asked, subject })
    }

    /// For the operator, in the name of the control plane: any of the five for the tenant of the permit.
    pub fn for_operator(permit: &Permit<IssuePreflightToken>, asked: PreflightScopes) -> Self {
        let subject = format!("service:{}", ServiceName::ControlPlane);
        PreflightGrant { tenant: permit.tenant().clone(), scopes: asked, subject }
    }

    /// The tenant that the token will be for.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The scopes that it will carry.
    pub fn scopes(&self) -> &[&'static str] {
        self.scopes.as_slice()
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }
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
