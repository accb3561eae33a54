use std::fmt::Write as _;
use std::time::Duration;

use mintmark_auth::action::{CreateBrand, PublishCodes, SubmitMint, ViewBatch};
use mintmark_auth::{
    Actor, ApiKeyCaller, ApiScope, BrandRole, ControlToken, EvidenceRole, Impersonator, IssuedKey,
    KeyEnvironment, KeyStanding, OnBrand, OnTenant, PresentedKey, Principal, ServiceVerifier, Session,
    SessionMinter, SessionVerifier, Standing, Tier, TokenSource, TrustBundle, TrustStore, audience,
    authorize, control, matrix, scope,
};
use mintmark_fault::{Fault, Kind};
use mintmark_ids::{ApiKeyId, BrandId, ServiceName, TenantId, UserId};
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::forge::{Forge, ISSUER};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policy.txt");

fn tenant(slug: &str) -> TenantId {
    TenantId::parse(slug).unwrap()
}

fn control() -> Principal {
    let secret = control::generate();
    let token = ControlToken::parse(secret.expose_secret()).unwrap();
    Principal::Control(token.verify(secret.expose_secret()).unwrap())
}

/// Through a real session, because there is no other way to make one.
fn person(tenant: &TenantId, standing: Standing) -> Principal {
    let forge = Forge::new();
    let minted = SessionMinter::new(forge.key(), ISSUER, Duration::from_secs(60)).mint(
        UserId::new(),
        tenant,
        Duration::from_secs(60),
    );
    let verifier = SessionVerifier::new(forge.key(), ISSUER);
    Principal::Session(Session::new(verifier.verify(minted.expose()).unwrap(), standing, Tier::Free))
}

fn with_role(tenant: &TenantId, brand: BrandId, role: BrandRole) -> Principal {
    person(tenant, Standing { brands: vec![(brand, role)], ..Standing::default() })
}

/// Somebody with a key who acts as an owner who is also a tenant administrator and has every evidence role.
fn impersonated(tenant: &TenantId, brand: BrandId) -> Principal {
    let forge = Forge::new();
    let minter = SessionMinter::new(forge.key(), ISSUER, Duration::from_secs(60));
    let by = Impersonator::ApiKey(ApiKeyId::new());
    let minted = minter.impersonate(UserId::new(), tenant, Duration::from_secs(60), by);
    let verified = SessionVerifier::new(forge.key(), ISSUER).verify(minted.expose()).unwrap();
    let standing = Standing {
        tenant_admin: true,
        brands: vec![(brand, BrandRole::Owner)],
        evidence: EvidenceRole::ALL.to_vec(),
    };
    Principal::Session(Session::new(verified, standing, Tier::Free))
}

/// A key of a tenant administrator.
fn api_key(tenant: &TenantId, scopes: &[ApiScope]) -> Principal {
    let issued = IssuedKey::generate(KeyEnvironment::Test);
    let verified = PresentedKey::parse(issued.expose()).unwrap().verify(Some(issued.digest())).unwrap();
    let standing = KeyStanding {
        tenant: tenant.clone(),
        creator: UserId::new(),
        creator_standing: Standing { tenant_admin: true, ..Standing::default() },
        scopes: scopes.to_vec(),
        tier: Tier::Free,
        tenant_tier: Tier::Free,
    };
    Principal::ApiKey(ApiKeyCaller::new(verified, standing))
}

/// Through a real token.
fn service(tenant: &TenantId, scopes: &[&'static str]) -> Principal {
    let forge = Forge::new();
    let source = TokenSource::new(ServiceName::ControlPlane, forge.key(), ISSUER);
    let token = source.for_tenant(audience::RESOLVER, tenant, scopes);
    let verifier = ServiceVerifier::new(TrustStore::fixed(forge.bundle()), audience::RESOLVER);
    Principal::Service(verifier.verify(token.expose()).unwrap())
}

/// Whoever may ask the rate limiter, through a real token.
fn limiter(tenant: &TenantId) -> Principal {
    let forge = Forge::new();
    let grants: &[(&str, &[&str])] = &[(audience::RATELIMIT, &[scope::RATELIMIT_CHECK])];
    let bundle = TrustBundle::new(ISSUER, vec![forge.trusted(ServiceName::ControlPlane, grants)]).unwrap();
    let source = TokenSource::new(ServiceName::ControlPlane, forge.key(), ISSUER);
    let token = source.for_tenant(audience::RATELIMIT, tenant, &[scope::RATELIMIT_CHECK]);
    let verifier = ServiceVerifier::new(TrustStore::fixed(bundle), audience::RATELIMIT);
    Principal::Service(verifier.verify(token.expose()).unwrap())
}

/// The console, which may exchange tokens, through a real token.
fn exchanger(tenant: &TenantId) -> Principal {
    let forge = Forge::new();
    let grants: &[(&str, &[&str])] = &[(audience::REGISTRY, &[scope::TOKENS_EXCHANGE])];
    let bundle = TrustBundle::new(ISSUER, vec![forge.trusted(ServiceName::Console, grants)]).unwrap();
    let source = TokenSource::new(ServiceName::Console, forge.key(), ISSUER);
    let token = source.for_tenant(audience::REGISTRY, tenant, &[scope::TOKENS_EXCHANGE]);
    let verifier = ServiceVerifier::new(TrustStore::fixed(bundle), audience::REGISTRY);
    Principal::Service(verifier.verify(token.expose()).unwrap())
}

/// Whoever has a PREFLIGHT_JWT with these scopes, through a real token.
fn preflight(tenant: &TenantId, scopes: &[&'static str]) -> Principal {
    let forge = Forge::new();
    let grants: &[(&str, &[&str])] = &[(audience::PREFLIGHT, &scope::PREFLIGHT)];
    let bundle = TrustBundle::new(ISSUER, vec![forge.trusted(ServiceName::ControlPlane, grants)]).unwrap();
    let source = TokenSource::new(ServiceName::ControlPlane, forge.key(), ISSUER);
    let token = source.for_tenant(audience::PREFLIGHT, tenant, scopes);
    let verifier = ServiceVerifier::new(TrustStore::fixed(bundle), audience::PREFLIGHT);
    Principal::Service(verifier.verify(token.expose()).unwrap())
}

/// A service with one scope for the vault, through a real token.
fn vault(tenant: &TenantId, scopes: &[&'static str]) -> Principal {
    let forge = Forge::new();
    let grants: &[(&str, &[&str])] = &[(audience::EVIDENCE, &scope::EVIDENCE)];
    let bundle = TrustBundle::new(ISSUER, vec![forge.trusted(ServiceName::ControlPlane, grants)]).unwrap();
    let source = TokenSource::new(ServiceName::ControlPlane, forge.key(), ISSUER);
    let token = source.for_tenant(audience::EVIDENCE, tenant, scopes);
    let verifier = ServiceVerifier::new(TrustStore::fixed(bundle), audience::EVIDENCE);
    Principal::Service(verifier.verify(token.expose()).unwrap())
}

fn outcome(result: Result<(), Fault>) -> String {
    match result {
        Ok(()) => "yes".to_owned(),
        Err(fault) => fault.kind().http_status().to_string(),
    }
}

#[test]
fn policy_matches_golden_file() {
    let (own, foreign) = (tenant("acme"), tenant("other"));
    let (brand, another) = (BrandId::new(), BrandId::new());
    let admin = Standing { tenant_admin: true, ..Standing::default() };
    let evidence =
        |roles: &[EvidenceRole]| person(&own, Standing { evidence: roles.to_vec(), ..Standing::default() });
    let callers = [
        ("control", control()),
        ("t.admin", person(&own, admin)),
        ("owner", with_role(&own, brand, BrandRole::Owner)),
        ("admin", with_role(&own, brand, BrandRole::Admin)),
        ("member", with_role(&own, brand, BrandRole::Member)),
        ("elsewhere", with_role(&own, another, BrandRole::Owner)),
        ("evidence", evidence(&EvidenceRole::ALL)),
        ("evd.user", evidence(&[EvidenceRole::User])),
        ("evd.arb", evidence(&[EvidenceRole::Arbitrator])),
        ("evd.gov", evidence(&[EvidenceRole::Governance])),
        ("act.owner", impersonated(&own, brand)),
        ("foreign", with_role(&foreign, brand, BrandRole::Owner)),
        ("key.all", api_key(&own, &[ApiScope::Enterprise])),
        ("key.read", api_key(&own, &[ApiScope::AdminRead, ApiScope::Public])),
        ("key.export", api_key(&own, &[ApiScope::ExportsRead])),
        ("key.other", api_key(&foreign, &[ApiScope::Enterprise])),
        ("publisher", service(&own, &[scope::DIRECTORY_PUBLISH])),
        ("revoker", service(&own, &[scope::DIRECTORY_REVOKE])),
        ("reader", service(&own, &[scope::DIRECTORY_READ])),
        ("limiter", limiter(&own)),
        ("exchanger", exchanger(&own)),
        ("pf.read", preflight(&own, &[scope::PREFLIGHT_READ])),
        ("pf.write", preflight(&own, &[scope::PREFLIGHT_WRITE])),
        ("pf.analyze", preflight(&own, &[scope::PREFLIGHT_ANALYZE])),
        ("jobs.read", preflight(&own, &[scope::JOBS_READ])),
        ("jobs.write", preflight(&own, &[scope::JOBS_WRITE])),
        ("pf.other", preflight(&foreign, &scope::PREFLIGHT)),
        ("v.upload", vault(&own, &[scope::EVIDENCE_UPLOAD])),
        ("v.read", vault(&own, &[scope::EVIDENCE_READ])),
        ("v.content", vault(&own, &[scope::EVIDENCE_CONTENT])),
        ("v.hold", vault(&own, &[scope::EVIDENCE_HOLD])),
        ("v.proof", vault(&own, &[scope::EVIDENCE_PROOF])),
        ("v.audit", vault(&own, &[scope::EVIDENCE_AUDIT])),
        ("v.operate", vault(&own, &[scope::EVIDENCE_OPERATE])),
        ("v.other", vault(&foreign, &scope::EVIDENCE)),
        (
            "svc.other",
            service(&foreign, &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ]),
        ),
    ];
    let mut printed = String::from(concat!(
        "# What each kind of caller may do to tenant acme and its brand: yes, or the HTTP status of the refusal.\n",
        "# elsewhere: owner of another brand of acme. evidence: all evidence roles, no brand; evd.*: one of them. foreign: owner in another\n",
        "# tenant. act.owner: somebody who acts as an owner and tenant administrator with all evidence roles. key.all: an `enterprise` key of a tenant\n",
        "# administrator; key.read: admin:read and public; key.export: exports:read; key.other: `enterprise` elsewhere. publisher, revoker, reader, limiter, exchanger: service tokens for acme with one scope. pf.*, jobs.*: PREFLIGHT_JWTs with one scope; pf.other: all five, another tenant. v.*: service tokens for the vault with one scope; v.other: all of them, another tenant. svc.other: all three, another tenant.\n",
        "# Printed by tests/it/policy.rs; UPDATE_GOLDEN=1 rewrites it.\n",
    ));
    write!(printed, "{:<18}{:<37}{:<10}", "action", "needs", "on").unwrap();
    for (name, _) in &callers {
        write!(printed, "{name:<11}").unwrap();
    }
    for row in matrix() {
        write!(printed, "\n{:<18}{:<37}{:<10}", row.action, row.rule, row.target).unwrap();
        for (_, caller) in &callers {
            write!(printed, "{:<11}", outcome(row.decide(caller, &own, brand))).unwrap();
        }
    }
    let printed: String = printed.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &printed).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(GOLDEN).unwrap(),
        printed,
        "run the test with UPDATE_GOLDEN=1 when the change is meant"
    );
}

#[test]
fn authorize_gives_a_permit_that_knows_its_tenant_brand_and_actor() {
    let (own, brand) = (tenant("acme"), BrandId::new());
    let who = with_role(&own, brand, BrandRole::Admin);
    let permit = authorize::<SubmitMint>(&who, OnBrand { tenant: own.clone(), brand }).unwrap();
    assert_eq!((permit.tenant(), permit.brand(), *permit.actor()), (&own, brand, who.actor()));
    assert!(matches!(permit.clone().actor(), Actor::User(_)));
    assert_eq!(who.tenant(), Some(&own));
    assert_eq!(control().tenant(), None);
    assert_eq!(control().actor(), Actor::ControlToken);
    let caller = service(&own, &[scope::DIRECTORY_PUBLISH]);
    assert_eq!(caller.actor(), Actor::Service(ServiceName::ControlPlane));
    assert_eq!(authorize::<PublishCodes>(&caller, OnTenant(own.clone())).unwrap().tenant(), &own);
}

#[test]
fn authorize_says_which_role_is_missing() {
    let (own, brand) = (tenant("acme"), BrandId::new());
    let on = || OnBrand { tenant: own.clone(), brand };
    let member = with_role(&own, brand, BrandRole::Member);
    let fault = authorize::<SubmitMint>(&member, on()).err().unwrap();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "FORBIDDEN"));
    assert_eq!(fault.members()["requiredRole"], "admin");
    assert_eq!(fault.members()["grantedRoles"], json!(["member"]));

    let nobody = person(&own, Standing::default());
    let fault = authorize::<ViewBatch>(&nobody, on()).err().unwrap();
    assert_eq!(fault.members()["requiredRole"], "member");
    assert_eq!(fault.members()["grantedRoles"], json!([]));

    let fault = authorize::<CreateBrand>(&member, OnTenant(own.clone())).err().unwrap();
    assert_eq!(fault.members()["requiredRole"], "tenantAdmin");
}

#[test]
fn authorize_says_which_scope_is_missing() {
    let own = tenant("acme");
    let reader = service(&own, &[scope::DIRECTORY_READ]);
    let fault = authorize::<PublishCodes>(&reader, OnTenant(own.clone())).err().unwrap();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "FORBIDDEN"));
    assert_eq!(fault.members()["requiredScope"], "directory:publish");
    assert_eq!(fault.members()["grantedScopes"], json!(["directory:read"]));
}

#[test]
fn authorize_hides_what_belongs_to_another_tenant() {
    let (own, foreign, brand) = (tenant("acme"), tenant("other"), BrandId::new());
    // Even with a role for that very brand id: the tenant decides first.
    let who = with_role(&own, brand, BrandRole::Owner);
    let fault = authorize::<ViewBatch>(&who, OnBrand { tenant: foreign.clone(), brand }).err().unwrap();
    assert_eq!((fault.kind(), fault.message()), (Kind::NotFound, "no such batch"));
    assert!(fault.members().is_empty());

    let caller = service(&own, &[scope::DIRECTORY_PUBLISH]);
    let fault = authorize::<PublishCodes>(&caller, OnTenant(foreign)).err().unwrap();
    assert_eq!(fault.kind(), Kind::NotFound);
}

#[test]
fn matrix_names_are_unique() {
    let mut names: Vec<_> = matrix().iter().map(|row| row.action).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}
