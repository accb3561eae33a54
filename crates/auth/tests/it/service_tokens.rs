use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintmark_auth::{ServiceVerifier, Tier, TokenError, TokenSource, TrustStore, audience, control, scope};
use mintmark_fault::{Fault, Kind};
use mintmark_ids::{ServiceName, TenantId};
use proptest::prelude::*;
use ring::hmac;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::forge::{Forge, absent, claims, now, with};

fn verifier(forge: &Forge) -> ServiceVerifier {
    ServiceVerifier::new(TrustStore::fixed(forge.bundle()), audience::RESOLVER)
}

#[test]
fn verify_accepts_a_good_token() {
    let forge = Forge::new();
    let caller = verifier(&forge).verify(&forge.sign(&forge.header(), &claims())).unwrap();
    assert_eq!(caller.service(), ServiceName::ControlPlane);
    assert_eq!(caller.tenant().as_str(), "acme-spirits");
    assert_eq!(caller.scopes(), ["directory:publish"]);
    assert_eq!(caller.subject(), "service:control-plane");
    assert_eq!(caller.jti(), "t-1");
    assert_eq!(caller.tier(), Tier::Free);
}

#[test]
fn verify_accepts_what_the_rules_leave_open() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    for (member, value) in [
        ("scp", json!("directory:publish directory:read")),
        ("sub", json!("client:portal")),
        ("tier", json!("enterprise")),
        ("nbf", json!(now() + 3)),
        ("iat", json!(now() + 3)),
        ("act", json!({"sub": "service:console"})),
    ] {
        let token = forge.sign(&forge.header(), &with(claims(), member, value.clone()));
        assert!(verifier.verify(&token).is_ok(), "{member}: {value}");
    }
}

#[test]
fn verify_refuses_claims_that_are_not_right() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    // One time for all of them: a lifetime that is a second too long must not end within a limit by the turn of a second.
    let claims = claims();
    let now = claims["iat"].as_i64().unwrap();
    use TokenError as E;
    for (member, value, expected) in [
        ("iss", json!("https://evil.example"), E::Issuer),
        ("iss", json!([crate::forge::ISSUER]), E::Claims),
        ("aud", json!("ppos:evidence"), E::Audience),
        ("aud", json!("ppos:resolver2"), E::Audience),
        ("aud", json!("ppos:resolve"), E::Audience),
        ("aud", json!(["ppos:resolver"]), E::Claims),
        ("aud", json!(["ppos:evidence", "ppos:resolver"]), E::Claims),
        ("tenantId", json!("ACME"), E::Claims),
        ("tenantId", json!("../acme"), E::Claims),
        ("tenantId", json!(7), E::Claims),
        ("exp", json!(now), E::Expired),
        ("exp", json!(now - 1), E::Expired),
        ("exp", json!(0), E::Expired),
        ("exp", json!(-1), E::Claims),
        ("exp", json!((now + 30).to_string()), E::Claims),
        ("exp", json!(now as f64 + 30.5), E::Claims),
        ("exp", json!(1e300), E::Claims),
        ("exp", json!(u64::MAX), E::Claims),
        ("exp", json!(now + 61), E::Lifetime),
        ("exp", json!(now + 86_400), E::Lifetime),
        ("iat", json!(now - 3_600), E::Lifetime),
        ("iat", json!(now + 30), E::NotYetValid),
        ("iat", json!(true), E::Claims),
        ("nbf", json!(now + 30), E::NotYetValid),
        ("nbf", json!("999"), E::Claims),
        ("sub", json!(""), E::Claims),
        ("sub", json!("control-plane"), E::Claims),
        ("sub", json!("service:resolver"), E::Claims),
        ("sub", json!("user:"), E::Claims),
        ("sub", json!("user:a\nb"), E::Claims),
        ("jti", json!(""), E::Claims),
        ("jti", json!("x".repeat(65)), E::Claims),
        ("scp", json!([]), E::Claims),
        ("scp", json!(""), E::Claims),
        ("scp", json!("directory:publish  directory:read"), E::Claims),
        ("scp", json!([["directory:publish"]]), E::Claims),
        ("scp", json!({"0": "directory:publish"}), E::Claims),
        ("scp", json!("directory:*"), E::Scope),
        ("scp", json!(["directory:publish", "admin:write"]), E::Scope),
        ("scp", json!(["preflight:read"]), E::Scope),
        ("tier", json!("platinum"), E::Claims),
        ("tier", json!(1), E::Claims),
    ] {
        let token = forge.sign(&forge.header(), &with(claims.clone(), member, value.clone()));
        assert_eq!(verifier.verify(&token).unwrap_err(), expected, "{member}: {value}");
    }
    // Within the leeway, and over before it begins.
    let never = with(with(claims, "nbf", json!(now + 4)), "exp", json!(now + 4));
    assert_eq!(verifier.verify(&forge.sign(&forge.header(), &never)).unwrap_err(), E::Claims);
}

#[test]
fn verify_refuses_each_claim_missing_null_or_twice() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    for member in ["iss", "aud", "sub", "tenantId", "scp", "iat", "nbf", "exp", "jti"] {
        let missing = with(claims(), member, absent());
        let null = with(claims(), member, Value::Null);
        let once = claims().to_string();
        let twice = format!("{},{}:{}}}", &once[..once.len() - 1], json!(member), claims()[member]);
        for payload in [missing.to_string(), null.to_string(), twice] {
            let token = forge.sign_text(&forge.header().to_string(), &payload);
            assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Claims, "{payload}");
        }
    }
    // Also those that may be absent.
    for payload in [r#""tier":null"#, r#""tier":"free","tier":"enterprise""#, r#""x":1,"x":2"#] {
        let once = claims().to_string();
        let token = forge.sign_text(&forge.header().to_string(), &format!("{{{payload},{}", &once[1..]));
        assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Claims, "{payload}");
    }
}

#[test]
fn verify_refuses_headers_that_are_not_ours() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    use TokenError as E;
    for (member, value, expected) in [
        ("alg", json!("none"), E::Algorithm),
        ("alg", json!("None"), E::Algorithm),
        ("alg", json!("NONE"), E::Algorithm),
        ("alg", json!("nOnE"), E::Algorithm),
        ("alg", json!(""), E::Algorithm),
        ("alg", json!("eddsa"), E::Algorithm),
        ("alg", json!("HS256"), E::Algorithm),
        ("alg", json!("RS256"), E::Algorithm),
        ("alg", json!(["EdDSA"]), E::Algorithm),
        ("alg", absent(), E::Algorithm),
        ("typ", json!("session+jwt"), E::Header),
        ("typ", json!("at+jwt"), E::Header),
        ("typ", json!("jwt"), E::Header),
        ("typ", absent(), E::Header),
        ("kid", absent(), E::UnknownKey),
        ("kid", json!(""), E::UnknownKey),
        ("kid", json!(7), E::UnknownKey),
        ("kid", json!("unknown"), E::UnknownKey),
        ("kid", json!("../../../dev/null"), E::UnknownKey),
        ("kid", json!("' OR '1'='1"), E::UnknownKey),
        ("kid", json!("x|sleep 9"), E::UnknownKey),
        ("jku", json!("https://evil.example/jwks.json"), E::Header),
        ("x5u", json!("https://evil.example/cert.pem"), E::Header),
        ("x5c", json!(["AAAA"]), E::Header),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}), E::Header),
        ("crit", json!(["exp"]), E::Header),
        ("crit", json!([]), E::Header),
        ("b64", json!(false), E::Header),
        ("zip", json!("DEF"), E::Header),
        ("cty", json!("JWT"), E::Header),
    ] {
        let token = forge.sign(&with(forge.header(), member, value.clone()), &claims());
        assert_eq!(verifier.verify(&token).unwrap_err(), expected, "{member}: {value}");
    }
    let twice = format!(r#"{{"alg":"none","alg":"EdDSA","typ":"JWT","kid":"{}"}}"#, forge.kid);
    let token = forge.sign_text(&twice, &claims().to_string());
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Header);
}

#[test]
fn verify_refuses_signatures_that_are_not_the_keys() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    let good = forge.sign(&forge.header(), &claims());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();

    let mut flipped = raw.clone();
    flipped[0] ^= 1;
    let mut longer = raw.clone();
    longer.push(0);
    let other = Forge::new().sign(&forge.header(), &claims());
    let public = forge.key().public_jwk();
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, public.public_key());
    for (name, signature) in [
        ("another key's", other.rsplit_once('.').unwrap().1.to_owned()),
        ("zeros", URL_SAFE_NO_PAD.encode([0; 64])),
        ("empty", String::new()),
        ("short", URL_SAFE_NO_PAD.encode(&raw[..63])),
        ("long", URL_SAFE_NO_PAD.encode(longer)),
        ("one bit", URL_SAFE_NO_PAD.encode(flipped)),
        ("malleable", URL_SAFE_NO_PAD.encode(add_group_order(&raw))),
        ("padded", format!("{signature}==")),
        ("with white space", format!("{signature}\n")),
        ("hmac under the public key", URL_SAFE_NO_PAD.encode(hmac::sign(&hmac_key, signed.as_bytes()))),
    ] {
        let token = format!("{signed}.{signature}");
        assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Signature, "{name}");
    }
    // The classic confusion, whole: HS256 in the header and the public key as the secret.
    let header = with(forge.header(), "alg", json!("HS256")).to_string();
    let signed =
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims().to_string()));
    let tag = hmac::sign(&hmac_key, signed.as_bytes());
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Algorithm);
}

/// S + L: a second signature for the same message wherever S is not checked to be canonical (RFC 8032, 5.1.7).
fn add_group_order(signature: &[u8]) -> Vec<u8> {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut sum = signature.to_vec();
    let mut carry = 0;
    for (byte, order) in sum[32..].iter_mut().zip(L) {
        let value = u16::from(*byte) + u16::from(order) + carry;
        *byte = (value & 0xff) as u8;
        carry = value >> 8;
    }
    assert_eq!(carry, 0);
    sum
}

#[test]
fn verify_refuses_what_is_no_compact_token() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    let good = forge.sign(&forge.header(), &claims());
    let parts: Vec<_> = good.split('.').collect();
    let flattened = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    let general =
        json!({"payload": parts[1], "signatures": [{"protected": parts[0], "signature": parts[2]}]});
    for text in [
        "",
        ".",
        "..",
        "...",
        "not a token",
        "mm_live_abc_def",
        &flattened,
        &general.to_string(),
        &format!("Bearer {good}"),
        &format!(" {good}"),
        &format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        &format!("{}.{}", parts[0], parts[1]),
        &format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("[]"), parts[1], parts[2]),
        &format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("{"), parts[1], parts[2]),
    ] {
        let error = verifier.verify(text).unwrap_err();
        assert_eq!(error, TokenError::Malformed, "{text}");
        assert_eq!(error.to_string(), "jwt malformed");
    }
    // A fourth part lands in the signed text or the signature; neither verifies.
    for text in [format!("{good}.x"), format!("x.{good}")] {
        assert!(verifier.verify(&text).is_err(), "{text}");
    }
    // A signature over something that is no object.
    for payload in ["[]", "null", "\"x\"", "{", ""] {
        let token = forge.sign_text(&forge.header().to_string(), payload);
        assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Claims, "{payload}");
    }
}

#[test]
fn verify_refuses_oversize_and_control_tokens_by_name() {
    let forge = Forge::new();
    let verifier = verifier(&forge);
    let padded = with(claims(), "pad", json!("x".repeat(4096)));
    let token = forge.sign(&forge.header(), &padded);
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Oversize);

    let token = control::generate();
    assert_eq!(verifier.verify(token.expose_secret()).unwrap_err(), TokenError::ControlToken);
}

#[test]
fn verify_refuses_a_key_that_is_trusted_for_something_else() {
    let (control, vault) = (Forge::new(), Forge::new());
    let bundle = mintmark_auth::TrustBundle::new(
        crate::forge::ISSUER,
        vec![
            control.bundle().keys()[0].clone(),
            vault.trusted(ServiceName::EvidenceVault, &[(audience::REGISTRY, &["directory:publish"])]),
        ],
    );
    let verifier = ServiceVerifier::new(TrustStore::fixed(bundle.unwrap()), audience::RESOLVER);
    // Under its own name: the scope is granted for another audience only.
    let claims_of_vault = with(claims(), "sub", json!("service:evidence-vault"));
    let token = vault.sign(&vault.header(), &claims_of_vault);
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Scope);
    // Under the control plane's name.
    let token = vault.sign(&vault.header(), &claims());
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Claims);
    // Under the control plane's key id.
    let token = vault.sign(&control.header(), &claims());
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::Signature);
}

#[test]
fn verify_lets_a_preflight_token_live_five_minutes() {
    let forge = Forge::new();
    let verifier = ServiceVerifier::new(TrustStore::fixed(forge.bundle()), audience::PREFLIGHT);
    let preflight = |exp: i64| {
        let claims = with(claims(), "aud", json!("ppos:control"));
        let claims = with(claims, "scp", json!(scope::PREFLIGHT));
        forge.sign(&forge.header(), &with(claims, "exp", json!(now() + exp)))
    };
    assert!(verifier.verify(&preflight(300)).is_ok());
    assert_eq!(verifier.verify(&preflight(302)).unwrap_err(), TokenError::Lifetime);
}

#[test]
fn verify_forgets_verified_tokens_when_the_bundle_changes() {
    let (old, new) = (Forge::new(), Forge::new());
    let trust = TrustStore::fixed(old.bundle());
    let verifier = ServiceVerifier::new(trust.clone(), audience::RESOLVER);
    let token = old.sign(&old.header(), &claims());
    assert!(verifier.verify(&token).is_ok());
    assert!(verifier.verify(&token).is_ok());
    assert!(trust.replace(new.bundle()));
    assert_eq!(verifier.verify(&token).unwrap_err(), TokenError::UnknownKey);
    assert!(verifier.verify(&new.sign(&new.header(), &claims())).is_ok());
}

#[test]
fn token_error_becomes_authentication_required() {
    let fault = Fault::from(TokenError::Expired);
    assert_eq!((fault.kind(), fault.code()), (Kind::Unauthenticated, "AUTHENTICATION_REQUIRED"));
    assert!(!fault.to_string().contains("expired"));
}

fn source(forge: &Forge) -> TokenSource {
    TokenSource::new(ServiceName::ControlPlane, forge.key(), crate::forge::ISSUER)
}

#[test]
fn source_mints_what_the_verifier_accepts() {
    let forge = Forge::new();
    let tenant = TenantId::parse("acme-spirits").unwrap();
    let token = source(&forge).for_tenant(
        audience::RESOLVER,
        &tenant,
        &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_READ],
    );
    let caller = verifier(&forge).verify(token.expose()).unwrap();
    assert_eq!(caller.tenant(), &tenant);
    assert_eq!(caller.scopes(), [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_READ]);
    assert_eq!(caller.subject(), "service:control-plane");
    let lifetime = token.expires_at().timestamp() - now();
    assert!((58..=60).contains(&lifetime), "{lifetime}");
    assert!(!format!("{token:?}").contains(token.expose()));
}

#[test]
fn source_reuses_a_token_for_the_same_audience_tenant_and_scopes_only() {
    let forge = Forge::new();
    let source = source(&forge);
    let (acme, other) = (TenantId::parse("acme-spirits").unwrap(), TenantId::parse("other").unwrap());
    let raw = |audience, tenant: &TenantId, scopes: &[&'static str]| {
        source.for_tenant(audience, tenant, scopes).expose().to_owned()
    };
    let first = raw(audience::RESOLVER, &acme, &[scope::DIRECTORY_PUBLISH]);
    assert_eq!(raw(audience::RESOLVER, &acme, &[scope::DIRECTORY_PUBLISH]), first);
    for different in [
        raw(audience::EVIDENCE, &acme, &[scope::DIRECTORY_PUBLISH]),
        raw(audience::RESOLVER, &other, &[scope::DIRECTORY_PUBLISH]),
        raw(audience::RESOLVER, &acme, &[scope::DIRECTORY_READ]),
        raw(audience::RESOLVER, &acme, &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_READ]),
    ] {
        assert_ne!(different, first);
    }
}

proptest! {
    #[test]
    fn verify_never_panics_on_any_text(text in "\\PC{0,200}", header in "\\PC{0,60}", payload in "\\PC{0,60}") {
        let forge = Forge::new();
        let verifier = verifier(&forge);
        prop_assert!(verifier.verify(&text).is_err());
        prop_assert!(verifier.verify(&forge.sign_text(&header, &payload)).is_err());
        let token = forge.sign_text(&forge.header().to_string(), &payload);
        prop_assert!(verifier.verify(&token).is_err());
    }
}
