//! Tenants.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Tier;
use mintmark_auth::action::{AdministerTenant, ManageTenants};
use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::tenant;
use super::stored;

/// A tenant as it stands.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// The slug that its operator chose.
    pub id: TenantId,
    /// What people call it.
    pub name: String,
    /// What it pays for; the bound of its API keys' tiers.
    pub tier: Tier,
    /// When it was created.
    pub created_at: DateTime<Utc>,
}

/// What of a tenant can change; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct TenantChange {
    /// A new name.
    pub name: Option<String>,
    /// A new tier.
    pub tier: Option<Tier>,
}

type Row = (String, Uuid, String, String, DateTime<Utc>);

fn read((id, _, name, tier, created_at): Row) -> Result<Tenant> {
    Ok(Tenant {
        id: stored("tenant.id", TenantId::parse(&id))?,
        name,
        tier: stored("tenant.tier", tier.parse())?,
        created_at,
    })
}

/// Creates a tenant. 409 `TENANT_EXISTS` when the slug is taken.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    _permit: &Permit<ManageTenants>,
    id: &TenantId,
    name: &str,
    tier: Tier,
) -> Result<Tenant> {
    let row: Row = diesel::insert_into(tenant::table)
        .values((
            tenant::id.eq(id.as_str()),
            tenant::listing_id.eq(Uuid::now_v7()),
            tenant::name.eq(name),
            tenant::tier.eq(tier.as_str()),
        ))
        .returning(tenant::all_columns)
        .get_result(conn)
        .await
        .or_conflict("tenant_pkey", || {
            Fault::conflict("TENANT_EXISTS", "a tenant with this id exists already: choose another id")
                .field("id")
        })?;
    read(row)
}

/// All tenants, newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    _permit: &Permit<ManageTenants>,
    window: Window,
) -> Result<Slice<Tenant>> {
    let rows: Vec<Row> = tenant::table
        .filter(tenant::listing_id.lt(window.below()))
        .order(tenant::listing_id.desc())
        .limit(window.probe())
        .load(conn)
        .await
        .or_fault()?;
    let slice = window.cut(rows, |row| row.1);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    Ok(Slice { items, next })
}

/// The tenant that the permit names.
pub async fn find(conn: &mut AsyncPgConnection, permit: &Permit<AdministerTenant>) -> Result<Tenant> {
    let row: Row = tenant::table
        .filter(tenant::id.eq(permit.tenant().as_str()))
        .first(conn)
        .await
        .or_not_found("tenant")?;
    read(row)
}

/// The tier of the tenant that a permit names; whoever may act for a tenant may know what it pays for.
pub async fn tier<A: Action<On = OnTenant>>(
    conn: &mut AsyncPgConnection,
    permit: &Permit<A>,
) -> Result<Tier> {
    let tier: String = tenant::table
        .filter(tenant::id.eq(permit.tenant().as_str()))
        .select(tenant::tier)
        .first(conn)
        .await
        .or_not_found("tenant")?;
    stored("tenant.tier", tier.parse())
}

/// Changes the tenant that the permit names.
pub async fn update(
    conn: &mut AsyncPgConnection,
    permit: &Permit<AdministerTenant>,
    change: &TenantChange,
) -> Result<Tenant> {
    if change.name.is_none() && change.tier.is_none() {
        return find(conn, permit).await;
    }
    let row: Row = diesel::update(tenant::table.filter(tenant::id.eq(permit.tenant().as_str())))
        .set((
            change.name.as_deref().map(|name| tenant::name.eq(name)),
            change.tier.map(|tier| tenant::tier.eq(tier.as_str())),
        ))
        .returning(tenant::all_columns)
        .get_result(conn)
        .await
        .or_not_found("tenant")?;
    read(row)
}
