use std::time::Duration;

use mintmark_auth::{
    Jwk, KeyRing, KeyRingError, KeyStore, ServiceVerifier, SessionMinter, SessionVerifier, SigningKey,
    TokenError, TokenSource, TrustStore, audience, scope,
};
use mintmark_ids::{ServiceName, TenantId, UserId};

use crate::forge::{Forge, ISSUER, TENANT};

fn tenant() -> TenantId {
    TenantId::parse(TENANT).unwrap()
}

fn nothing() -> KeyStore {
    Forge::new().key().into()
}

#[test]
fn ring_signs_with_the_first_key_and_accepts_all() {
    let (first, second) = (Forge::new(), Forge::new());
    let text = format!("# two keys\n\n{}\n# the older\n{}\n", first.pem(), second.pem());
    let ring = KeyRing::from_pem(&text).unwrap();
    assert_eq!(ring.signer().kid(), first.kid);
    let accepted: Vec<&str> = ring.accepted().iter().map(Jwk::kid).collect();
    assert_eq!(accepted, [first.kid.as_str(), second.kid.as_str()]);
    // What an editor of another system makes of it.
    assert_eq!(KeyRing::from_pem(&text.replace('\n', "\r\n")).unwrap().accepted().len(), 2);
}

#[test]
fn ring_refuses_what_is_not_whole() {
    let (a, b) = (Forge::new().pem(), Forge::new().pem());
    let cut = |pem: &str, lines: usize| pem.lines().take(lines).collect::<Vec<_>>().join("\n");
    assert!(matches!(KeyRing::from_pem("# nothing\n"), Err(KeyRingError::Empty)));
    assert!(matches!(KeyRing::from_pem(&format!("{a}{a}")), Err(KeyRingError::Twice(2))));
    assert!(matches!(KeyRing::from_pem(&format!("{a}{}", cut(&b, 2))), Err(KeyRingError::Stray(_))));
    assert!(matches!(KeyRing::from_pem(&format!("{}\n{b}", cut(&a, 2))), Err(KeyRingError::Stray(3))));
    assert!(matches!(KeyRing::from_pem(&format!("{a}password\n")), Err(KeyRingError::Stray(_))));
    let broken = format!("{a}{}", b.replacen("\nM", "\nA", 1));
    let error = KeyRing::from_pem(&broken).err().unwrap();
    assert!(matches!(error, KeyRingError::Key(2, _)), "{error}");
}

#[test]
fn store_reload_rotates_sessions_with_an_overlap_and_ends_them_with_their_key() {
    let (old, new, apart) = (Forge::new(), Forge::new(), nothing());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pem");
    let put = |text: String| std::fs::write(&path, text).unwrap();
    assert!(matches!(KeyStore::load(&path), Err(KeyRingError::Unreadable(_))));
    put(old.pem());
    let store = KeyStore::load(&path).unwrap();
    let minter = SessionMinter::new(store.clone(), ISSUER, Duration::from_secs(60));
    let verifier = SessionVerifier::new(store.clone(), ISSUER);
    let mint = || minter.mint(UserId::new(), &tenant(), Duration::from_secs(60)).expose().to_owned();
    let before = mint();
    assert!(!store.reload(&apart).unwrap(), "nothing changed");

    put(old.pem() + &new.pem());
    assert!(store.reload(&apart).unwrap());
    assert!(verifier.verify(&mint()).is_ok());
    put(new.pem() + &old.pem());
    assert!(store.reload(&apart).unwrap(), "the order is a change");
    let after = mint();
    assert!(verifier.verify(&before).is_ok() && verifier.verify(&after).is_ok(), "both, for the overlap");

    put(new.pem().replace("END", "AND"));
    assert!(store.reload(&apart).is_err());
    assert!(verifier.verify(&before).is_ok(), "a broken file changes nothing");

    put(new.pem());
    assert!(store.reload(&apart).unwrap());
    assert_eq!(verifier.verify(&before).unwrap_err(), TokenError::UnknownKey);
    assert!(verifier.verify(&after).is_ok());
}

#[test]
fn store_takes_no_key_that_another_purpose_has() {
    let (identity, session) = (Forge::new(), Forge::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("session.pem");
    std::fs::write(&path, session.pem()).unwrap();
    let (store, other) = (KeyStore::load(&path).unwrap(), KeyStore::from(identity.key()));
    assert!(store.apart_from(&other).is_ok());
    std::fs::write(&path, session.pem() + &identity.pem()).unwrap();
    assert!(matches!(store.reload(&other), Err(KeyRingError::Shared)));
    assert_eq!(store.current().accepted().len(), 1);
    assert!(matches!(KeyStore::load(&path).unwrap().apart_from(&other), Err(KeyRingError::Shared)));
}

#[test]
fn source_hands_out_nothing_that_a_replaced_key_signed() {
    let (old, new) = (Forge::new(), Forge::new());
    let store = KeyStore::from(old.key());
    let source = TokenSource::new(ServiceName::ControlPlane, store.clone(), ISSUER);
    let ask = || source.for_tenant(audience::RESOLVER, &tenant(), &[scope::DIRECTORY_READ]);
    let first = ask().expose().to_owned();
    assert_eq!(ask().expose(), first);
    assert!(!store.replace(old.key()), "the same key");
    assert_eq!(ask().expose(), first);
    assert!(store.replace(SigningKey::from_pem(&new.pem()).unwrap()));
    let verifier = ServiceVerifier::new(TrustStore::fixed(new.bundle()), audience::RESOLVER);
    assert!(verifier.verify(ask().expose()).is_ok());
    assert!(verifier.verify(&first).is_err());
}
