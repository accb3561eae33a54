//! The brands of a tenant.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{CreateBrand, ListBrands, ViewBrand};
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{BrandId, UserId};
use uuid::Uuid;

use super::memberships;
use super::page::{Slice, Window};
use super::schema::{brand, membership};

/// A brand of a tenant.
#[derive(Clone, Debug)]
pub struct Brand {
    /// Its id.
    pub id: BrandId,
    /// What is printed and shown.
    pub name: String,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

type Row = (Uuid, String, DateTime<Utc>);
const COLUMNS: (brand::id, brand::name, brand::created_at) = (brand::id, brand::name, brand::created_at);

fn read((id, name, created_at): Row) -> Brand {
    Brand { id: BrandId::from_uuid(id), name, created_at }
}

/// Creates a brand and makes `owner` its Owner; call it inside a transaction, so that no brand stands without one.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    permit: &Permit<CreateBrand>,
    owner: UserId,
    name: &str,
) -> Result<Brand> {
    let row: Row = diesel::insert_into(brand::table)
        .values((
            brand::id.eq(BrandId::new().as_uuid()),
            brand::tenant_id.eq(permit.tenant().as_str()),
            brand::name.eq(name),
        ))
        .returning(COLUMNS)
        .get_result(conn)
        .await
        .or_fault()?;
    let created = read(row);
    memberships::insert_owner(conn, permit, owner, created.id).await?;
    Ok(created)
}

/// The brands that `user` has a role for, newest first: the ones that the same person may view.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ListBrands>,
    user: UserId,
    window: Window,
) -> Result<Slice<Brand>> {
    let tenant = permit.tenant().as_str();
    let mine = membership::table
        .filter(membership::tenant_id.eq(tenant))
        .filter(membership::user_id.eq(user.as_uuid()))
        .select(membership::brand_id);
    let rows: Vec<Row> = brand::table
        .filter(brand::tenant_id.eq(tenant))
        .filter(brand::id.nullable().eq_any(mine))
        .filter(brand::id.lt(window.below()))
        .order(brand::id.desc())
        .limit(window.probe())
        .select(COLUMNS)
        .load(conn)
        .await
        .or_fault()?;
    Ok(window.cut(rows, |row| row.0).map(read))
}

/// The brand that the permit names.
pub async fn find(conn: &mut AsyncPgConnection, permit: &Permit<ViewBrand>) -> Result<Brand> {
    let row: Row = brand::table
        .filter(brand::tenant_id.eq(permit.tenant().as_str()))
        .filter(brand::id.eq(permit.brand().as_uuid()))
        .select(COLUMNS)
        .first(conn)
        .await
        .or_not_found("brand")?;
    Ok(read(row))
}
