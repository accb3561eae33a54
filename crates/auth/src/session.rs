use std::time::Duration;

use chrono::{DateTime, Utc};
use mintmark_ids::{TenantId, UserId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::claims::{self, Expected};
use crate::jws::{self, Envelope, TYPE_SESSION};
use crate::{Impersonator, KeyStore, TokenError};

/// The audience of sessions; no service token has it.
pub const SESSION_AUDIENCE: &str = "mintmark:session";

/// The longest that a session may live, whatever the configuration says.
pub const MAX_SESSION_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest that an impersonating session may live.
pub const MAX_IMPERSONATION_TTL: Duration = Duration::from_secs(15 * 60);

/// Mints the sessions of people: who they are and for how long, never what they may do (that is looked up each time).
pub struct SessionMinter {
    keys: KeyStore,
    issuer: String,
    max_ttl: Duration,
}

/// A freshly minted token, to be shown once to whoever asked for it.
pub struct Minted {
    raw: SecretString,
    expires_at: DateTime<Utc>,
}

/// Verifies sessions against the session keys in force: one that is taken away takes its sessions with it.
pub struct SessionVerifier {
    keys: KeyStore,
    issuer: String,
}

/// A session that verified; with a `Standing` it becomes a `Session`.
#[derive(Clone, Debug)]
pub struct VerifiedSession {
    user: UserId,
    tenant: TenantId,
    impersonator: Option<Impersonator>,
    expires_at: DateTime<Utc>,
}

impl SessionMinter {
    /// A minter whose sessions live at most `max_ttl`, and never longer than [`MAX_SESSION_TTL`].
    pub fn new(keys: impl Into<KeyStore>, issuer: impl Into<String>, max_ttl: Duration) -> Self {
        SessionMinter { keys: keys.into(), issuer: issuer.into(), max_ttl: max_ttl.min(MAX_SESSION_TTL) }
    }

    /// A session for `user` of `tenant`, for `ttl` or the minter's limit, whichever is shorter; at least one second.
    pub fn mint(&self, user: UserId, tenant: &TenantId, ttl: Duration) -> Minted {
        self.sign(user, tenant, ttl, None)
    }

    /// A session in which `by` acts as `user`: it says so (`act.sub`), lives at most [`MAX_IMPERSONATION_TTL`], and opens
    /// only what the policy opens to impersonation.
    pub fn impersonate(&self, user: UserId, tenant: &TenantId, ttl: Duration, by: Impersonator) -> Minted {
        self.sign(user, tenant, ttl.min(MAX_IMPERSONATION_TTL), Some(by))
    }

    fn sign(&self, user: UserId, tenant: &TenantId, ttl: Duration, by: Option<Impersonator>) -> Minted {
        let now = claims::now();
        // At most 86,400, which fits every integer type.
        let ttl = ttl.min(self.max_ttl).as_secs().max(1);
        let exp = now.saturating_add_unsigned(ttl);
        let mut claims = json!({
            "iss": self.issuer,
            "aud": SESSION_AUDIENCE,
            "sub": format!("user:{user}"),
            "tenantId": tenant,
            "iat": now,
            "nbf": now,
            "exp": exp,
            "jti": Uuid::now_v7().simple().to_string(),
        });
        if let Some(by) = by {
            claims["act"] = json!({ "sub": by.to_string() });
        }
        let raw = SecretString::from(jws::sign(self.keys.current().signer(), TYPE_SESSION, &claims));
        Minted::new(raw, exp)
    }
}

impl Minted {
    /// `expires_at` in seconds since the epoch.
    pub(crate) fn new(raw: SecretString, expires_at: i64) -> Self {
        Minted { raw, expires_at: utc(expires_at) }
    }

    /// The raw token.
    pub fn expose(&self) -> &str {
        self.raw.expose_secret()
    }

    /// When it ends.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Minted([secret])")
    }
}

impl SessionVerifier {
    /// A verifier for sessions of `issuer` that one of `keys` signed (two during a rotation).
    pub fn new(keys: impl Into<KeyStore>, issuer: impl Into<String>) -> Self {
        SessionVerifier { keys: keys.into(), issuer: issuer.into() }
    }

    /// Verifies a bearer (without the word `Bearer`): header `alg: EdDSA`, `typ: session+jwt`, `kid`; claims `iss`,
    /// `aud: mintmark:session`, `sub: user:usr_…`, `tenantId`, `iat`, `nbf`, `exp`, `jti`; where somebody acts as the person, `act.sub`, and
    /// then a lifetime of at most [`MAX_IMPERSONATION_TTL`].
    pub fn verify(&self, bearer: &str) -> Result<VerifiedSession, TokenError> {
        let envelope = Envelope::open(bearer, TYPE_SESSION)?;
        let keys = self.keys.current();
        let key = keys.find(envelope.kid());
        let mut claims = envelope.verify(key.ok_or(TokenError::UnknownKey)?)?;
        let impersonator = claims.remove("act").map(impersonator).transpose()?;
        let max_lifetime = if impersonator.is_some() { MAX_IMPERSONATION_TTL } else { MAX_SESSION_TTL };
        let expected = Expected { issuer: &self.issuer, audience: SESSION_AUDIENCE, max_lifetime };
        let standard = expected.take(&mut claims, claims::now())?;
        let user = standard.sub.strip_prefix("user:").and_then(|user| user.parse().ok());
        Ok(VerifiedSession {
            user: user.ok_or(TokenError::Claims)?,
            tenant: standard.tenant,
            impersonator,
            expires_at: utc(standard.exp),
        })
    }
}

impl VerifiedSession {
    /// The person.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The person's tenant.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Who acts as the person; none in a person's own session.
    pub fn impersonator(&self) -> Option<Impersonator> {
        self.impersonator
    }

    /// When the session ends.
    pub fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }
}

/// `act` of another shape than ours is refused: a session whose actor cannot be read must not pass for a person's own.
fn impersonator(act: Value) -> Result<Impersonator, TokenError> {
    let Value::Object(members) = act else { return Err(TokenError::Claims) };
    let sub = members.get("sub").and_then(Value::as_str).filter(|_| members.len() == 1);
    sub.and_then(|sub| sub.parse().ok()).ok_or(TokenError::Claims)
}

fn utc(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}
