use std::time::Duration;

use mintmark_auth::{
    KeyRing, MAX_SESSION_TTL, SESSION_AUDIENCE, ServiceVerifier, SessionMinter, SessionVerifier, TokenError,
    TrustStore, audience,
};
use mintmark_ids::{TenantId, UserId};
use serde_json::{Value, json};

use crate::forge::{Forge, ISSUER, TENANT, absent, claims, now, with};

const HOUR: Duration = Duration::from_secs(3_600);

fn verifier(forge: &Forge) -> SessionVerifier {
    SessionVerifier::new(forge.key(), ISSUER)
}

fn header(forge: &Forge) -> Value {
    with(forge.header(), "typ", json!("session+jwt"))
}

fn session_claims() -> Value {
    let claims = with(claims(), "aud", json!(SESSION_AUDIENCE));
    let claims = with(claims, "scp", absent());
    with(claims, "sub", json!(format!("user:{}", UserId::new())))
}

#[test]
fn mint_gives_what_the_verifier_accepts() {
    let forge = Forge::new();
    let (user, tenant) = (UserId::new(), TenantId::parse(TENANT).unwrap());
    let minter = SessionMinter::new(forge.key(), ISSUER, 12 * HOUR);
    let minted = minter.mint(user, &tenant, HOUR);
    let session = verifier(&forge).verify(minted.expose()).unwrap();
    assert_eq!((session.user(), session.tenant()), (user, &tenant));
    assert_eq!(session.expires_at(), minted.expires_at());
    assert!((3_598..=3_600).contains(&(minted.expires_at().timestamp() - now())));
    assert_eq!(format!("{minted:?}"), "Minted([secret])");
}

#[test]
fn mint_keeps_to_its_longest_lifetime() {
    let tenant = TenantId::parse(TENANT).unwrap();
    for (max, ttl, expected) in
        [(HOUR, 2 * HOUR, 3_600), (Duration::MAX, Duration::MAX, 86_400), (HOUR, Duration::ZERO, 1)]
    {
        let minter = SessionMinter::new(Forge::new().key(), ISSUER, max);
        let lives = minter.mint(UserId::new(), &tenant, ttl).expires_at().timestamp() - now();
        assert!((expected - 2..=expected).contains(&lives), "{lives}");
    }
}

#[test]
fn verify_accepts_either_key_of_a_rotation() {
    let (old, new) = (Forge::new(), Forge::new());
    let verifier = SessionVerifier::new(KeyRing::from_pem(&(new.pem() + &old.pem())).unwrap(), ISSUER);
    for forge in [&old, &new] {
        assert!(verifier.verify(&forge.sign(&header(forge), &session_claims())).is_ok());
    }
    let stranger = Forge::new();
    let token = stranger.sign(&header(&stranger), &session_claims());
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::UnknownKey);
}

#[test]
fn verify_refuses_sessions_that_are_not_right() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    let too_long = now() + i64::try_from(MAX_SESSION_TTL.as_secs()).unwrap() + 1;
    use TokenError as E;
    for (member, value, expected) in [
        ("aud", json!("ppos:resolver"), E::Audience),
        ("aud", json!(["mintmark:session"]), E::Claims),
        ("iss", json!("https://evil.example"), E::Issuer),
        ("sub", json!("service:control-plane"), E::Claims),
        ("sub", json!(UserId::new()), E::Claims),
        ("sub", json!("user:brd_01h45ytscbebyvny4gc8cr8ma2"), E::Claims),
        ("tenantId", absent(), E::Claims),
        ("jti", absent(), E::Claims),
        ("nbf", absent(), E::Claims),
        ("exp", json!(now() - 1), E::Expired),
        ("exp", json!(too_long), E::Lifetime),
    ] {
        let token = forge.sign(&header(&forge), &with(session_claims(), member, value.clone()));
        assert_eq!(verifier.verify(&token).unwrap_err(), expected, "{member}: {value}");
    }
    for typ in [json!("JWT"), json!("SESSION+JWT"), absent()] {
        let token = forge.sign(&with(header(&forge), "typ", typ), &session_claims());
        assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Header);
    }
}

#[test]
fn session_and_service_token_never_pass_for_each_other() {
    // One key for both, which no deployment has: the tokens still differ.
    let forge = Forge::new();
    let services = ServiceVerifier::new(TrustStore::fixed(forge.bundle()), audience::RESOLVER);
    let session = forge.sign(&header(&forge), &session_claims());
    assert_eq!(services.verify(&session).unwrap_err(), TokenError::Header);
    let service = forge.sign(&forge.header(), &claims());
    assert_eq!(verifier(&forge).verify(&service).unwrap_err(), TokenError::Header);
}
