//! What a person may do right now: asked once for each request, so that a removed role is gone at the next.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::Impersonate;
use mintmark_auth::api_scope::grantable;
use mintmark_auth::policy::Permit;
use mintmark_auth::{ApiScope, Impersonator, Standing, Tier, VerifiedSession, scope_satisfies};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{TenantId, UserId};
use uuid::Uuid;

use super::memberships::Grant;
use super::presented_keys;
use super::schema::{app_user, membership, tenant};
use super::stored;

/// The standing of the session's person, and the tenant's tier; none when the person is disabled or is not the tenant's.
///
/// Authentication comes before any permit, so the proof here is the verified session itself.
pub async fn of(conn: &mut AsyncPgConnection, session: &VerifiedSession) -> Result<Option<(Standing, Tier)>> {
    load(conn, session.tenant(), session.user()).await
}

/// The standing of a person of the permit's tenant, to be acted as: 404 for nobody, 409 `USER_DISABLED` for one who may not
/// enter.
pub async fn of_user(
    conn: &mut AsyncPgConnection,
    permit: &Permit<Impersonate>,
    user: UserId,
) -> Result<Standing> {
    if let Some((standing, _)) = load(conn, permit.tenant(), user).await? {
        return Ok(standing);
    }
    let _: Uuid = app_user::table
        .filter(app_user::tenant_id.eq(permit.tenant().as_str()))
        .filter(app_user::id.eq(user.as_uuid()))
        .select(app_user::id)
        .first(conn)
        .await
        .or_not_found("user")?;
    Err(Fault::conflict("USER_DISABLED", "this user is disabled: nobody can act as them"))
}

/// The standing of whoever acts as the session's person: of a key, that of its creator, and only as far as the key still
/// grants `admin:write`. None when that is gone: the session goes with it.
pub async fn of_impersonator(
    conn: &mut AsyncPgConnection,
    session: &VerifiedSession,
    by: Impersonator,
) -> Result<Option<Standing>> {
    let standing = match by {
        Impersonator::User(user) => load(conn, session.tenant(), user).await?.map(|(standing, _)| standing),
        Impersonator::ApiKey(key) => {
            let found =
                presented_keys::live(conn, key).await?.filter(|key| key.standing.tenant == *session.tenant());
            found
                .filter(|key| scope_satisfies(&key.standing.scopes, ApiScope::AdminWrite))
                .map(|key| key.standing.creator_standing)
        }
    };
    Ok(standing.filter(|held| scope_satisfies(grantable(held), ApiScope::AdminWrite)))
}

async fn load(conn: &mut AsyncPgConnection, of: &TenantId, user: UserId) -> Result<Option<(Standing, Tier)>> {
    type Row = (bool, String, Option<(Option<Uuid>, String)>);
    let rows: Vec<Row> = app_user::table
        .inner_join(tenant::table.on(tenant::id.eq(app_user::tenant_id)))
        .left_join(
            membership::table
                .on(membership::tenant_id.eq(app_user::tenant_id).and(membership::user_id.eq(app_user::id))),
        )
        .filter(app_user::tenant_id.eq(of.as_str()))
        .filter(app_user::id.eq(user.as_uuid()))
        .filter(app_user::disabled_at.is_null())
        .select((app_user::tenant_admin, tenant::tier, (membership::brand_id, membership::role).nullable()))
        .load(conn)
        .await
        .or_fault()?;
    let Some((tenant_admin, tier, _)) = rows.as_slice().first() else {
        return Ok(None);
    };
    let mut standing = Standing { tenant_admin: *tenant_admin, brands: Vec::new(), evidence: Vec::new() };
    for (brand, role) in rows.iter().filter_map(|(.., held)| held.as_ref()) {
        match Grant::read(*brand, role)? {
            Grant::Brand(brand, role) => standing.brands.push((brand, role)),
            Grant::Evidence(role) => standing.evidence.push(role),
        }
    }
    Ok(Some((standing, stored("tenant.tier", tier.parse())?)))
}
