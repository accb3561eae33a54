use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use mintmark_ids::{ServiceName, TenantId};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::claims::now;
use crate::jws::{self, TYPE_SERVICE};
use crate::{KeyStore, Minted, PersonCall, PreflightGrant, SigningKey, Tier, audience, person};

/// How long a PREFLIGHT_JWT lives, from `iat` to `exp`: the most that the contract's verifiers accept.
const PREFLIGHT_LIFETIME_SECS: i64 = 300;
/// How long a token between services lives, from `iat` to `exp`.
pub(crate) const LIFETIME_SECS: i64 = 60;
/// A token is not handed out any more when it expires sooner than this: the call must arrive before.
const RENEW_SECS: i64 = 15;
/// Tenants whose tokens are kept; above that, those that are due for renewal go.
const KEPT_TENANTS: usize = 4_096;

/// Mints the tokens that a service presents to others. Cheap to clone; the clones share one cache.
#[derive(Clone)]
pub struct TokenSource(Arc<Inner>);

struct Inner {
    service: ServiceName,
    issuer: String,
    keys: KeyStore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The key that signed what is kept: another one in force empties it.
    kid: String,
    kept: HashMap<TenantId, Vec<Kept>>,
}

struct Kept {
    audience: &'static str,
    scopes: Vec<&'static str>,
    token: Shared,
}

type Shared = Arc<Signed>;

struct Signed {
    raw: SecretString,
    expires_at: i64,
}

/// A token for one audience, tenant and set of scopes: what an outgoing client takes, and the only thing it takes.
///
/// ```compile_fail
/// fn show(token: &mintmark_auth::ServiceToken) -> String { format!("{token}") }
/// ```
/// ```compile_fail
/// fn from_header(raw: String) -> mintmark_auth::ServiceToken { mintmark_auth::ServiceToken::from(raw) }
/// ```
pub struct ServiceToken(Shared);

/// What one token says.
struct Content<'a> {
    audience: &'a str,
    tenant: &'a TenantId,
    scopes: &'a [&'static str],
    subject: String,
    tier: Option<Tier>,
    /// Claims of its kind alone.
    further: Vec<(&'static str, Value)>,
    lifetime_secs: i64,
}

impl TokenSource {
    /// A source that signs as `service` with its own key, or with whatever key of a [`KeyStore`] is in force; `issuer` is
    /// what the receivers' trust bundle names.
    pub fn new(service: ServiceName, keys: impl Into<KeyStore>, issuer: impl Into<String>) -> Self {
        let (keys, state) = (keys.into(), Mutex::default());
        TokenSource(Arc::new(Inner { service, issuer: issuer.into(), keys, state }))
    }

    /// A token with `sub: service:…` that lives 60 seconds, reused until 15 seconds before its end.
    ///
    /// Ask for the scopes that the call needs, in a fixed order, and no more.
    pub fn for_tenant(
        &self,
        audience: &'static str,
        tenant: &TenantId,
        scopes: &[&'static str],
    ) -> ServiceToken {
        let now = now();
        let keys = self.0.keys.current();
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.keep_to(keys.signer());
        if let Some(token) = state.reusable(audience, tenant, scopes, now) {
            return ServiceToken(token);
        }
        let token = Arc::new(self.sign(
            keys.signer(),
            now,
            &Content {
                audience,
                tenant,
                scopes,
                subject: format!("service:{}", self.0.service),
                tier: None,
                further: Vec::new(),
                lifetime_secs: LIFETIME_SECS,
            },
        ));
        let kept = Kept { audience, scopes: scopes.to_vec(), token: Arc::clone(&token) };
        state.keep(tenant, kept, now);
        ServiceToken(token)
    }

    /// A PREFLIGHT_JWT: the contract's claims, for five minutes. Each is minted afresh, because it is given away.
    pub fn preflight(&self, grant: &PreflightGrant, tier: Tier) -> Minted {
        let now = now();
        let signed = self.sign(
            self.0.keys.current().signer(),
            now,
            &Content {
                audience: audience::PREFLIGHT,
                tenant: grant.tenant(),
                scopes: grant.scopes(),
                subject: grant.subject().to_owned(),
                tier: Some(tier),
                further: Vec::new(),
                lifetime_secs: lifetime_secs(grant, now),
            },
        );
        Minted::new(signed.raw, signed.expires_at)
    }

    /// A PREFLIGHT_JWT for one call of this service's own: minted afresh, given to nobody, ends within a minute.
    pub fn preflight_call(&self, grant: &PreflightGrant, tier: Tier) -> ServiceToken {
        let now = now();
        ServiceToken(Arc::new(self.sign(
            self.0.keys.current().signer(),
            now,
            &Content {
                audience: audience::PREFLIGHT,
                tenant: grant.tenant(),
                scopes: grant.scopes(),
                subject: grant.subject().to_owned(),
                tier: Some(tier),
                further: Vec::new(),
                lifetime_secs: lifetime_secs(grant, now).min(LIFETIME_SECS),
            },
        )))
    }

    /// A token for one call in the name of the person that `call` was permitted to: 30 seconds, minted afresh, for the
    /// service that `audience` names.
    pub fn for_person_call(&self, audience: &'static str, call: &PersonCall) -> ServiceToken {
        ServiceToken(Arc::new(self.sign(
            self.0.keys.current().signer(),
            now(),
            &Content {
                audience,
                tenant: call.tenant(),
                scopes: &[call.scope()],
                subject: call.actor().to_string(),
                tier: None,
                further: call.claims(self.0.service),
                lifetime_secs: person::LIFETIME_SECS,
            },
        )))
    }

    fn sign(&self, key: &SigningKey, now: i64, content: &Content<'_>) -> Signed {
        let expires_at = now + content.lifetime_secs;
        let mut claims = json!({
            "iss": self.0.issuer,
            "aud": content.audience,
            "sub": content.subject,
            "tenantId": content.tenant,
            "scp": content.scopes,
            "iat": now,
            "nbf": now,
            "exp": expires_at,
            "jti": Uuid::now_v7().simple().to_string(),
        });
        if let Some(tier) = content.tier {
            claims["tier"] = tier.as_str().into();
        }
        for (name, value) in &content.further {
            claims[*name] = value.clone();
        }
        Signed { raw: SecretString::from(jws::sign(key, TYPE_SERVICE, &claims)), expires_at }
    }
}

/// How long a PREFLIGHT_JWT of this grant may live. One whose end has come is signed all the same, and refused everywhere.
fn lifetime_secs(grant: &PreflightGrant, now: i64) -> i64 {
    let left = grant.not_after().map_or(PREFLIGHT_LIFETIME_SECS, |end| end.timestamp() - now);
    left.min(PREFLIGHT_LIFETIME_SECS)
}

impl State {
    /// Forgets what another key signed: it may be withdrawn from the receivers' bundle at any moment.
    fn keep_to(&mut self, signer: &SigningKey) {
        if self.kid != signer.kid() {
            self.kept.clear();
            signer.kid().clone_into(&mut self.kid);
        }
    }

    fn reusable(
        &self,
        audience: &str,
        tenant: &TenantId,
        scopes: &[&'static str],
        now: i64,
    ) -> Option<Shared> {
        let same =
            |kept: &&Kept| kept.audience == audience && kept.scopes == scopes && kept.token.is_fresh(now);
        self.kept.get(tenant)?.iter().find(same).map(|kept| Arc::clone(&kept.token))
    }

    fn keep(&mut self, tenant: &TenantId, kept: Kept, now: i64) {
        if self.kept.len() >= KEPT_TENANTS {
            self.kept.retain(|_, tokens| {
                tokens.retain(|kept| kept.token.is_fresh(now));
                !tokens.is_empty()
            });
        }
        if self.kept.len() >= KEPT_TENANTS && !self.kept.contains_key(tenant) {
            return;
        }
        let tokens = self.kept.entry(tenant.clone()).or_default();
        tokens.retain(|kept| kept.token.is_fresh(now));
        tokens.push(kept);
    }
}

impl Signed {
    fn is_fresh(&self, now: i64) -> bool {
        // A token from the future means that the clock went back: receivers would refuse it.
        (RENEW_SECS + 1..=LIFETIME_SECS).contains(&(self.expires_at - now))
    }
}

impl ServiceToken {
    /// The raw token, for the `authorization` of the one call that it was asked for.
    pub fn expose(&self) -> &str {
        self.0.raw.expose_secret()
    }

    /// When it ends.
    pub fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.expires_at, 0).unwrap_or_default()
    }
}

impl std::fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceToken([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_is_fresh_between_minting_and_renewal_only() {
        let token = Signed { raw: SecretString::from("x"), expires_at: 1_060 };
        assert!(token.is_fresh(1_000));
        assert!(token.is_fresh(1_044));
        assert!(!token.is_fresh(1_045));
        assert!(!token.is_fresh(999));
    }
}
