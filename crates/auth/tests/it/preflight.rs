//! The preflight contract's literals, written out once more: a renamed constant must not rename the contract.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintmark_auth::action::{IssuePreflightToken, RequestPreflightToken};
use mintmark_auth::{
    BrandRole, ControlToken, DEFAULT_ISSUER, OnTenant, PreflightGrant, PreflightScopes, Principal,
    ServiceVerifier, Session, SessionMinter, SessionVerifier, Standing, Tier, TokenError, TokenSource,
    TrustBundle, TrustStore, audience, authorize, control, scope,
};
use mintmark_fault::Kind;
use mintmark_ids::{BrandId, ServiceName, TenantId, UserId};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::forge::{Forge, ISSUER, now};

const ALL: [&str; 5] = ["preflight:read", "preflight:write", "preflight:analyze", "jobs:read", "jobs:write"];

fn tenant() -> TenantId {
    TenantId::parse("ppos-production-worker").unwrap()
}

fn session(standing: Standing) -> Session {
    let forge = Forge::new();
    let minute = Duration::from_secs(60);
    let minted = SessionMinter::new(forge.key(), ISSUER, minute).mint(UserId::new(), &tenant(), minute);
    let verified = SessionVerifier::new(forge.key(), ISSUER).verify(minted.expose()).unwrap();
    Session::new(verified, standing, Tier::Free)
}

fn operator_grant(asked: &[&str]) -> PreflightGrant {
    let secret = control::generate();
    let authority = ControlToken::parse(secret.expose_secret()).unwrap().verify(secret.expose_secret());
    let permit =
        authorize::<IssuePreflightToken>(&Principal::Control(authority.unwrap()), OnTenant(tenant()))
            .unwrap();
    PreflightGrant::for_operator(&permit, PreflightScopes::parse(asked).unwrap())
}

fn claims_of(token: &str) -> (Value, Value) {
    let mut parts =
        token.split('.').map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).ok());
    (parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap())
}

/// As the launcher grants it, under the contract's issuer.
fn trust(forge: &Forge) -> TrustStore {
    let key = forge.trusted(ServiceName::ControlPlane, &[(audience::PREFLIGHT, &scope::PREFLIGHT)]);
    TrustStore::fixed(TrustBundle::new("https://auth.printprice.pro", vec![key]).unwrap())
}

#[test]
fn preflight_token_has_the_contracts_claims_and_no_others() {
    let forge = Forge::new();
    let source = TokenSource::new(ServiceName::ControlPlane, forge.key(), DEFAULT_ISSUER);
    let minted = source.preflight(&operator_grant(&ALL), Tier::Pro);
    let (header, claims) = claims_of(minted.expose());
    assert_eq!(header, json!({"alg": "EdDSA", "kid": forge.kid, "typ": "JWT"}));
    let names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    assert_eq!(names, ["aud", "exp", "iat", "iss", "jti", "nbf", "scp", "sub", "tenantId", "tier"]);
    assert_eq!(claims["iss"], "https://auth.printprice.pro");
    assert_eq!(claims["aud"], "ppos:control");
    assert_eq!(claims["tenantId"], "ppos-production-worker");
    assert_eq!(claims["scp"], json!(ALL));
    assert_eq!(claims["sub"], "service:control-plane");
    assert_eq!(claims["tier"], "pro");
    let [iat, nbf, exp] = ["iat", "nbf", "exp"].map(|time| claims[time].as_i64().unwrap());
    assert_eq!((nbf, exp - iat), (iat, 300));
    assert!((0..=2).contains(&(now() - iat)));
    assert_eq!(minted.expires_at().timestamp(), exp);

    let caller = ServiceVerifier::new(trust(&forge), audience::PREFLIGHT).verify(minted.expose()).unwrap();
    assert_eq!((caller.tenant(), caller.tier()), (&tenant(), Tier::Pro));
    assert_eq!(caller.scopes(), ALL);
    assert_ne!(source.preflight(&operator_grant(&ALL), Tier::Pro).expose(), minted.expose(), "never reused");
}

#[test]
fn preflight_token_is_good_for_preflight_alone_and_from_the_control_plane_alone() {
    let (forge, other) = (Forge::new(), Forge::new());
    let source = TokenSource::new(ServiceName::ControlPlane, forge.key(), DEFAULT_ISSUER);
    let minted = source.preflight(&operator_grant(&["jobs:read"]), Tier::Free);
    for elsewhere in [audience::RESOLVER, audience::EVIDENCE, audience::RATELIMIT, audience::REGISTRY] {
        let verifier = ServiceVerifier::new(trust(&forge), elsewhere);
        assert_eq!(verifier.verify(minted.expose()).unwrap_err(), TokenError::Audience, "{elsewhere}");
    }
    // Another service signs the same claims: the bundle grants it nothing for this audience.
    let keys = vec![
        forge.trusted(ServiceName::ControlPlane, &[(audience::PREFLIGHT, &scope::PREFLIGHT)]),
        other.trusted(ServiceName::Resolver, &[(audience::RESOLVER, &scope::PREFLIGHT)]),
    ];
    let trust = TrustStore::fixed(TrustBundle::new(DEFAULT_ISSUER, keys).unwrap());
    let (_, claims) = claims_of(minted.expose());
    for subject in ["service:resolver", "client:portal", "user:x"] {
        let mut forged = claims.clone();
        forged["sub"] = subject.into();
        let token = other.sign(&other.header(), &forged);
        let refused = ServiceVerifier::new(trust.clone(), audience::PREFLIGHT).verify(&token).unwrap_err();
        assert_eq!(refused, TokenError::Scope, "{subject}");
    }
}

#[test]
fn scopes_are_read_once_each_in_the_contracts_order() {
    let scopes = PreflightScopes::parse(&["jobs:write", "preflight:read", "jobs:write"]).unwrap();
    assert_eq!(scopes.as_slice(), ["preflight:read", "jobs:write"]);
    let none = PreflightScopes::parse::<&str>(&[]).unwrap_err();
    assert_eq!(
        (none.kind(), none.code(), none.field_name()),
        (Kind::InvalidInput, "SCOPES_REQUIRED", Some("scopes"))
    );
    for unknown in ["preflight:admin", "directory:publish", "PREFLIGHT:READ", "", "preflight:read jobs:read"]
    {
        let fault = PreflightScopes::parse(&["jobs:read", unknown]).unwrap_err();
        assert_eq!((fault.kind(), fault.code()), (Kind::Unprocessable, "UNKNOWN_SCOPE"), "{unknown}");
        assert!(unknown.is_empty() || !fault.message().contains("admin"), "what was asked is not echoed");
    }
}

#[test]
fn grant_for_a_person_is_never_more_than_the_role_carries() {
    let (brand, another) = (BrandId::new(), BrandId::new());
    let look: &[&str] = &["preflight:read", "jobs:read"];
    let with =
        |roles: &[(BrandId, BrandRole)]| session(Standing { brands: roles.to_vec(), ..Standing::default() });
    let chief = session(Standing { tenant_admin: true, ..Standing::default() });
    let mixed = with(&[(brand, BrandRole::Member), (another, BrandRole::Admin)]);
    for (who, at, may) in [
        (&with(&[(brand, BrandRole::Owner)]), None, &ALL[..]),
        (&with(&[(brand, BrandRole::Admin)]), Some(brand), &ALL[..]),
        (&with(&[(brand, BrandRole::Member)]), None, look),
        (&with(&[(brand, BrandRole::Member)]), Some(brand), look),
        (&with(&[(brand, BrandRole::Owner)]), Some(another), &[]),
        (&mixed, Some(brand), look),
        (&mixed, None, &ALL[..]),
        (&chief, None, &[]),
        (&chief, Some(brand), &[]),
    ] {
        for scope in ALL {
            let granted = PreflightGrant::for_person(who, at, PreflightScopes::parse(&[scope]).unwrap());
            if may.contains(&scope) {
                assert_eq!(granted.unwrap().scopes(), [scope]);
                continue;
            }
            let fault = granted.unwrap_err();
            assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "FORBIDDEN"));
            assert_eq!(fault.members()["requiredScope"], scope);
            assert_eq!(fault.members()["grantedScopes"], json!(may));
        }
    }
    // One scope too many refuses the whole: a token is never silently narrower than what was asked.
    let asked = PreflightScopes::parse(&["preflight:read", "preflight:write"]).unwrap();
    let member = with(&[(brand, BrandRole::Member)]);
    assert!(PreflightGrant::for_person(&member, None, asked).is_err());
}

#[test]
fn grant_for_a_person_speaks_in_the_persons_name() {
    let person =
        session(Standing { brands: vec![(BrandId::new(), BrandRole::Admin)], ..Standing::default() });
    let forge = Forge::new();
    let source = TokenSource::new(ServiceName::ControlPlane, forge.key(), DEFAULT_ISSUER);
    let asked = PreflightScopes::parse(&["preflight:write"]).unwrap();
    let grant = PreflightGrant::for_person(&person, None, asked).unwrap();
    assert_eq!(grant.tenant(), person.tenant());
    let minted = source.preflight(&grant, Tier::Free);
    let caller = ServiceVerifier::new(trust(&forge), audience::PREFLIGHT).verify(minted.expose()).unwrap();
    assert_eq!(caller.subject(), format!("user:{}", person.user()));
    assert_eq!(caller.tenant(), person.tenant());
    assert_eq!(claims_of(minted.expose()).1["tier"], "free");

    let who = Principal::Session(person);
    assert!(authorize::<RequestPreflightToken>(&who, OnTenant(tenant())).is_ok());
    let issue = authorize::<IssuePreflightToken>(&who, OnTenant(tenant())).err().unwrap();
    assert_eq!(issue.kind(), Kind::Unauthenticated, "the operator's route is not a person's");
}
