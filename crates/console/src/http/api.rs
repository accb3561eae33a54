//! The contract's route for programs.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use mintmark_auth::Principal;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use mintmark_web::{Access, Answer, Authenticate, BoxFuture, Caller, Credentials, Problem, ok};
use serde::Serialize;

use crate::app::desk::Desk;
use crate::http::view::PolicyView;

/// Admits whoever brings a PREFLIGHT_JWT.
pub struct Gate(pub Desk);

impl Authenticate for Gate {
    fn authenticate(&self, access: Access, credentials: Credentials) -> BoxFuture<'_, Result<Principal>> {
        Box::pin(async move {
            let bearer = credentials.bearer.filter(|_| access == Access::Preflight);
            let visitor = self.0.admit(bearer.ok_or_else(Fault::unauthenticated)?.expose()).await?;
            Ok(Principal::Service(visitor.caller().clone()))
        })
    }
}

/// The tenant that `X-Tenant-Id` names, where it came.
pub struct NamedTenant(Option<Vec<u8>>);

impl FromRequest for NamedTenant {
    type Error = Problem;
    type Future = Ready<std::result::Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let mut values = request.headers().get_all("x-tenant-id");
        ready(match (values.next(), values.next()) {
            (first, None) => Ok(Self(first.map(|value| value.as_bytes().to_vec()))),
            _ => Err(other_tenant().into()),
        })
    }
}

impl NamedTenant {
    /// # Errors
    /// 403 `TENANT_MISMATCH` where another tenant than the token's was named.
    fn check(&self, tenant: &TenantId) -> Result<()> {
        let same = self.0.as_deref().is_none_or(|named| named == tenant.as_str().as_bytes());
        if same { Ok(()) } else { Err(other_tenant()) }
    }
}

fn other_tenant() -> Fault {
    let sentence = "X-Tenant-Id names another tenant than the token: leave it out, or send the token's own";
    Fault::forbidden("TENANT_MISMATCH", sentence).field("X-Tenant-Id")
}

#[derive(Serialize)]
struct Policies {
    items: Vec<PolicyView>,
}

/// The policies that jobs may name: the platform's, then the tenant's own.
pub async fn policies(caller: Caller, named: NamedTenant, desk: web::Data<Desk>) -> Answer {
    let Principal::Service(caller) = caller.0 else {
        return Err(Fault::internal("the gate let in somebody without a PREFLIGHT_JWT").into());
    };
    let visitor = desk.admitted(caller)?;
    named.check(visitor.tenant())?;
    let items = visitor.policies().await?.into_iter().map(PolicyView::from).collect();
    Ok(ok(&Policies { items }))
}
