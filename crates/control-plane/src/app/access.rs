//! From "this person asks for that thing" to a permit for the thing's brand.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent, Outcome};
use mintmark_auth::policy::{Action, OnBrand, OnTenant, Permit, Rule, authorize};
use mintmark_auth::{Principal, Session};
use mintmark_db::transaction;
use mintmark_fault::{Chain, Fault, Kind, Result};
use mintmark_ids::{BatchId, BrandId, ExportId, ProductId, TenantId};
use serde_json::json;

use crate::store::scopes;

/// The tenant whose things the caller may see at all; 401 for a caller that belongs to none.
pub fn tenant(who: &Principal) -> Result<&TenantId> {
    who.tenant().ok_or_else(Fault::unauthenticated)
}

/// The person behind the request; 401 when it is none.
pub fn session(who: &Principal) -> Result<&Session> {
    match who {
        Principal::Session(session) => Ok(session),
        Principal::Control(_) | Principal::ApiKey(_) | Principal::Service(_) => Err(Fault::unauthenticated()),
    }
}

/// What the policy says; a refusal of somebody who may know of the thing (403) goes into the audit. `resource` is the kind
/// of thing and its id. Call it outside of any transaction, which would take the entry back with it.
pub async fn judged<A: Action>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    on: A::On,
    resource: (&'static str, String),
) -> Result<Permit<A>> {
    let judgement = authorize(who, on);
    if let Err(fault) = &judgement {
        note_if_forbidden::<A>(conn, who, fault, resource).await;
    }
    judgement
}

/// Puts a refusal into the audit that a use case found itself, where it is a 403. Outside of any transaction.
pub async fn note_if_forbidden<A: Action>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    fault: &Fault,
    resource: (&'static str, String),
) {
    if fault.kind() == Kind::Forbidden {
        note_refusal::<A>(conn, who, resource).await;
    }
}

/// The refusal of a use case's own, as whoever asked hears it, with its entry in the audit.
pub async fn refused<A: Action>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    fault: Fault,
    resource: (&'static str, String),
) -> Fault {
    note_if_forbidden::<A>(conn, who, &fault, resource).await;
    match (A::RULE, who) {
        // The policy has let the key in, and its maker's rights do not suffice: like every 403 of a key this one says what
        // the route asks for and what the key has.
        (Rule::Api(scope) | Rule::ApiOrEvidence(scope, _), Principal::ApiKey(caller))
            if fault.kind() == Kind::Forbidden =>
        {
            fault.with("requiredScope", scope.as_str()).with("grantedScopes", json!(caller.scopes()))
        }
        _ => fault,
    }
}

/// The answer is the refusal in any case: a database that cannot take the entry must not turn it into another one.
async fn note_refusal<A: Action>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    (resource_kind, resource_id): (&'static str, String),
) {
    let actor = who.actor();
    let event = AuditEvent {
        tenant: who.tenant(),
        actor: &actor,
        action: "ACCESS_REFUSED",
        resource_kind,
        resource_id,
        outcome: Outcome::Refused,
        detail: json!({ "attempted": A::NAME, "needs": A::RULE.to_string() }),
    };
    let noted = transaction("audit.refusal", conn, async |conn: &mut AsyncPgConnection| {
        audit::record(conn, &event).await
    })
    .await;
    if let Err(fault) = noted {
        tracing::error!(error = %Chain(&fault), attempted = A::NAME, "a refusal is missing in the audit");
    }
}

/// A permit for the caller's own tenant.
pub async fn to_own_tenant<A: Action<On = OnTenant>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
) -> Result<Permit<A>> {
    let tenant = tenant(who)?.clone();
    let resource = ("tenant", tenant.to_string());
    judged(conn, who, OnTenant(tenant), resource).await
}

/// A permit for a brand. Another tenant's brand is 404, one's own without the role 403.
pub async fn to_brand<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: BrandId,
) -> Result<Permit<A>> {
    let on = scopes::of_brand(conn, tenant(who)?, id).await?;
    judged(conn, who, on, ("brand", id.to_string())).await
}

/// A permit for the brand that a product belongs to.
pub async fn to_product<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: ProductId,
) -> Result<Permit<A>> {
    let on = scopes::of_product(conn, tenant(who)?, id).await?;
    judged(conn, who, on, ("product", id.to_string())).await
}

/// A permit for the brand that a batch belongs to.
pub async fn to_batch<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: BatchId,
) -> Result<Permit<A>> {
    let on = scopes::of_batch(conn, tenant(who)?, id).await?;
    judged(conn, who, on, ("batch", id.to_string())).await
}

/// A permit for the brand that an export belongs to.
pub async fn to_export<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: ExportId,
) -> Result<Permit<A>> {
    let on = scopes::of_export(conn, tenant(who)?, id).await?;
    judged(conn, who, on, ("export", id.to_string())).await
}
