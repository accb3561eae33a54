use std::ops::Range;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mintmark_ids::{ServiceName, TenantId};
use serde_json::{Map, Value};

use crate::audience::max_lifetime;
use crate::cache::{Key, VerifiedCache};
use crate::claims::{self, Expected, Standard};
use crate::jws::{Envelope, TYPE_SERVICE};
use crate::service_token::LIFETIME_SECS;
use crate::trust::Trust;
use crate::{PersonClaims, Tier, TokenError, TrustStore, TrustedKey, audience, person};

/// Live tokens remembered at once: a caller has one a tenant and scope set, each for a minute.
const CACHE_ENTRIES: usize = 16_384;

/// Verifies the service tokens of one audience. Cheap to clone; the clones share one cache.
#[derive(Clone)]
pub struct ServiceVerifier(Arc<Inner>);

struct Inner {
    trust: TrustStore,
    audience: &'static str,
    verified: VerifiedCache<ServiceCaller>,
}

/// A verified caller: the service that signed, for which tenant, with which scopes. Cheap to clone.
///
/// ```compile_fail
/// fn forge() -> mintmark_auth::ServiceCaller { mintmark_auth::ServiceCaller::new() }
/// ```
#[derive(Clone, Debug)]
pub struct ServiceCaller(Arc<Caller>);

#[derive(Debug)]
struct Caller {
    service: ServiceName,
    tenant: TenantId,
    scopes: Vec<String>,
    subject: String,
    jti: String,
    tier: Tier,
    person: Option<PersonClaims>,
    audience: &'static str,
    expires_at: i64,
    own: bool,
}

impl ServiceVerifier {
    /// A verifier for one audience ([`crate::audience`]), which also sets how long a token may live at most.
    pub fn new(trust: TrustStore, audience: &'static str) -> Self {
        let verified = VerifiedCache::new(CACHE_ENTRIES);
        ServiceVerifier(Arc::new(Inner { trust, audience, verified }))
    }

    /// Verifies a bearer (without the word `Bearer`).
    ///
    /// Required: header `alg: EdDSA`, `typ: JWT` and a `kid` of the bundle, nothing else; claims `iss`, `aud`, `sub`,
    /// `tenantId`, `scp`, `iat`, `nbf`, `exp`, `jti`; every scope granted by the bundle to that key for this audience.
    /// For [`crate::audience::EVIDENCE`] a token may also be one of a call in a person's name ([`PersonClaims`]), signed by
    /// the control plane, with `act`, and of at most 30 seconds; elsewhere its claims are refused.
    pub fn verify(&self, bearer: &str) -> Result<ServiceCaller, TokenError> {
        let trust = self.0.trust.current();
        let now = claims::now();
        let key = Key::of(bearer);
        if let Some(caller) = self.0.verified.get(&key, trust.generation(), now) {
            return Ok(caller);
        }
        let (caller, times) = self.verify_afresh(bearer, &trust, now)?;
        self.0.verified.put(key, trust.generation(), times, caller.clone(), now);
        Ok(caller)
    }

    /// The caller, and the times at which this token says so.
    fn verify_afresh(
        &self,
        bearer: &str,
        trust: &Trust,
        now: i64,
    ) -> Result<(ServiceCaller, Range<i64>), TokenError> {
        let envelope = Envelope::open(bearer, TYPE_SERVICE)?;
        let (key, verifying) = trust.find(envelope.kid()).ok_or(TokenError::UnknownKey)?;
        let mut claims = envelope.verify(verifying)?;
        let audience = self.0.audience;
        let expected = Expected { issuer: trust.issuer(), audience, max_lifetime: max_lifetime(audience) };
        let standard = expected.take(&mut claims, now)?;
        let scopes = claims::scopes(&mut claims)?;
        let tier = tier(&mut claims)?;
        let person = match audience {
            audience::EVIDENCE => PersonClaims::take(&mut claims, &standard, key.service)?,
            _ => person::refuse(&claims).map(|()| None)?,
        };
        if person.is_none() {
            judge_subject(&standard.sub, key)?;
        }
        if !key.may_say(audience, &scopes) {
            return Err(TokenError::Scope);
        }
        let own = speaks_for_itself(&standard, key);
        let caller = Caller {
            service: key.service,
            tenant: standard.tenant,
            scopes,
            subject: standard.sub,
            jti: standard.jti,
            tier,
            person,
            audience,
            expires_at: standard.exp,
            own,
        };
        Ok((ServiceCaller(Arc::new(caller)), standard.from..standard.exp))
    }
}

/// A service speaks for itself in its own name only; other subjects (`client:`, `user:`) are the signer's to state.
fn judge_subject(subject: &str, key: &TrustedKey) -> Result<(), TokenError> {
    match subject.split_once(':') {
        Some(("service", name)) if name == key.service.as_str() => Ok(()),
        Some(("client" | "user", name)) if !name.is_empty() => Ok(()),
        _ => Err(TokenError::Claims),
    }
}

/// Whether the signer made this token for a call of its own: in its own name, and too short-lived for one that is given away.
fn speaks_for_itself(standard: &Standard, key: &TrustedKey) -> bool {
    standard.sub.strip_prefix("service:") == Some(key.service.as_str())
        && standard.lifetime_secs <= LIFETIME_SECS
}

/// `tier` may be absent, which means `free`; another word than the three is an error, not `free`.
fn tier(claims: &mut Map<String, Value>) -> Result<Tier, TokenError> {
    match claims.remove("tier") {
        None => Ok(Tier::Free),
        Some(Value::String(name)) => {
            Tier::ALL.into_iter().find(|tier| tier.as_str() == name).ok_or(TokenError::Claims)
        }
        Some(_) => Err(TokenError::Claims),
    }
}

impl ServiceCaller {
    /// The service whose key signed.
    pub fn service(&self) -> ServiceName {
        self.0.service
    }

    /// The tenant that the call is about.
    pub fn tenant(&self) -> &TenantId {
        &self.0.tenant
    }

    /// The scopes of this token, all granted by the bundle.
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// Whether the token carries this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.0.scopes.iter().any(|granted| granted == scope)
    }

    /// The person that the call is made for; none where a service speaks for itself.
    pub fn person(&self) -> Option<&PersonClaims> {
        self.0.person.as_ref()
    }

    /// Whether the service that signed calls for itself, and for nobody whom it gave the token to: `sub` is its own name, and
    /// the token lives no longer than those that it presents itself. A PREFLIGHT_JWT that is given away lives five minutes,
    /// also where an operator had it made in the service's name; one that was exchanged for the end of such a token
    /// ([`crate::PreflightGrant::for_exchange`]) looks like the service's own, and stays with the service that exchanged it.
    pub fn is_own_call(&self) -> bool {
        self.0.own
    }

    /// `sub`: `service:…`, `client:…` or `user:…`; in a person's call the actor.
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The token's own id, for logs.
    pub fn jti(&self) -> &str {
        &self.0.jti
    }

    /// The audience that the token was verified for.
    pub fn audience(&self) -> &'static str {
        self.0.audience
    }

    /// When the token ends.
    pub fn expires_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.expires_at, 0).unwrap_or_default()
    }

    /// The tenant's tier as the issuer stated it; `free` when it stated none.
    pub fn tier(&self) -> Tier {
        self.0.tier
    }
}
