//! Which brand does this thing belong to? The one question that comes before the policy can answer.
//!
//! Each lookup is bound to the tenant of the caller, so another tenant's thing is simply not there, and returns the
//! target of an authorisation, never a row.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::policy::OnBrand;
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{BatchId, BrandId, ExportId, ProductId, TenantId, UserId};
use uuid::Uuid;

use super::schema::{app_user, batch, brand, export, product};

/// The brand itself, when it is the tenant's; else 404.
pub async fn of_brand(conn: &mut AsyncPgConnection, tenant: &TenantId, id: BrandId) -> Result<OnBrand> {
    let found: Uuid = brand::table
        .filter(brand::tenant_id.eq(tenant.as_str()))
        .filter(brand::id.eq(id.as_uuid()))
        .select(brand::id)
        .first(conn)
        .await
        .or_not_found("brand")?;
    Ok(on(tenant, found))
}

/// Whether the person is the tenant's; else 404.
pub async fn has_user(conn: &mut AsyncPgConnection, tenant: &TenantId, id: UserId) -> Result<()> {
    let _: Uuid = app_user::table
        .filter(app_user::tenant_id.eq(tenant.as_str()))
        .filter(app_user::id.eq(id.as_uuid()))
        .select(app_user::id)
        .first(conn)
        .await
        .or_not_found("user")?;
    Ok(())
}

/// The brand of a product of the tenant; else 404.
pub async fn of_product(conn: &mut AsyncPgConnection, tenant: &TenantId, id: ProductId) -> Result<OnBrand> {
    let found: Uuid = product::table
        .filter(product::tenant_id.eq(tenant.as_str()))
        .filter(product::id.eq(id.as_uuid()))
        .select(product::brand_id)
        .first(conn)
        .await
        .or_not_found("product")?;
    Ok(on(tenant, found))
}

/// The brand of a batch of the tenant; else 404.
pub async fn of_batch(conn: &mut AsyncPgConnection, tenant: &TenantId, id: BatchId) -> Result<OnBrand> {
    let found: Uuid = batch::table
        .filter(batch::tenant_id.eq(tenant.as_str()))
        .filter(batch::id.eq(id.as_uuid()))
        .select(batch::brand_id)
        .first(conn)
        .await
        .or_not_found("batch")?;
    Ok(on(tenant, found))
}

/// The brand of an export of the tenant; else 404.
pub async fn of_export(conn: &mut AsyncPgConnection, tenant: &TenantId, id: ExportId) -> Result<OnBrand> {
    let found: Uuid = export::table
        .filter(export::tenant_id.eq(tenant.as_str()))
        .filter(export::id.eq(id.as_uuid()))
        .select(export::brand_id)
        .first(conn)
        .await
        .or_not_found("export")?;
    Ok(on(tenant, found))
}

fn on(tenant: &TenantId, brand: Uuid) -> OnBrand {
    OnBrand { tenant: tenant.clone(), brand: BrandId::from_uuid(brand) }
}
