//! What a person may do right now: asked once for each request, so that a removed role is gone at the next.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::{Standing, VerifiedSession};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use uuid::Uuid;

use super::memberships::Grant;
use super::schema::{app_user, membership};

/// The standing of the session's person; none when the person is disabled or is not the tenant's.
///
/// Authentication comes before any permit, so the proof here is the verified session itself.
pub async fn of(conn: &mut AsyncPgConnection, session: &VerifiedSession) -> Result<Option<Standing>> {
    type Row = (bool, Option<(Option<Uuid>, String)>);
    let rows: Vec<Row> = app_user::table
        .left_join(
            membership::table
                .on(membership::tenant_id.eq(app_user::tenant_id).and(membership::user_id.eq(app_user::id))),
        )
        .filter(app_user::tenant_id.eq(session.tenant().as_str()))
        .filter(app_user::id.eq(session.user().as_uuid()))
        .filter(app_user::disabled_at.is_null())
        .select((app_user::tenant_admin, (membership::brand_id, membership::role).nullable()))
        .load(conn)
        .await
        .or_fault()?;
    let Some((tenant_admin, _)) = rows.as_slice().first() else {
        return Ok(None);
    };
    let mut standing = Standing { tenant_admin: *tenant_admin, brands: Vec::new(), evidence: Vec::new() };
    for (brand, role) in rows.iter().filter_map(|(_, held)| held.as_ref()) {
        match Grant::read(*brand, role)? {
            Grant::Brand(brand, role) => standing.brands.push((brand, role)),
            Grant::Evidence(role) => standing.evidence.push(role),
        }
    }
    Ok(Some(standing))
}
