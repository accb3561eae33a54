//! Tokens that are minted for one call in a person's name.

use std::time::Duration;

use mintmark_auth::action::{
    HoldEvidence, OperateEvidence, ReadEvidenceContent, UploadEvidence, ViewBrand, ViewErasureProof,
};
use mintmark_auth::{
    Action, Actor, ApiKeyCaller, ApiScope, CallRole, ControlToken, DisputeClaim, DisputeState, EvidenceRole,
    Impersonator, IssuedKey, KeyEnvironment, KeyStanding, OnBrand, OnTenant, PersonCall, PresentedKey,
    Principal, ServiceVerifier, Session, SessionMinter, SessionVerifier, Standing, Tier, TokenError,
    TokenSource, TrustBundle, TrustStore, audience, authorize, control, scope,
};
use mintmark_ids::{ApiKeyId, BrandId, DisputeId, ServiceName, TenantId, UserId};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::forge::{Forge, ISSUER, TENANT, absent, now, with};

fn tenant() -> TenantId {
    TenantId::parse(TENANT).unwrap()
}

/// The vault's verifier, which lets the control plane and, by a mistake in its bundle, the gateway say everything.
fn verifier(control: &Forge, gateway: &Forge) -> ServiceVerifier {
    let grants: &[(&str, &[&str])] = &[(audience::EVIDENCE, &scope::EVIDENCE)];
    let keys = vec![
        control.trusted(ServiceName::ControlPlane, grants),
        gateway.trusted(ServiceName::PreflightGateway, grants),
    ];
    ServiceVerifier::new(TrustStore::fixed(TrustBundle::new(ISSUER, keys).unwrap()), audience::EVIDENCE)
}

fn person(user: UserId, by: Option<Impersonator>, standing: Standing) -> Principal {
    let forge = Forge::new();
    let minter = SessionMinter::new(forge.key(), ISSUER, Duration::from_secs(60));
    let ttl = Duration::from_secs(60);
    let minted = match by {
        None => minter.mint(user, &tenant(), ttl),
        Some(by) => minter.impersonate(user, &tenant(), ttl, by),
    };
    let verified = SessionVerifier::new(forge.key(), ISSUER).verify(minted.expose()).unwrap();
    Principal::Session(Session::new(verified, standing, Tier::Free))
}

fn roles(roles: &[EvidenceRole]) -> Standing {
    Standing { evidence: roles.to_vec(), ..Standing::default() }
}

fn api_key() -> Principal {
    let issued = IssuedKey::generate(KeyEnvironment::Test);
    let verified = PresentedKey::parse(issued.expose()).unwrap().verify(Some(issued.digest())).unwrap();
    let standing = KeyStanding {
        tenant: tenant(),
        creator: UserId::new(),
        creator_standing: Standing { tenant_admin: true, ..Standing::default() },
        scopes: vec![ApiScope::AdminRead],
        tier: Tier::Free,
        tenant_tier: Tier::Free,
    };
    Principal::ApiKey(ApiKeyCaller::new(verified, standing))
}

fn call<A: Action<On = OnTenant>>(who: &Principal, scope: &'static str) -> PersonCall {
    PersonCall::new(&authorize::<A>(who, OnTenant(tenant())).unwrap(), scope).unwrap()
}

#[test]
fn person_call_says_who_by_what_right_and_about_which_dispute() {
    let (forge, gateway) = (Forge::new(), Forge::new());
    let (verifier, source) =
        (verifier(&forge, &gateway), TokenSource::new(ServiceName::ControlPlane, forge.key(), ISSUER));
    let user = UserId::new();
    let who = person(user, None, roles(&[EvidenceRole::Arbitrator, EvidenceRole::User]));
    let dispute = DisputeClaim { id: DisputeId::new(), state: DisputeState::Open };
    let asked = call::<ReadEvidenceContent>(&who, scope::EVIDENCE_CONTENT).about(dispute);
    let token = source.for_person_call(audience::EVIDENCE, &asked);
    let caller = verifier.verify(token.expose()).unwrap();
    assert_eq!((caller.service(), caller.tenant()), (ServiceName::ControlPlane, &tenant()));
    assert_eq!(caller.scopes(), [scope::EVIDENCE_CONTENT]);
    let claims = caller.person().unwrap();
    assert_eq!(claims.actor(), Actor::User(user));
    assert_eq!((claims.role(), claims.dispute()), (Some(CallRole::Arbitrator), Some(dispute)));
    assert_eq!(
        Principal::Service(caller.clone()).actor(),
        Actor::User(user),
        "the audit takes its actor from it"
    );
    let lifetime = token.expires_at().timestamp() - now();
    assert!((28..=30).contains(&lifetime), "{lifetime}");
    // Never reused.
    assert_ne!(source.for_person_call(audience::EVIDENCE, &asked).expose(), token.expose());
    // For one door only.
    let resolver = ServiceVerifier::new(TrustStore::fixed(forge.bundle()), audience::RESOLVER);
    assert_eq!(resolver.verify(token.expose()).unwrap_err(), TokenError::Audience);
}

#[test]
fn person_call_takes_its_role_from_the_permit() {
    let (forge, gateway) = (Forge::new(), Forge::new());
    let (verifier, source) =
        (verifier(&forge, &gateway), TokenSource::new(ServiceName::ControlPlane, forge.key(), ISSUER));
    let says = |call: &PersonCall| {
        let caller = verifier.verify(source.for_person_call(audience::EVIDENCE, call).expose()).unwrap();
        (caller.person().unwrap().role(), caller.subject().split(':').next().unwrap().to_owned())
    };
    let all = person(UserId::new(), None, roles(&EvidenceRole::ALL));
    let user = person(UserId::new(), None, roles(&[EvidenceRole::User]));
    let admin = person(UserId::new(), None, Standing { tenant_admin: true, ..Standing::default() });
    let governor =
        person(UserId::new(), None, Standing { tenant_admin: true, ..roles(&[EvidenceRole::Governance]) });
    let upload = scope::EVIDENCE_UPLOAD;
    assert_eq!(says(&call::<UploadEvidence>(&all, upload)), (Some(CallRole::Governance), "user".to_owned()));
    assert_eq!(says(&call::<UploadEvidence>(&user, upload)), (Some(CallRole::User), "user".to_owned()));
    for (who, role, kind) in [
        (&admin, CallRole::AdminRead, "user"),
        (&governor, CallRole::Governance, "user"),
        (&api_key(), CallRole::AdminRead, "api-key"),
    ] {
        let call = call::<ViewErasureProof>(who, scope::EVIDENCE_PROOF);
        assert_eq!(says(&call), (Some(role), kind.to_owned()));
    }
    let secret = control::generate();
    let token = ControlToken::parse(secret.expose_secret()).unwrap();
    let operator = Principal::Control(token.verify(secret.expose_secret()).unwrap());
    let operates = call::<OperateEvidence>(&operator, scope::EVIDENCE_OPERATE);
    assert_eq!(says(&operates), (None, "control-token".to_owned()));
    // A USER has no permit to make a call of a governor's with.
    let refused = authorize::<HoldEvidence>(&user, OnTenant(tenant())).err().unwrap();
    assert_eq!(refused.members()["requiredRole"], "GOVERNANCE");
    assert_eq!(refused.members()["grantedRoles"], json!(["USER"]));
}

#[test]
fn person_call_is_not_made_for_somebody_who_acts_as_the_person() {
    let by = Impersonator::ApiKey(ApiKeyId::new());
    let brand = BrandId::new();
    let standing =
        Standing { brands: vec![(brand, mintmark_auth::BrandRole::Owner)], ..roles(&EvidenceRole::ALL) };
    let who = person(UserId::new(), Some(by), standing);
    let refused = authorize::<UploadEvidence>(&who, OnTenant(tenant())).err().unwrap();
    assert_eq!(refused.code(), "IMPERSONATION_REFUSED");
    // Nor with a permit that is given while acting as somebody.
    let permit = authorize::<ViewBrand>(&who, OnBrand { tenant: tenant(), brand }).unwrap();
    let refused = PersonCall::new(&permit, scope::EVIDENCE_READ).unwrap_err();
    assert_eq!(refused.code(), "IMPERSONATION_REFUSED");
}

/// The claims of a good call, as the control plane would sign it.
fn good(user: UserId) -> Value {
    json!({
        "iss": ISSUER, "aud": "ppos:evidence", "sub": format!("user:{user}"), "tenantId": TENANT,
        "scp": ["evidence:content"], "iat": now(), "nbf": now(), "exp": now() + 30, "jti": "t-1",
        "act": {"sub": "service:control-plane"}, "role": "ARBITRATOR",
        "disputeId": DisputeId::new().to_string(), "disputeState": "open",
    })
}

#[test]
fn verify_refuses_person_calls_that_are_not_right() {
    let (forge, gateway) = (Forge::new(), Forge::new());
    let verifier = verifier(&forge, &gateway);
    let user = UserId::new();
    assert!(verifier.verify(&forge.sign(&forge.header(), &good(user))).is_ok());
    use TokenError as E;
    for (member, value, expected) in [
        ("act", absent(), E::Claims),
        ("act", json!("service:control-plane"), E::Claims),
        ("act", json!({"sub": "service:console"}), E::Claims),
        ("act", json!({"sub": "service:control-plane", "x": 1}), E::Claims),
        ("act", json!({"sub": "service:control-plane", "act": {"sub": "user:x"}}), E::Claims),
        ("role", absent(), E::Claims),
        ("role", json!("governance"), E::Claims),
        ("role", json!("OWNER"), E::Claims),
        ("role", json!(["GOVERNANCE"]), E::Claims),
        ("disputeId", absent(), E::Claims),
        ("disputeId", json!("dsp_x"), E::Claims),
        ("disputeId", json!(7), E::Claims),
        ("disputeState", absent(), E::Claims),
        ("disputeState", json!("Open"), E::Claims),
        ("disputeState", json!("reopened"), E::Claims),
        ("exp", json!(now() + 31), E::Lifetime),
        ("exp", json!(now() + 60), E::Lifetime),
        ("sub", json!("client:portal"), E::Claims),
        ("sub", json!("user:somebody"), E::Claims),
        ("sub", json!(format!("user:{user} by api-key:{}", ApiKeyId::new())), E::Claims),
        ("sub", json!(format!("user:{}", user.to_string().to_uppercase())), E::Claims),
        // A key has nobody's role, an operator none, and a service speaks for itself without any of it.
        ("sub", json!(format!("api-key:{}", ApiKeyId::new())), E::Claims),
        ("sub", json!("control-token"), E::Claims),
        ("sub", json!("service:control-plane"), E::Claims),
        ("scp", json!(["directory:publish"]), E::Scope),
        ("aud", json!("ppos:resolver"), E::Audience),
    ] {
        let token = forge.sign(&forge.header(), &with(good(user), member, value.clone()));
        assert_eq!(verifier.verify(&token).unwrap_err(), expected, "{member}: {value}");
    }
    for payload in [r#""role":null"#, r#""role":"USER""#, r#""act":{"sub":"service:control-plane"}"#] {
        let once = good(user).to_string();
        let token = forge.sign_text(&forge.header().to_string(), &format!("{{{payload},{}", &once[1..]));
        assert_eq!(verifier.verify(&token).unwrap_err(), E::Claims, "{payload}");
    }
}

#[test]
fn verify_lets_the_control_plane_alone_speak_for_people() {
    let (forge, gateway) = (Forge::new(), Forge::new());
    let verifier = verifier(&forge, &gateway);
    // Under either name, although the bundle grants it the scope.
    for act in ["service:control-plane", "service:preflight-gateway"] {
        let claims = with(good(UserId::new()), "act", json!({"sub": act}));
        let token = gateway.sign(&gateway.header(), &claims);
        assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Claims, "{act}");
    }
    // A service in its own name has no person behind it.
    let own = ["act", "role", "disputeId", "disputeState"]
        .into_iter()
        .fold(good(UserId::new()), |claims, member| with(claims, member, absent()));
    let own = with(own, "sub", json!("service:preflight-gateway"));
    let caller = verifier.verify(&gateway.sign(&gateway.header(), &own)).unwrap();
    assert_eq!(caller.person(), None);
    assert_eq!(Principal::Service(caller).actor(), Actor::Service(ServiceName::PreflightGateway));
}

#[test]
fn verify_takes_no_claims_of_a_persons_call_elsewhere() {
    let forge = Forge::new();
    let resolver = ServiceVerifier::new(TrustStore::fixed(forge.bundle()), audience::RESOLVER);
    for (member, value) in [("role", "GOVERNANCE"), ("disputeId", "dsp_x"), ("disputeState", "open")] {
        let claims = with(crate::forge::claims(), member, json!(value));
        let refused = resolver.verify(&forge.sign(&forge.header(), &claims)).unwrap_err();
        assert_eq!(refused, TokenError::Claims, "{member}");
    }
}
