//! Sessions: the operator has one made for a person.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::policy::{OnPlatform, OnTenant, authorize};
use mintmark_auth::{Minted, Principal, SessionMinter};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::UserId;
use serde_json::json;

use crate::store::users;

/// Makes sessions.
#[derive(Clone)]
pub struct Sessions {
    pool: Pool,
    minter: Arc<SessionMinter>,
    max_ttl: Duration,
}

impl Sessions {
    /// Sessions live at most `max_ttl`, which is also what they get when nothing is asked.
    pub fn new(pool: Pool, minter: Arc<SessionMinter>, max_ttl: Duration) -> Self {
        Sessions { pool, minter, max_ttl }
    }

    /// Makes a session for a person who may enter: 404 for nobody, 409 `USER_DISABLED` for one who is shut out.
    pub async fn create(&self, who: &Principal, user: UserId, ttl_secs: Option<u64>) -> Result<Minted> {
        let finding = authorize(who, OnPlatform)?;
        let ttl = self.ttl(ttl_secs)?;
        let mut conn = self.pool.get().await?;
        let tenant =
            users::tenant_of(&mut conn, &finding, user).await.map_err(|fault| fault.field("userId"))?;
        let permit = authorize(who, OnTenant(tenant))?;
        let user = users::find(&mut conn, &permit, user).await?;
        if user.disabled_at.is_some() {
            return Err(
                Fault::conflict("USER_DISABLED", "this user is disabled: enable it first").field("userId")
            );
        }
        let minted = self.minter.mint(user.id, &user.tenant, ttl);
        transaction("session.mint", &mut conn, async |conn: &mut AsyncPgConnection| {
            let detail = json!({ "expiresAt": minted.expires_at() });
            let (of, by) = (Some(permit.tenant()), permit.actor());
            let act = AuditEvent::allowed(of, by, "SESSION_MINTED", ("user", user.id), detail);
            audit::record(conn, &act).await
        })
        .await?;
        Ok(minted)
    }

    fn ttl(&self, asked_secs: Option<u64>) -> Result<Duration> {
        let max = self.max_ttl.as_secs();
        match asked_secs {
            None => Ok(self.max_ttl),
            Some(secs) if (1..=max).contains(&secs) => Ok(Duration::from_secs(secs)),
            Some(_) => Err(Fault::invalid(
                "TTL_OUT_OF_RANGE",
                "ttlSecs",
                format!("ttlSecs is a number of seconds from 1 to {max}"),
            )),
        }
    }
}
