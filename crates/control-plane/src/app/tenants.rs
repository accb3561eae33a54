//! Tenants: created, listed, renamed and moved between tiers by the operator.

use mintmark_auth::policy::{OnPlatform, OnTenant, authorize};
use mintmark_auth::{Principal, Tier};
use mintmark_db::Pool;
use mintmark_fault::Result;
use mintmark_ids::TenantId;

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
        tenants::insert(&mut conn, &permit, &id, name, tier).await
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
        tenants::update(&mut conn, &permit, &change).await
    }
}
