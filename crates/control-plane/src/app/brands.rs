//! Brands: created by tenant administrators, seen by whoever has a role for them.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::Principal;
use mintmark_auth::policy::{OnTenant, authorize};
use mintmark_db::{Pool, transaction};
use mintmark_fault::Result;
use mintmark_ids::BrandId;
use serde_json::json;

use super::{access, check};
use crate::store::brands::{self, Brand};
use crate::store::page::{Slice, Window};

/// What people do with brands.
#[derive(Clone)]
pub struct Brands {
    pool: Pool,
}

impl Brands {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Brands { pool }
    }

    /// Creates a brand; its creator becomes its Owner in the same transaction.
    pub async fn create(&self, who: &Principal, name: &str) -> Result<Brand> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_own_tenant(&mut conn, who).await?;
        let owner = access::session(who)?.user();
        check::name("name", name)?;
        transaction("brand.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            let brand = brands::insert(conn, &permit, owner, name).await?;
            let subject = ("brand", brand.id);
            let act = AuditEvent::allowed(
                Some(permit.tenant()),
                permit.actor(),
                "BRAND_CREATED",
                subject,
                json!({}),
            );
            audit::record(conn, &act).await?;
            Ok(brand)
        })
        .await
    }

    /// The brands that the caller has a role for, newest first.
    pub async fn list(&self, who: &Principal, window: Window) -> Result<Slice<Brand>> {
        let permit = authorize(who, OnTenant(access::tenant(who)?.clone()))?;
        let user = access::session(who)?.user();
        let mut conn = self.pool.get().await?;
        brands::list(&mut conn, &permit, user, window).await
    }

    /// One brand.
    pub async fn find(&self, who: &Principal, id: BrandId) -> Result<Brand> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand(&mut conn, who, id).await?;
        brands::find(&mut conn, &permit).await
    }
}
