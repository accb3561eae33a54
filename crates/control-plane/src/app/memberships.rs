//! Roles: granted and taken away by the operator.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::action::AdministerTenant;
use mintmark_auth::policy::{Action, OnPlatform, OnTenant, Permit, authorize};
use mintmark_auth::{BrandRole, EvidenceRole, Principal};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BrandId, MembershipId, TenantId, UserId};
use serde_json::json;

use crate::store::memberships::{self, Grant, Membership};
use crate::store::page::{Slice, Window};
use crate::store::{tenants, users};

/// What the operator does with roles.
#[derive(Clone)]
pub struct Memberships {
    pool: Pool,
}

impl Memberships {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Memberships { pool }
    }

    /// Grants a role to a person, in the person's tenant.
    pub async fn create(
        &self,
        who: &Principal,
        user: UserId,
        brand: Option<BrandId>,
        role: &str,
    ) -> Result<Membership> {
        let finding = authorize(who, OnPlatform)?;
        let grant = grant(brand, role)?;
        let mut conn = self.pool.get().await?;
        let tenant =
            users::tenant_of(&mut conn, &finding, user).await.map_err(|fault| fault.field("userId"))?;
        let permit = authorize::<AdministerTenant>(who, OnTenant(tenant))?;
        transaction("membership.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            let made = memberships::insert(conn, &permit, user, grant).await?;
            audit::record(conn, &act(&permit, "MEMBERSHIP_GRANTED", &made)).await?;
            Ok(made)
        })
        .await
    }

    /// The roles of one person, newest first.
    pub async fn of_user(&self, who: &Principal, user: UserId, window: Window) -> Result<Slice<Membership>> {
        let finding = authorize(who, OnPlatform)?;
        let mut conn = self.pool.get().await?;
        let tenant = users::tenant_of(&mut conn, &finding, user).await?;
        let permit = authorize(who, OnTenant(tenant))?;
        memberships::list(&mut conn, &permit, Some(user), window).await
    }

    /// The roles of everybody in a tenant, newest first.
    pub async fn of_tenant(
        &self,
        who: &Principal,
        tenant: TenantId,
        window: Window,
    ) -> Result<Slice<Membership>> {
        let permit = authorize(who, OnTenant(tenant))?;
        let mut conn = self.pool.get().await?;
        tenants::find(&mut conn, &permit).await?;
        memberships::list(&mut conn, &permit, None, window).await
    }

    /// Takes a role away; it is gone at the person's next request.
    pub async fn delete(&self, who: &Principal, id: MembershipId) -> Result<()> {
        let finding = authorize(who, OnPlatform)?;
        let mut conn = self.pool.get().await?;
        let tenant = memberships::tenant_of(&mut conn, &finding, id).await?;
        let permit = authorize::<AdministerTenant>(who, OnTenant(tenant))?;
        transaction("membership.delete", &mut conn, async |conn: &mut AsyncPgConnection| {
            let gone = memberships::delete(conn, &permit, id).await?;
            audit::record(conn, &act(&permit, "MEMBERSHIP_REMOVED", &gone)).await?;
            Ok(())
        })
        .await
    }
}

pub(super) fn act<'a, A: Action<On = OnTenant>>(
    permit: &'a Permit<A>,
    action: &'static str,
    membership: &Membership,
) -> AuditEvent<'a> {
    let grant = membership.grant;
    let detail = json!({ "userId": membership.user, "brandId": grant.brand(), "role": grant.to_string() });
    AuditEvent::allowed(Some(permit.tenant()), permit.actor(), action, ("membership", membership.id), detail)
}

/// A brand's roles need a brand; the evidence roles hold for the tenant and must not name one.
pub(super) fn grant(brand: Option<BrandId>, role: &str) -> Result<Grant> {
    match (brand, role.parse::<BrandRole>(), role.parse::<EvidenceRole>()) {
        (Some(brand), Ok(role), _) => Ok(Grant::Brand(brand, role)),
        (None, _, Ok(role)) => Ok(Grant::Evidence(role)),
        (None, Ok(_), _) => Err(Fault::invalid(
            "BRAND_REQUIRED",
            "brandId",
            "owner, admin and member are roles for one brand: say which in brandId",
        )),
        (Some(_), _, Ok(_)) => Err(Fault::invalid(
            "BRAND_NOT_ALLOWED",
            "brandId",
            "USER, ARBITRATOR and GOVERNANCE hold for the whole tenant: leave brandId out",
        )),
        (_, Err(_), Err(_)) => Err(Fault::invalid(
            "ROLE_UNKNOWN",
            "role",
            "role is one of owner, admin, member, USER, ARBITRATOR and GOVERNANCE",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grant_fits_roles_to_brands() {
        let brand = BrandId::new();
        for (given, role, code) in [
            (Some(brand), "owner", None),
            (Some(brand), "Member", None),
            (None, "ARBITRATOR", None),
            (None, "admin", Some("BRAND_REQUIRED")),
            (Some(brand), "USER", Some("BRAND_NOT_ALLOWED")),
            (Some(brand), "emperor", Some("ROLE_UNKNOWN")),
            (None, "", Some("ROLE_UNKNOWN")),
        ] {
            let refused = grant(given, role).err().map(|fault| fault.code().to_owned());
            assert_eq!(refused.as_deref(), code, "{role}");
        }
    }
}
