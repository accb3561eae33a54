use mintmark_auth::{BundleError, ServiceVerifier, TokenError, TrustBundle, TrustStore, audience};
use mintmark_ids::ServiceName;
use serde_json::{Value, json};

use crate::forge::{Forge, ISSUER, claims};

#[test]
fn bundle_reads_back_from_its_json() {
    let bundle = Forge::new().bundle();
    assert_eq!(TrustBundle::parse(&bundle.to_json()).unwrap(), bundle);
    let key = &serde_json::from_str::<Value>(&bundle.to_json()).unwrap()["keys"][0];
    assert_eq!(key["kty"], "OKP");
    assert_eq!(key["service"], "control-plane");
    assert_eq!(key["grants"][0]["aud"], "ppos:resolver");
}

#[test]
fn bundle_parse_refuses_what_it_does_not_understand() {
    let good: Value = serde_json::from_str(&Forge::new().bundle().to_json()).unwrap();
    assert!(TrustBundle::parse(&good.to_string()).is_ok());
    for (pointer, value) in [
        ("/keys/0/alg", json!("HS256")),
        ("/keys/0/kty", json!("oct")),
        ("/keys/0/crv", json!("Ed448")),
        ("/keys/0/use", json!("enc")),
        ("/keys/0/x", json!("AAAA")),
        ("/keys/0/kid", json!("a b")),
        ("/keys/0/service", json!("nobody")),
        ("/keys/0/grants", json!("all")),
        ("/keys/0/grants/0", json!({"aud": "ppos:resolver", "scope": ["directory:publish"]})),
        ("/keys/0", json!({})),
        ("/keys", json!([])),
        ("/issuer", json!("")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(TrustBundle::parse(&bad.to_string()).is_err(), "{pointer}");
    }
    let mut private = good.clone();
    private["keys"][0]["d"] = json!("AAAA");
    assert!(TrustBundle::parse(&private.to_string()).is_err());
}

#[test]
fn bundle_refuses_two_keys_with_one_id() {
    let forge = Forge::new();
    let keys = vec![
        forge.trusted(ServiceName::ControlPlane, &[]),
        forge.trusted(ServiceName::Console, &[(audience::RESOLVER, &["directory:publish"])]),
    ];
    assert!(
        matches!(TrustBundle::new(ISSUER, keys), Err(BundleError::DuplicateKey(kid)) if kid == forge.kid)
    );
}

#[test]
fn reload_takes_a_new_bundle_and_keeps_the_old_one_on_error() {
    let (old, new) = (Forge::new(), Forge::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trust.json");
    assert!(matches!(TrustStore::load(&path), Err(BundleError::Unreadable(_))));
    std::fs::write(&path, old.bundle().to_json()).unwrap();

    let store = TrustStore::load(&path).unwrap();
    let verifier = ServiceVerifier::new(store.clone(), audience::RESOLVER);
    let of = |forge: &Forge| verifier.verify(&forge.sign(&forge.header(), &claims()));
    assert!(of(&old).is_ok());
    assert_eq!(of(&new).unwrap_err(), TokenError::UnknownKey);
    let generation = store.generation();
    assert!(!store.reload().unwrap());
    assert_eq!(store.generation(), generation);

    std::fs::write(&path, "{").unwrap();
    assert!(matches!(store.reload(), Err(BundleError::Json(_))));
    assert!(of(&old).is_ok());
    assert_eq!(store.generation(), generation);

    // During a rotation both are there.
    let both = vec![new.bundle().keys()[0].clone(), old.bundle().keys()[0].clone()];
    std::fs::write(&path, TrustBundle::new(ISSUER, both).unwrap().to_json()).unwrap();
    assert!(store.reload().unwrap());
    assert!(of(&old).is_ok() && of(&new).is_ok());

    std::fs::write(&path, new.bundle().to_json()).unwrap();
    assert!(store.reload().unwrap());
    assert_eq!(of(&old).unwrap_err(), TokenError::UnknownKey);
    assert!(of(&new).is_ok());
    assert_eq!(store.generation(), generation + 2);
}

#[test]
fn reload_of_a_store_without_a_file_changes_nothing() {
    let store = TrustStore::fixed(Forge::new().bundle());
    assert!(!store.reload().unwrap());
}
