//! PREFLIGHT_JWTs in exchange for one, and for a sync: never wider, never longer, never another tenant's.

use mintmark_auth::action::{ExchangePreflightToken, SyncPreflightJobs};
use mintmark_auth::{
    ControlToken, OnTenant, Permit, PreflightGrant, PreflightScopes, Principal, ServiceCaller,
    ServiceVerifier, Tier, TokenSource, TrustBundle, TrustStore, audience, authorize, control, scope,
};
use mintmark_fault::Kind;
use mintmark_ids::{ServiceName, TenantId};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::forge::{Forge, ISSUER, now};

/// The control plane, which signs PREFLIGHT_JWTs, and a console that may ask for an exchange.
struct Stage {
    control: Forge,
    console: Forge,
    trust: TrustStore,
}

impl Stage {
    fn new() -> Self {
        let (control, console) = (Forge::new(), Forge::new());
        let keys = vec![
            control.trusted(ServiceName::ControlPlane, &[(audience::PREFLIGHT, &scope::PREFLIGHT)]),
            console.trusted(ServiceName::Console, &[(audience::REGISTRY, &[scope::TOKENS_EXCHANGE])]),
        ];
        let trust = TrustStore::fixed(TrustBundle::new(ISSUER, keys).unwrap());
        Stage { control, console, trust }
    }

    fn source(&self) -> TokenSource {
        TokenSource::new(ServiceName::ControlPlane, self.control.key(), ISSUER)
    }

    fn verify(&self, token: &str) -> ServiceCaller {
        ServiceVerifier::new(self.trust.clone(), audience::PREFLIGHT).verify(token).unwrap()
    }

    /// A caller's own PREFLIGHT_JWT that ends in so many seconds.
    fn presented(&self, tenant: &str, scopes: &[&str], ends_in: i64) -> ServiceCaller {
        let claims = json!({
            "iss": ISSUER, "aud": "ppos:control", "sub": "user:usr_1", "tenantId": tenant, "scp": scopes, "tier": "pro",
            "iat": now() - 5, "nbf": now() - 5, "exp": now() + ends_in, "jti": "j",
        });
        self.verify(&self.control.sign(&self.control.header(), &claims))
    }

    fn permit(&self, tenant: &str) -> Permit<ExchangePreflightToken> {
        let tenant = TenantId::parse(tenant).unwrap();
        let source = TokenSource::new(ServiceName::Console, self.console.key(), ISSUER);
        let token = source.for_tenant(audience::REGISTRY, &tenant, &[scope::TOKENS_EXCHANGE]);
        let verifier = ServiceVerifier::new(self.trust.clone(), audience::REGISTRY);
        let who = Principal::Service(verifier.verify(token.expose()).unwrap());
        authorize(&who, OnTenant(tenant)).unwrap()
    }
}

fn sync_permit(tenant: &str) -> Permit<SyncPreflightJobs> {
    let secret = control::generate();
    let authority = ControlToken::parse(secret.expose_secret()).unwrap().verify(secret.expose_secret());
    let who = Principal::Control(authority.unwrap());
    authorize(&who, OnTenant(TenantId::parse(tenant).unwrap())).unwrap()
}

fn scopes(names: &[&str]) -> PreflightScopes {
    PreflightScopes::parse(names).unwrap()
}

#[test]
fn exchanged_token_has_the_callers_tenant_subject_and_tier_and_ends_with_its_own() {
    let stage = Stage::new();
    let presented = stage.presented("acme-print", &["preflight:read", "jobs:read"], 40);
    let asked = scopes(&["preflight:read", "preflight:write"]);
    let grant = PreflightGrant::for_exchange(&stage.permit("acme-print"), &presented, Some(&asked)).unwrap();
    let minted = stage.source().preflight(&grant, presented.tier());
    let caller = stage.verify(minted.expose());
    assert_eq!(caller.tenant().as_str(), "acme-print");
    assert_eq!(caller.subject(), "user:usr_1");
    assert_eq!(caller.tier(), Tier::Pro);
    assert_eq!(caller.scopes(), ["preflight:read"], "what both have");
    assert_eq!(caller.expires_at(), presented.expires_at());

    let all = PreflightGrant::for_exchange(&stage.permit("acme-print"), &presented, None).unwrap();
    assert_eq!(all.scopes(), ["preflight:read", "jobs:read"]);
}

#[test]
fn exchanged_token_ends_with_the_presented_one_even_at_the_longest() {
    let stage = Stage::new();
    let presented = stage.presented("acme-print", &["jobs:read"], 295);
    let grant = PreflightGrant::for_exchange(&stage.permit("acme-print"), &presented, None).unwrap();
    let minted = stage.source().preflight(&grant, Tier::Free);
    assert_eq!(minted.expires_at(), presented.expires_at());
}

#[test]
fn exchange_without_a_scope_in_common_or_for_another_tenant_is_refused() {
    let stage = Stage::new();
    let presented = stage.presented("acme-print", &["jobs:read"], 60);
    let asked = scopes(&["preflight:write"]);
    let refused = PreflightGrant::for_exchange(&stage.permit("acme-print"), &presented, Some(&asked));
    let fault = refused.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "FORBIDDEN"));
    assert_eq!(fault.members()["requiredScope"], "preflight:write");
    assert_eq!(fault.members()["grantedScopes"], json!(["jobs:read"]));

    let fault = PreflightGrant::for_exchange(&stage.permit("other-print"), &presented, None).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "TENANT_MISMATCH"));
}

#[test]
fn exchange_of_a_token_for_another_audience_is_our_own_mistake() {
    let stage = Stage::new();
    let tenant = TenantId::parse("acme-print").unwrap();
    let source = TokenSource::new(ServiceName::Console, stage.console.key(), ISSUER);
    let token = source.for_tenant(audience::REGISTRY, &tenant, &[scope::TOKENS_EXCHANGE]);
    let other = ServiceVerifier::new(stage.trust.clone(), audience::REGISTRY).verify(token.expose()).unwrap();
    let fault = PreflightGrant::for_exchange(&stage.permit("acme-print"), &other, None).unwrap_err();
    assert_eq!(fault.kind(), Kind::Internal);
}

#[test]
fn sync_token_has_one_scope_a_minute_and_is_never_reused() {
    let stage = Stage::new();
    let grant = PreflightGrant::for_sync(&sync_permit("acme-print"), None).unwrap();
    let (one, other) =
        (stage.source().preflight_call(&grant, Tier::Pro), stage.source().preflight_call(&grant, Tier::Pro));
    assert_ne!(one.expose(), other.expose());
    let caller = stage.verify(one.expose());
    assert_eq!((caller.tenant().as_str(), caller.subject()), ("acme-print", "service:control-plane"));
    assert_eq!(caller.scopes(), ["jobs:read"]);
    assert!((55..=60).contains(&(one.expires_at().timestamp() - now())));
    assert!(caller.is_own_call());
}

#[test]
fn token_that_was_given_away_is_no_own_call_whoever_it_speaks_for() {
    let stage = Stage::new();
    let grant = PreflightGrant::for_sync(&sync_permit("acme-print"), None).unwrap();
    let given = stage.source().preflight(&grant, Tier::Pro);
    let caller = stage.verify(given.expose());
    assert_eq!(caller.subject(), "service:control-plane");
    assert!(!caller.is_own_call(), "it lives for minutes");
    let ends_soon = stage.presented("acme-print", &["jobs:read"], 20);
    assert!(!ends_soon.is_own_call(), "it is a person's");
}

#[test]
fn sync_token_is_narrowed_to_the_upstream_token() {
    let stage = Stage::new();
    let upstream = stage.presented("acme-print", &["jobs:read", "jobs:write"], 20);
    let grant = PreflightGrant::for_sync(&sync_permit("acme-print"), Some(&upstream)).unwrap();
    let token = stage.source().preflight_call(&grant, Tier::Free);
    assert_eq!(token.expires_at(), upstream.expires_at());
    assert_eq!(stage.verify(token.expose()).scopes(), ["jobs:read"]);

    let fault = PreflightGrant::for_sync(&sync_permit("other-print"), Some(&upstream)).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "TENANT_MISMATCH"));
    let without = stage.presented("acme-print", &["preflight:write"], 20);
    let fault = PreflightGrant::for_sync(&sync_permit("acme-print"), Some(&without)).unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "FORBIDDEN"));
    assert_eq!(fault.members()["requiredScope"], "jobs:read");
}
