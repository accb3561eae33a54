//! Tenants: created, listed, renamed and moved between tiers by the operator.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::policy::{OnPlatform, OnTenant, authorize};
use mintmark_auth::{Principal, Tier};
use mintmark_db::{Pool, transaction};
use mintmark_fault::Result;
use mintmark_ids::TenantId;
use serde_json::json;

use super::check;
use crate::store::page::{Slice, Window};
use crate::store::tenants::{self, Tenant, TenantChange};

/// What the operator does with tenants.
#[derive(Clone)]
pub struct Tenants {
    pool: Pool,
}

impl Tenants {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Tenants { pool }
    }

    /// Creates a tenant with a slug of the operator's choice.
    pub async fn create(&self, who: &Principal, id: &str, name: &str, tier: Tier) -> Result<Tenant> {
        let permit = authorize(who, OnPlatform)?;
        let id = check::tenant_id("id", id)?;
        check::name("name", name)?;
        let mut conn = self.pool.get().await?;
        transaction("tenant.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            let tenant = tenants::insert(conn, &permit, &id, name, tier).await?;
            let detail = json!({ "tier": tenant.tier.as_str() });
            let act =
                AuditEvent::allowed(Some(&id), permit.actor(), "TENANT_CREATED", ("tenant", &id), detail);
            audit::record(conn, &act).await?;
            Ok(tenant)
        })
        .await
    }

    /// All tenants, newest first.
    pub async fn list(&self, who: &Principal, window: Window) -> Result<Slice<Tenant>> {
        let permit = authorize(who, OnPlatform)?;
        let mut conn = self.pool.get().await?;
        tenants::list(&mut conn, &permit, window).await
    }

    /// One tenant.
    pub async fn find(&self, who: &Principal, id: TenantId) -> Result<Tenant> {
        let permit = authorize(who, OnTenant(id))?;
        let mut conn = self.pool.get().await?;
        tenants::find(&mut conn, &permit).await
    }

    /// Changes a tenant's name or tier.
    pub async fn update(&self, who: &Principal, id: TenantId, change: TenantChange) -> Result<Tenant> {
        let permit = authorize(who, OnTenant(id))?;
        if let Some(name) = &change.name {
            check::name("name", name)?;
        }
        let mut conn = self.pool.get().await?;
        transaction("tenant.update", &mut conn, async |conn: &mut AsyncPgConnection| {
            let tenant = tenants::update(conn, &permit, &change).await?;
            let detail =
                json!({ "nameChanged": change.name.is_some(), "tier": change.tier.map(Tier::as_str) });
            let (of, by) = (permit.tenant(), permit.actor());
            let act = AuditEvent::allowed(Some(of), by, "TENANT_UPDATED", ("tenant", of), detail);
            audit::record(conn, &act).await?;
            Ok(tenant)
        })
        .await
    }
}
