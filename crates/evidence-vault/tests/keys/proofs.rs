//! Proofs and certificates: what they say, and that anybody can check them with the published keys.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, Utc};
use mintmark_evidence_vault::proof::{self, DestructionClaims, ErasureClaims};
use mintmark_evidence_vault::provider::{KeyProvider, RsaFile};
use mintmark_ids::{EvidenceId, KekId};
use ring::signature::{RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::tenant;
use crate::local;

/// Whether a signature is PS256's by this JWK.
pub fn verifies(jwk: &Value, message: &[u8], signature: &[u8]) -> bool {
    let number = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let key = RsaPublicKeyComponents { n: number("n"), e: number("e") };
    key.verify(&RSA_PSS_2048_8192_SHA256, message, signature).is_ok()
}

/// Checks a token as anybody would, and gives its header and claims.
pub fn open(jwks: &Value, token: &str) -> (Value, Value) {
    let parts: Vec<&str> = token.split('.').collect();
    let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (header, claims) = (json(parts[0]), json(parts[1]));
    let keys = jwks["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let signed = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    assert!(verifies(key, signed.as_bytes(), &signature));
    (header, claims)
}

fn erasure(recovery: bool) -> ErasureClaims {
    ErasureClaims {
        tenant: tenant("acme"),
        record: EvidenceId::new(),
        erased_at: DateTime::from_timestamp_micros(1_795_000_000_123_456).unwrap(),
        nonce: Uuid::new_v4(),
        actor: "user:usr_01h455vb4pex5vsknk084sn02q".to_owned(),
        recovery,
        ciphertext_sha256: Some([0xab; 32]),
    }
}

pub async fn proofs_verify_with_the_published_keys(provider: &dyn KeyProvider) {
    let claims = [erasure(false), erasure(true)];
    let proofs = proof::erasure_proofs(provider, &claims).await.unwrap();
    let jwks = proof::jwks(provider, None).unwrap();
    for (claims, proof) in claims.iter().zip(&proofs) {
        let (header, said) = open(&jwks, proof);
        let kid = &provider.verifying_key()["kid"];
        assert_eq!(header, json!({"alg": "PS256", "kid": kid, "typ": "erasure-proof+jwt"}));
        assert_eq!(said["evidence_id"], claims.record.to_string());
        assert_eq!(said["tenant_id"], "acme");
        assert_eq!(said["erased_at"], "2026-11-18T11:06:40.123456Z");
        assert_eq!(said["actor_id"], claims.actor);
        assert_eq!((said["nonce"].clone(), said["jti"].clone()), (json!(claims.nonce), json!(claims.nonce)));
        assert_eq!(said["kind"], if claims.recovery { "recovery" } else { "erasure" });
        assert_eq!(said["assurance"], "logical", "until its key is destroyed");
        assert_eq!(said["assurance_at_key_destruction"], provider.assurance().as_str());
        assert_eq!(said["ciphertext_sha256"], "ab".repeat(32));
        assert_eq!(said["iss"], "service:evidence-vault");
        assert!(said["exp"].is_null(), "a record does not expire");
    }
    // Another signature each time: what is served has to be what was stored.
    let again = proof::erasure_proofs(provider, &claims[..1]).await.unwrap();
    assert_ne!(again[0].rsplit('.').next(), proofs[0].rsplit('.').next());
    certificate_verifies(provider, &jwks).await;
}

async fn certificate_verifies(provider: &dyn KeyProvider, jwks: &Value) {
    let day = |day| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
    let claims = DestructionClaims {
        tenant: tenant("acme"),
        kek: KekId::new(),
        purpose: "period",
        period: Some((day(9), day(16))),
        record: None,
        created_at: Utc::now(),
        destroyed_at: DateTime::from_timestamp_micros(1_795_000_000_000_000).unwrap(),
        nonce: Uuid::new_v4(),
        actor: "service:evidence-vault".to_owned(),
    };
    let (header, said) = open(jwks, &proof::key_certificate(provider, &claims).await.unwrap());
    assert_eq!(header["typ"], "key-destruction+jwt");
    assert_eq!(said["kek_id"], claims.kek.to_string());
    assert_eq!(said["destroyed_at"], "2026-11-18T11:06:40.000000Z");
    assert_eq!((&said["period_start"], &said["period_end"]), (&json!("2026-11-09"), &json!("2026-11-16")));
    assert_eq!(said["assurance"], provider.assurance().as_str());
    assert_eq!(said["provider"], provider.name());
    assert!(said["evidence_id"].is_null());
}

#[test]
fn jwks_publishes_retired_keys_and_never_a_private_one() {
    let folder = tempfile::tempdir().unwrap();
    let provider = local::open(folder.path());
    let old = RsaFile::from_pem(&local::rsa_pem()).unwrap().jwk().clone();
    let (present, file) = (provider.verifying_key(), folder.path().join("retired.json"));
    let write = |keys: &Value| std::fs::write(&file, json!({ "keys": keys }).to_string()).unwrap();
    write(&json!([old, present, old]));
    let jwks = proof::jwks(provider.as_ref(), Some(&file)).unwrap();
    assert_eq!(jwks, json!({"keys": [present, old]}), "the present one first, each once");

    let mut private = old.clone();
    private["d"] = json!("c2VjcmV0");
    let mut symmetric = old.clone();
    symmetric["kty"] = json!("oct");
    for keys in [json!([private]), json!([symmetric]), json!([{"kid": "x"}]), json!("x")] {
        write(&keys);
        let error = proof::jwks(provider.as_ref(), Some(&file)).unwrap_err();
        assert!(error.to_string().contains("EVIDENCE_RETIRED_PROOF_KEYS_FILE"), "{error}");
    }
}
