//! People: created, listed, changed and shut out by the operator.

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::Principal;
use mintmark_auth::action::AdministerTenant;
use mintmark_auth::policy::{OnPlatform, OnTenant, Permit, authorize};
use mintmark_db::{Pool, transaction};
use mintmark_fault::Result;
use mintmark_ids::{TenantId, UserId};
use serde_json::{Value, json};

use super::check;
use crate::store::page::{Slice, Window};
use crate::store::tenants;
use crate::store::users::{self, NewUser, User, UserChange};

/// What the operator does with people.
#[derive(Clone)]
pub struct Users {
    pool: Pool,
}

impl Users {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Users { pool }
    }

    /// Creates a person in a tenant.
    pub async fn create(&self, who: &Principal, tenant: TenantId, new: NewUser) -> Result<User> {
        let permit = authorize(who, OnTenant(tenant))?;
        check::email("email", &new.email)?;
        check::name("name", &new.name)?;
        let mut conn = self.pool.get().await?;
        tenants::find(&mut conn, &permit).await.map_err(|fault| fault.field("tenantId"))?;
        transaction("user.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            let user = users::insert(conn, &permit, &new).await?;
            let detail = json!({ "tenantAdmin": user.tenant_admin });
            audit::record(conn, &act(&permit, "USER_CREATED", user.id, detail)).await?;
            Ok(user)
        })
        .await
    }

    /// The people of a tenant, newest first.
    pub async fn list(&self, who: &Principal, tenant: TenantId, window: Window) -> Result<Slice<User>> {
        let permit = authorize(who, OnTenant(tenant))?;
        let mut conn = self.pool.get().await?;
        tenants::find(&mut conn, &permit).await?;
        users::list(&mut conn, &permit, window).await
    }

    /// Changes a person. Disabling takes effect at the person's next request.
    pub async fn update(&self, who: &Principal, id: UserId, change: UserChange) -> Result<User> {
        let finding = authorize(who, OnPlatform)?;
        if let Some(name) = &change.name {
            check::name("name", name)?;
        }
        let mut conn = self.pool.get().await?;
        let tenant = users::tenant_of(&mut conn, &finding, id).await?;
        let permit = authorize(who, OnTenant(tenant))?;
        transaction("user.update", &mut conn, async |conn: &mut AsyncPgConnection| {
            let user = users::update(conn, &permit, id, &change).await?;
            let detail = json!({
                "nameChanged": change.name.is_some(),
                "tenantAdmin": change.tenant_admin,
                "disabled": change.disabled,
            });
            audit::record(conn, &act(&permit, "USER_UPDATED", id, detail)).await?;
            Ok(user)
        })
        .await
    }
}

fn act<'a>(
    permit: &'a Permit<AdministerTenant>,
    action: &'static str,
    user: UserId,
    detail: Value,
) -> AuditEvent<'a> {
    AuditEvent::allowed(Some(permit.tenant()), permit.actor(), action, ("user", user), detail)
}
