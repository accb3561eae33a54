//! Proofs of erasure and certificates, by a key that openssl makes for the test.

use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintmark_audit::erasure::{Answer, CERTIFICATE_TYPE, PROOF_TYPE, answer, certificate, proof};
use mintmark_audit::token::Jwks;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaPublicKeyComponents};
use serde_json::{Value, json};

struct Vault {
    pair: KeyPair,
    jwks: Jwks,
}

impl Vault {
    fn new() -> Self {
        let made = Command::new("openssl")
            .args([
                "genpkey",
                "-quiet",
                "-algorithm",
                "RSA",
                "-pkeyopt",
                "rsa_keygen_bits:2048",
                "-outform",
                "DER",
            ])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // OpenSSL 3.0 writes DER without the PKCS#8 around it.
        let pair = KeyPair::from_pkcs8(&made.stdout).or_else(|_| KeyPair::from_der(&made.stdout)).unwrap();
        let public: RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
        let [n, e] = [public.n, public.e].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let key = json!({"kty": "RSA", "alg": "PS256", "use": "sig", "kid": "vault", "n": n, "e": e});
        Vault { pair, jwks: Jwks::parse(&json!({ "keys": [key] }).to_string()).unwrap() }
    }

    fn token(&self, header: &Value, claims: &Value, with: &'static dyn RsaEncoding) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(with, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn proof(&self, claims: &Value) -> String {
        self.token(&header(PROOF_TYPE), claims, &RSA_PSS_SHA256)
    }
}

fn header(typ: &str) -> Value {
    json!({"alg": "PS256", "kid": "vault", "typ": typ})
}

fn claims() -> Value {
    json!({
        "evidence_id": "evd_1", "tenant_id": "acme", "actor_id": "service:evidence-vault",
        "erased_at": "2026-11-22T20:00:00.000001Z", "nonce": "6f0b1c1e-31c4-4a2a-a3cb-0c1f3f5d7e11",
    })
}

#[test]
fn proof_holds_and_every_changed_byte_is_caught() {
    let vault = Vault::new();
    let token = vault.proof(&claims());
    let erasure = proof(&token, &vault.jwks).unwrap();
    assert_eq!((erasure.evidence_id.as_str(), erasure.tenant_id.as_str()), ("evd_1", "acme"));
    for at in 0..token.len() {
        for bit in 0..8 {
            let mut bent = token.clone().into_bytes();
            bent[at] ^= 1 << bit;
            let Ok(bent) = String::from_utf8(bent) else { continue };
            assert!(proof(&bent, &vault.jwks).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn token_of_another_kind_algorithm_or_key_is_refused() {
    let vault = Vault::new();
    let refused = |token: &str| proof(token, &vault.jwks).is_err();
    let sign = |header: &Value| vault.token(header, &claims(), &RSA_PSS_SHA256);
    assert!(!refused(&sign(&header(PROOF_TYPE))));
    assert!(refused(&sign(&header(CERTIFICATE_TYPE))), "a certificate is no proof");
    assert!(refused(&sign(&json!({"alg": "RS256", "kid": "vault", "typ": PROOF_TYPE}))));
    assert!(refused(&sign(&json!({"alg": "none", "kid": "vault", "typ": PROOF_TYPE}))));
    assert!(refused(&sign(&json!({"alg": "PS256", "kid": "other", "typ": PROOF_TYPE}))));
    let extra = json!({"alg": "PS256", "kid": "vault", "typ": PROOF_TYPE, "jku": "https://e.example"});
    assert!(refused(&sign(&extra)));
    let pkcs1 = vault.token(&header(PROOF_TYPE), &claims(), &RSA_PKCS1_SHA256);
    assert!(refused(&pkcs1), "the key is for PSS alone");
    assert!(refused(&Vault::new().proof(&claims())), "another vault's key under the same id");
    for name in ["evidence_id", "tenant_id", "actor_id", "erased_at", "nonce"] {
        let mut fewer = claims();
        fewer.as_object_mut().unwrap().remove(name);
        assert!(refused(&vault.proof(&fewer)), "without {name}");
    }
}

#[test]
fn answer_holds_together_or_is_refused() {
    let vault = Vault::new();
    let mut recovery = claims();
    recovery["nonce"] = json!("6f0b1c1e-31c4-4a2a-a3cb-0c1f3f5d7e12");
    let destroyed = json!({"kek_id": "kek_1", "tenant_id": "acme", "destroyed_at": "2026-11-23T00:00:00Z"});
    let destroyed = vault.token(&header(CERTIFICATE_TYPE), &destroyed, &RSA_PSS_SHA256);
    assert_eq!(certificate(&destroyed, &vault.jwks).unwrap().kek_id, "kek_1");
    let whole = Answer {
        evidence_id: "evd_1".to_owned(),
        proof: vault.proof(&claims()),
        recovery_proofs: vec![vault.proof(&recovery)],
        key_certificates: vec![destroyed],
    };
    let (proofs, certificates) = answer(&whole, &vault.jwks).unwrap();
    assert_eq!((proofs.len(), certificates.len()), (2, 1));
    let refused = |other: Answer| answer(&other, &vault.jwks).is_err();
    assert!(refused(Answer { evidence_id: "evd_2".to_owned(), ..whole.clone() }));
    assert!(
        refused(Answer { recovery_proofs: vec![whole.proof.clone()], ..whole.clone() }),
        "one nonce twice"
    );
    let mut foreign = recovery.clone();
    foreign["tenant_id"] = json!("other");
    assert!(refused(Answer { recovery_proofs: vec![vault.proof(&foreign)], ..whole.clone() }));
    assert!(refused(Answer { key_certificates: vec![whole.proof.clone()], ..whole }));
}
