//! Verifying a service token: against the bare signature check that nobody can do without, and out of the cache.

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use mintmark_auth::{
    DEFAULT_ISSUER, Grant, ServiceVerifier, SigningKey, TrustBundle, TrustStore, TrustedKey, audience, scope,
};
use mintmark_ids::ServiceName;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde_json::json;

use crate::report::{Better, ROUNDS, Report, Round};
use crate::{Failure, Result};

/// Tokens in a run, each verified once: fewer than the cache holds, so that each is remembered as in ordinary work.
const TOKENS: usize = 10_000;
/// Tokens in one turn, some milliseconds.
const TURN: usize = 100;
/// Verifications of one token in a run out of the cache.
const REPEATED: usize = 1_000_000;

/// A token that was never seen, against ring's verification of the same bytes.
pub fn uncached(report: &mut Report) -> Result {
    let issuer = Issuer::new()?;
    let tokens = issuer.tokens();
    let messages = tokens.iter().map(|token| Signed::of(token)).collect::<Result<Vec<_>>>()?;
    let mut rounds = Vec::new();
    // A round that nobody counts warms caches and the clock of the CPU.
    for round in 0..=ROUNDS {
        let both = side_by_side(&issuer, &tokens, &messages)?;
        if round > 0 {
            rounds.push(both);
        }
    }
    report.note(&format!("{TOKENS} different tokens of {} bytes, one thread", tokens[0].len()));
    report.figure("token", "verifications/s", Better::More, &rounds)
}

/// A token that was verified before, against one that was not.
pub fn cached(report: &mut Report) -> Result {
    let issuer = Issuer::new()?;
    let tokens = issuer.tokens();
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let ours = remembered(&issuer, &tokens[0])?;
        let baseline = fresh(&issuer, &tokens)?;
        if round > 0 {
            rounds.push(Round { ours, baseline });
        }
    }
    report.note("the baseline is our own verification of tokens that were never seen");
    report.figure("token-cached", "verifications/s", Better::More, &rounds)
}

/// Verifications a second of tokens that the verifier has never seen.
fn fresh(issuer: &Issuer, tokens: &[String]) -> Result<f64> {
    let verifier = issuer.verifier()?;
    let started = Instant::now();
    for token in tokens {
        black_box(verifier.verify(black_box(token))?);
    }
    Ok(tokens.len() as f64 / started.elapsed().as_secs_f64())
}

/// The same of one that it knows.
fn remembered(issuer: &Issuer, token: &str) -> Result<f64> {
    let verifier = issuer.verifier()?;
    verifier.verify(token)?;
    let started = Instant::now();
    for _ in 0..REPEATED {
        black_box(verifier.verify(black_box(token))?);
    }
    Ok(REPEATED as f64 / started.elapsed().as_secs_f64())
}

/// Verifications of unknown tokens a second, and signature checks alone a second with nothing read, parsed or judged.
///
/// Within a round they take turns of [`TURN`] tokens: whatever else the machine does then costs both the same.
fn side_by_side(issuer: &Issuer, tokens: &[String], messages: &[Signed]) -> Result<Round> {
    let verifier = issuer.verifier()?;
    let key = UnparsedPublicKey::new(&ED25519, issuer.pair.public_key().as_ref());
    let (mut ours, mut bare) = (Duration::ZERO, Duration::ZERO);
    for (tokens, messages) in tokens.chunks(TURN).zip(messages.chunks(TURN)) {
        let started = Instant::now();
        for token in tokens {
            black_box(verifier.verify(black_box(token))?);
        }
        ours += started.elapsed();
        let started = Instant::now();
        for message in messages {
            let verified = key.verify(black_box(&message.text), black_box(&message.signature));
            verified.map_err(|_| "ring refuses a good signature")?;
        }
        bare += started.elapsed();
    }
    let rate = |took: Duration| tokens.len() as f64 / took.as_secs_f64();
    Ok(Round { ours: rate(ours), baseline: rate(bare) })
}

/// What a token's signature covers, and the signature.
struct Signed {
    text: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    fn of(token: &str) -> Result<Self> {
        let (text, signature) = token.rsplit_once('.').ok_or("a token has three parts")?;
        Ok(Self { text: text.as_bytes().to_vec(), signature: URL_SAFE_NO_PAD.decode(signature)? })
    }
}

/// The control plane's part.
struct Issuer {
    pair: Ed25519KeyPair,
    key: SigningKey,
}

impl Issuer {
    fn new() -> Result<Self> {
        let pem = SigningKey::generate_pem();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body)?)
            .map_err(|_| Failure::from("the key is not one"))?;
        Ok(Self { pair, key: SigningKey::from_pem(&pem)? })
    }

    fn verifier(&self) -> Result<ServiceVerifier> {
        let scopes = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
        let grant = Grant {
            aud: audience::RESOLVER.to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        let trusted = TrustedKey {
            jwk: self.key.public_jwk(),
            service: ServiceName::ControlPlane,
            grants: vec![grant],
        };
        let bundle = TrustBundle::new(DEFAULT_ISSUER, vec![trusted])?;
        Ok(ServiceVerifier::new(TrustStore::fixed(bundle), audience::RESOLVER))
    }

    /// Tokens as the control plane mints them for the directory; only `jti` differs.
    fn tokens(&self) -> Vec<String> {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.key.kid() }).to_string();
        let header = URL_SAFE_NO_PAD.encode(header);
        let now = Utc::now().timestamp();
        let token = |number: usize| {
            let claims = json!({
                "iss": DEFAULT_ISSUER, "aud": audience::RESOLVER, "sub": "service:control-plane",
                "tenantId": "bench", "scp": [scope::DIRECTORY_PUBLISH], "tier": "free",
                "iat": now, "nbf": now, "exp": now + 60, "jti": format!("01937f00-0000-7000-8000-{number:012}"),
            });
            let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
            let signature = self.pair.sign(signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        };
        (0..TOKENS).map(token).collect()
    }
}
