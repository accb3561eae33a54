//! What verifiers load: trust bundles, key sets, keys.

use mintmark_auth::{Jwks, KeyRing, PreflightScopes, SigningKey, TrustBundle, scope};

/// Reads the input as each of them.
pub fn run(data: &[u8]) {
    let text = super::text(data);
    if let Ok(bundle) = TrustBundle::parse(&text) {
        assert!(
            !bundle.issuer().is_empty() && !bundle.keys().is_empty(),
            "nothing could be verified with it"
        );
        let mut kids: Vec<&str> = bundle.keys().iter().map(|key| key.jwk.kid()).collect();
        kids.sort_unstable();
        kids.dedup();
        assert_eq!(kids.len(), bundle.keys().len(), "two keys have one id");
        let printed = bundle.to_json();
        assert_eq!(
            TrustBundle::parse(&printed).ok().as_ref(),
            Some(&bundle),
            "a bundle prints as it is read"
        );
    }
    if let Ok(keys) = serde_json::from_str::<Jwks>(&text) {
        let printed = serde_json::to_string(&keys).unwrap_or_default();
        let again = serde_json::from_str::<Jwks>(&printed).map(|keys| keys.keys);
        assert_eq!(again.ok(), Some(keys.keys), "a key set prints as it is read");
    }
    if let (Ok(key), Ok(ring)) = (SigningKey::from_pem(&text), KeyRing::from_pem(&text)) {
        assert_eq!(key.kid(), ring.signer().kid(), "one file, one key");
    }
    let asked: Vec<&str> = text.split(' ').collect();
    if let Ok(scopes) = PreflightScopes::parse(&asked) {
        assert!(scopes.as_slice().iter().all(|scope| scope::PREFLIGHT.contains(scope)));
        assert!(
            asked.iter().all(|name| scopes.as_slice().contains(name)),
            "what is asked for is granted or refused"
        );
    }
}
