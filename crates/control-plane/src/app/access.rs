//! From "this person asks for that thing" to a permit for the thing's brand.

use diesel_async::AsyncPgConnection;
use mintmark_auth::policy::{Action, OnBrand, Permit, authorize};
use mintmark_auth::{Principal, Session};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, BrandId, ExportId, ProductId, TenantId};

use crate::store::scopes;

/// The tenant whose things the caller may see at all; 401 for a caller that belongs to none.
pub fn tenant(who: &Principal) -> Result<&TenantId> {
    who.tenant().ok_or_else(Fault::unauthenticated)
}

/// The person behind the request; 401 when it is none.
pub fn session(who: &Principal) -> Result<&Session> {
    match who {
        Principal::Session(session) => Ok(session),
        Principal::Control(_) | Principal::Service(_) => Err(Fault::unauthenticated()),
    }
}

/// A permit for a brand. Another tenant's brand is 404, one's own without the role 403.
pub async fn to_brand<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: BrandId,
) -> Result<Permit<A>> {
    authorize(who, scopes::of_brand(conn, tenant(who)?, id).await?)
}

/// A permit for the brand that a product belongs to.
pub async fn to_product<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: ProductId,
) -> Result<Permit<A>> {
    authorize(who, scopes::of_product(conn, tenant(who)?, id).await?)
}

/// A permit for the brand that a batch belongs to.
pub async fn to_batch<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: BatchId,
) -> Result<Permit<A>> {
    authorize(who, scopes::of_batch(conn, tenant(who)?, id).await?)
}

/// A permit for the brand that an export belongs to.
pub async fn to_export<A: Action<On = OnBrand>>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: ExportId,
) -> Result<Permit<A>> {
    authorize(who, scopes::of_export(conn, tenant(who)?, id).await?)
}
