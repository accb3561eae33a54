//! API keys: made by people for their programs, never with more rights than whoever makes them.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_audit::{self as audit, AuditEvent};
use mintmark_auth::action::{CreateApiKey, ManageApiKey, RevokeAnyKey, ViewApiKeys};
use mintmark_auth::api_scope::grantable;
use mintmark_auth::policy::{Action, OnTenant, Permit};
use mintmark_auth::{ApiScope, IssuedKey, KeyEnvironment, Principal, Session, Tier, scope_satisfies};
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{ApiKeyId, UserId};
use serde_json::json;

use super::{access, check};
use crate::store::api_keys::{self, ApiKey, NewApiKey};
use crate::store::page::{Slice, Window};
use crate::store::tenants;

/// What people do with API keys.
#[derive(Clone)]
pub struct ApiKeys {
    pool: Pool,
    environment: KeyEnvironment,
}

/// What is asked of a new key.
#[derive(Clone, Debug)]
pub struct KeyOrder {
    /// What people will call it.
    pub name: String,
    /// What it may do: at least one scope, none that its maker could not grant.
    pub scopes: Vec<ApiScope>,
    /// How much; the tenant's tier when left out, never a higher one.
    pub tier: Option<Tier>,
    /// When it ends by itself; never when left out.
    pub expires_at: Option<DateTime<Utc>>,
}

/// What a rotation changes; what is left out stays.
#[derive(Clone, Debug, Default)]
pub struct Rotation {
    /// The same scopes or fewer.
    pub scopes: Option<Vec<ApiScope>>,
    /// The same tier or a lower one.
    pub tier: Option<Tier>,
    /// The same end or an earlier one.
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key with its text, which is shown this once.
#[derive(Debug)]
pub struct FreshKey {
    /// What is stored.
    pub key: ApiKey,
    /// What is not.
    pub issued: IssuedKey,
}

impl ApiKeys {
    /// Keys are made for `environment` and open nothing elsewhere.
    pub fn new(pool: Pool, environment: KeyEnvironment) -> Self {
        ApiKeys { pool, environment }
    }

    /// Makes a key. 403 names the first scope that the caller may not grant.
    pub async fn create(&self, who: &Principal, order: KeyOrder) -> Result<FreshKey> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<CreateApiKey> = access::to_own_tenant(&mut conn, who).await?;
        let session = access::session(who)?;
        check::name("name", &order.name)?;
        check_scopes(&order.scopes)?;
        check_expiry(order.expires_at)?;
        let resource = ("tenant", permit.tenant().to_string());
        within_rights::<CreateApiKey>(&mut conn, who, session, &order.scopes, resource).await?;
        let ceiling = tenants::tier(&mut conn, &permit).await?;
        let tier = order.tier.unwrap_or(ceiling);
        if tier > ceiling {
            let sentence = format!("the tenant's tier is {ceiling}: a key cannot have a higher one");
            return Err(Fault::invalid("TIER_TOO_HIGH", "tier", sentence));
        }
        let KeyOrder { name, scopes, expires_at, .. } = order;
        let new = NewApiKey { creator: session.user(), name, scopes, tier, expires_at };
        let issued = IssuedKey::generate(self.environment);
        let key = transaction("api_key.create", &mut conn, async |conn: &mut AsyncPgConnection| {
            let key = api_keys::insert(conn, &permit, &issued, self.environment, &new).await?;
            audit::record(conn, &act(&permit, "API_KEY_CREATED", &key)).await?;
            Ok(key)
        })
        .await?;
        Ok(FreshKey { key, issued })
    }

    /// The caller's keys, newest first; for a tenant administrator everybody's.
    pub async fn list(&self, who: &Principal, window: Window) -> Result<Slice<ApiKey>> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ViewApiKeys> = access::to_own_tenant(&mut conn, who).await?;
        api_keys::list(&mut conn, &permit, reach(access::session(who)?), window).await
    }

    /// One of them.
    pub async fn find(&self, who: &Principal, id: ApiKeyId) -> Result<ApiKey> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ViewApiKeys> = access::to_own_tenant(&mut conn, who).await?;
        let key = api_keys::find(&mut conn, &permit, id).await?;
        let judgement = reaches(Some(access::session(who)?), &key);
        noted::<ViewApiKeys, _>(&mut conn, who, id, judgement).await?;
        Ok(key)
    }

    /// Puts a fresh key in the place of one that is in force. The old key is revoked in the same transaction.
    ///
    /// The fresh key is the caller's own, whoever made the old one: the caller is who sees it.
    ///
    /// 403 when the key would have a scope that the old one had not, or that the caller may not grant; 409 for a key that
    /// is revoked or expired.
    pub async fn rotate(&self, who: &Principal, id: ApiKeyId, rotation: Rotation) -> Result<FreshKey> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ManageApiKey> = access::to_own_tenant(&mut conn, who).await?;
        let session = access::session(who)?;
        if let Some(scopes) = &rotation.scopes {
            check_scopes(scopes)?;
        }
        check_expiry(rotation.expires_at)?;
        let issued = IssuedKey::generate(self.environment);
        let rotated = transaction("api_key.rotate", &mut conn, async |conn: &mut AsyncPgConnection| {
            let old = api_keys::lock(conn, &permit, id).await?;
            reaches(Some(session), &old)?;
            let new = rotated(&old, &rotation, session)?;
            let made = api_keys::replace(conn, &permit, &old, &issued, self.environment, &new).await?;
            audit::record(conn, &act(&permit, "API_KEY_ROTATED", &old).with_detail("replacedBy", made.id))
                .await?;
            audit::record(conn, &act(&permit, "API_KEY_CREATED", &made)).await?;
            Ok(made)
        })
        .await;
        let key = noted::<ManageApiKey, _>(&mut conn, who, id, rotated).await?;
        Ok(FreshKey { key, issued })
    }

    /// Revokes a key of the caller's own, or as a tenant administrator any. No request that begins after this has answered
    /// is let in with it, on any replica: each one asks the database.
    pub async fn revoke(&self, who: &Principal, id: ApiKeyId) -> Result<ApiKey> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<ManageApiKey> = access::to_own_tenant(&mut conn, who).await?;
        let revoked = self.revoke_under(&mut conn, &permit, Some(access::session(who)?), id).await;
        noted::<ManageApiKey, _>(&mut conn, who, id, revoked).await
    }

    /// Revokes any key of the tenant (`admin:write`).
    pub async fn revoke_any(&self, who: &Principal, id: ApiKeyId) -> Result<ApiKey> {
        let mut conn = self.pool.get().await?;
        let permit: Permit<RevokeAnyKey> = access::to_own_tenant(&mut conn, who).await?;
        self.revoke_under(&mut conn, &permit, None, id).await
    }

    async fn revoke_under<A: Action<On = OnTenant>>(
        &self,
        conn: &mut AsyncPgConnection,
        permit: &Permit<A>,
        session: Option<&Session>,
        id: ApiKeyId,
    ) -> Result<ApiKey> {
        transaction("api_key.revoke", conn, async |conn: &mut AsyncPgConnection| {
            let key = api_keys::lock(conn, permit, id).await?;
            reaches(session, &key)?;
            let revoked = api_keys::revoke(conn, permit, &key).await?;
            if key.revoked_at.is_none() {
                audit::record(conn, &act(permit, "API_KEY_REVOKED", &revoked)).await?;
            }
            Ok(revoked)
        })
        .await
    }
}

/// A key of one's own tenant that is a colleague's: 403, unless one administers the tenant or has come with `admin:write`.
fn reaches(session: Option<&Session>, key: &ApiKey) -> Result<()> {
    match session.and_then(reach) {
        Some(own) if own != key.creator => Err(Fault::forbidden(
            "FORBIDDEN",
            "this key is a colleague's: its maker or a tenant administrator may",
        )
        .with("requiredRole", "tenantAdmin")
        .with("grantedRoles", json!([]))),
        _ => Ok(()),
    }
}

/// Puts a refusal into the audit.
async fn noted<A: Action, T>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    id: ApiKeyId,
    outcome: Result<T>,
) -> Result<T> {
    if let Err(fault) = &outcome {
        access::note_if_forbidden::<A>(conn, who, fault, ("api_key", id.to_string())).await;
    }
    outcome
}

/// Whose keys a person reaches: a tenant administrator all, everybody else their own.
fn reach(session: &Session) -> Option<UserId> {
    (!session.standing().tenant_admin).then(|| session.user())
}

fn check_scopes(scopes: &[ApiScope]) -> Result<()> {
    let sentence = "name at least one scope, and each of them once";
    let twice = scopes.iter().enumerate().any(|(at, scope)| scopes[..at].contains(scope));
    if scopes.is_empty() || twice {
        return Err(Fault::invalid("SCOPES_INVALID", "scopes", sentence));
    }
    Ok(())
}

fn check_expiry(expires_at: Option<DateTime<Utc>>) -> Result<()> {
    match expires_at {
        Some(at) if at <= Utc::now() => {
            Err(Fault::invalid("EXPIRY_PASSED", "expiresAt", "expiresAt lies in the past: name a later time"))
        }
        _ => Ok(()),
    }
}

/// The first scope that is asked for and not held, as the 403 says it.
fn lacking(asked: &[ApiScope], held: &[ApiScope], sentence: &'static str) -> Result<()> {
    match asked.iter().find(|scope| !scope_satisfies(held, **scope)) {
        None => Ok(()),
        Some(scope) => Err(Fault::forbidden("SCOPE_NOT_GRANTABLE", sentence)
            .with("requiredScope", scope.as_str())
            .with("grantedScopes", json!(held))),
    }
}

async fn within_rights<A: Action>(
    conn: &mut AsyncPgConnection,
    who: &Principal,
    session: &Session,
    asked: &[ApiScope],
    resource: (&'static str, String),
) -> Result<()> {
    let judgement =
        lacking(asked, grantable(session.standing()), "you cannot grant a scope that you have not");
    if let Err(fault) = &judgement {
        access::note_if_forbidden::<A>(conn, who, fault, resource).await;
    }
    judgement
}

/// What a rotation makes of a key: never more, never longer.
///
/// Its maker is whoever rotates: what a key gives and whom it acts as is measured by its maker's rights, and a colleague's are
/// not handed over with the text of the key.
fn rotated(old: &ApiKey, rotation: &Rotation, session: &Session) -> Result<NewApiKey> {
    if old.revoked_at.is_some() {
        return Err(Fault::conflict("KEY_REVOKED", "this key is revoked: make a new one"));
    }
    if old.expires_at.is_some_and(|at| at <= Utc::now()) {
        return Err(Fault::conflict("KEY_EXPIRED", "this key has expired: make a new one"));
    }
    let scopes = rotation.scopes.clone().unwrap_or_else(|| old.scopes.clone());
    lacking(&scopes, &old.scopes, "a rotation cannot add a scope: make a new key")?;
    lacking(&scopes, grantable(session.standing()), "you cannot grant a scope that you have not")?;
    let tier = rotation.tier.unwrap_or(old.tier);
    if tier > old.tier {
        let sentence = format!("the key's tier is {}: a rotation cannot raise it", old.tier);
        return Err(Fault::invalid("TIER_TOO_HIGH", "tier", sentence));
    }
    let expires_at = match (rotation.expires_at, old.expires_at) {
        (Some(new), Some(end)) if new > end => {
            let sentence = "a rotation cannot make a key live longer: make a new key";
            return Err(Fault::invalid("EXPIRY_TOO_LATE", "expiresAt", sentence));
        }
        (new, end) => new.or(end),
    };
    Ok(NewApiKey { creator: session.user(), name: old.name.clone(), scopes, tier, expires_at })
}

fn act<'a, A: Action<On = OnTenant>>(
    permit: &'a Permit<A>,
    action: &'static str,
    key: &ApiKey,
) -> AuditEvent<'a> {
    let detail = json!({ "scopes": key.scopes, "tier": key.tier, "expiresAt": key.expires_at, "creator": key.creator });
    AuditEvent::allowed(Some(permit.tenant()), permit.actor(), action, ("api_key", key.id), detail)
}
