//! The caller, and the tenant that it says it is.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use mintmark_auth::Principal;
use mintmark_fault::{Fault, Result};
use mintmark_web::{Caller, Problem};

/// The tenant, where a client states it beside its token.
const X_TENANT_ID: &str = "x-tenant-id";

/// Who sent the request. `X-Tenant-Id`, where it was sent, is the tenant of the token: 403 `TENANT_MISMATCH` otherwise.
#[derive(Debug)]
pub struct Who(pub Principal);

impl FromRequest for Who {
    type Error = Problem;
    type Future = Ready<std::result::Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let caller = Caller::from_request(request, payload).into_inner();
        ready(caller.and_then(|Caller(who)| {
            same_tenant(request, &who)?;
            Ok(Who(who))
        }))
    }
}

fn same_tenant(request: &HttpRequest, who: &Principal) -> Result<()> {
    let Some(own) = who.tenant() else { return Err(Fault::unauthenticated()) };
    if request.headers().get_all(X_TENANT_ID).all(|stated| stated.as_bytes() == own.as_str().as_bytes()) {
        return Ok(());
    }
    let sentence = format!(
        "X-Tenant-Id names another tenant than the token, which is {own}'s: send {own}, or leave it away"
    );
    Err(Fault::forbidden("TENANT_MISMATCH", sentence).field("X-Tenant-Id").with("tenantId", own.as_str()))
}
