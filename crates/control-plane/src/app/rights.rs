//! What the policy says about a request that cannot be carried out anyway: who may not do a thing is told that, and not what
//! is wrong with the request (`mintmark_web::Later`).

use mintmark_auth::Principal;
use mintmark_auth::policy::{Action, OnBrand, OnTenant};
use mintmark_db::Pool;
use mintmark_fault::Result;
use mintmark_ids::{BatchId, BrandId, DisputeId, EvidenceId, ProductId, UserId};

use super::access;
use crate::store::{disputes, scopes};

/// Asks the policy, and gives no permit away.
#[derive(Clone)]
pub struct Rights {
    pool: Pool,
}

impl Rights {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Rights { pool }
    }

    /// Whether the caller may do `A` in their own tenant.
    pub async fn tenant<A: Action<On = OnTenant>>(&self, who: &Principal) -> Result<()> {
        access::to_own_tenant::<A>(&mut *self.pool.get().await?, who).await.map(drop)
    }

    /// Whether the caller may do `A`, and the person is of their tenant.
    pub async fn user<A: Action<On = OnTenant>>(&self, who: &Principal, id: UserId) -> Result<()> {
        self.tenant::<A>(who).await?;
        scopes::has_user(&mut *self.pool.get().await?, access::tenant(who)?, id).await
    }

    /// Whether the caller may do `A`, and the dispute is of their tenant.
    pub async fn dispute<A: Action<On = OnTenant>>(&self, who: &Principal, id: DisputeId) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_own_tenant::<A>(&mut conn, who).await?;
        disputes::find(&mut conn, &permit, id).await.map(drop)
    }

    /// Whether the caller may do `A`, and the record is of their tenant.
    pub async fn evidence<A: Action<On = OnTenant>>(&self, who: &Principal, id: EvidenceId) -> Result<()> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_own_tenant::<A>(&mut conn, who).await?;
        disputes::of_evidence(&mut conn, &permit, id).await.map(drop)
    }

    /// Whether the caller may do `A` to a brand.
    pub async fn brand<A: Action<On = OnBrand>>(&self, who: &Principal, id: BrandId) -> Result<()> {
        access::to_brand::<A>(&mut *self.pool.get().await?, who, id).await.map(drop)
    }

    /// Whether the caller may do `A` to a product.
    pub async fn product<A: Action<On = OnBrand>>(&self, who: &Principal, id: ProductId) -> Result<()> {
        access::to_product::<A>(&mut *self.pool.get().await?, who, id).await.map(drop)
    }

    /// Whether the caller may do `A` to a batch.
    pub async fn batch<A: Action<On = OnBrand>>(&self, who: &Principal, id: BatchId) -> Result<()> {
        access::to_batch::<A>(&mut *self.pool.get().await?, who, id).await.map(drop)
    }
}
