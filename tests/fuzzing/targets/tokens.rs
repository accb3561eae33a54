//! Credentials: no bytes are one by accident, no changed one is accepted, and what a key signs is judged by its claims.

use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mintmark_auth::{
    ControlToken, DEFAULT_ISSUER, Grant, IssuedKey, KeyEnvironment, PresentedKey, ServiceCaller,
    ServiceVerifier, SessionMinter, SessionVerifier, SigningKey, TokenSource, TrustBundle, TrustStore,
    TrustedKey, audience, control, scope,
};
use mintmark_ids::{ServiceName, TenantId, UserId};
use ring::signature::Ed25519KeyPair;
use secrecy::ExposeSecret as _;
use serde_json::Value;

/// Claims in which these words stand keep their meaning however old the corpus is.
const NOW: &str = "@NOW";
const SOON: &str = "@SOON";
const KID: &str = "@KID";
/// A service token lives at most this long.
const LIFETIME_SECS: i64 = 60;

/// A platform that trusts one key.
struct World {
    pair: Ed25519KeyPair,
    kid: String,
    services: ServiceVerifier,
    sessions: SessionVerifier,
    control: ControlToken,
    /// One good token of each kind.
    good: [String; 4],
}

static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    #[expect(clippy::unwrap_used, reason = "a world that cannot be made fuzzes nothing")]
    fn new() -> World {
        let pem = SigningKey::generate_pem();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&STANDARD.decode(body).unwrap()).unwrap();
        let key = SigningKey::from_pem(&pem).unwrap();
        let (kid, jwk) = (key.kid().to_owned(), key.public_jwk());
        let grants = vec![Grant {
            aud: audience::RESOLVER.to_owned(),
            scopes: vec![scope::DIRECTORY_READ.to_owned()],
        }];
        let trusted = TrustedKey { jwk, service: ServiceName::ControlPlane, grants };
        let trust = TrustStore::fixed(TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap());
        let tenant = TenantId::parse("acme").unwrap();
        let secret = control::generate();
        // The same key signs sessions here, so that only the claims keep the kinds apart.
        let minter = SessionMinter::new(
            SigningKey::from_pem(&pem).unwrap(),
            DEFAULT_ISSUER,
            Duration::from_secs(3_600),
        );
        let session = minter.mint(UserId::new(), &tenant, Duration::from_secs(3_600));
        let source = TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER);
        let service = source.for_tenant(audience::RESOLVER, &tenant, &[scope::DIRECTORY_READ]);
        let issued = IssuedKey::generate(KeyEnvironment::Test);
        World {
            services: ServiceVerifier::new(trust, audience::RESOLVER),
            sessions: SessionVerifier::new(SigningKey::from_pem(&pem).unwrap(), DEFAULT_ISSUER),
            control: ControlToken::parse(secret.expose_secret()).unwrap(),
            good: [
                service.expose().to_owned(),
                session.expose().to_owned(),
                secret.expose_secret().to_owned(),
                issued.expose().to_owned(),
            ],
            pair,
            kid,
        }
    }

    /// Whether anything takes this text for what it would open.
    fn accepted(&self, text: &str) -> bool {
        self.services.verify(text).is_ok()
            || self.sessions.verify(text).is_ok()
            || self.control.verify(text).is_some()
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// The first byte chooses: any text; a good credential that is changed; a header and claims (two lines) that the trusted
/// key signs.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind % 3 {
        0 => anything(&super::text(rest)),
        1 => changed(rest),
        _ => signed(&super::text(rest)),
    }
}

fn anything(text: &str) {
    assert!(!WORLD.accepted(text), "accepted out of nothing: {text}");
    if let Ok(token) = ControlToken::parse(text) {
        assert!(token.verify(text).is_some(), "a control token accepts itself");
    }
    if let Ok(key) = PresentedKey::parse(text) {
        assert!(key.verify(None).is_none() && key.verify(Some(&[0; 32])).is_none(), "accepted: {text}");
    }
}

/// Pairs of bytes: where, and what is changed there.
fn changed(edits: &[u8]) {
    let Some((which, edits)) = edits.split_first() else { return };
    let good = &WORLD.good[usize::from(*which) % WORLD.good.len()];
    let mut bytes = good.clone().into_bytes();
    for edit in edits.chunks_exact(3).take(8) {
        let at = usize::from(u16::from_be_bytes([edit[0], edit[1]])) % bytes.len();
        match edit[2] {
            0 => drop(bytes.remove(at)),
            1..=127 => bytes[at] = edit[2],
            value => bytes.insert(at, value - 128),
        }
        if bytes.is_empty() {
            return;
        }
    }
    let text = super::text(&bytes);
    if text == good.as_str() {
        return;
    }
    assert!(!WORLD.accepted(&text), "accepted although changed: {text}");
    // The checksum of a key finds any burst up to 32 bits; the stored digest decides the rest.
    if let Ok(key) = PresentedKey::parse(&text) {
        assert!(key.verify(None).is_none(), "accepted although changed: {text}");
    }
}

fn signed(text: &str) {
    let (header, claims) = text.split_once('\n').unwrap_or((text, ""));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let fill = |text: &str| {
        text.replace(NOW, &now.to_string()).replace(SOON, &(now + 30).to_string()).replace(KID, &WORLD.kid)
    };
    let (header, claims) = (fill(header), fill(claims));
    let token = WORLD.signed(&header, &claims);
    if let Ok(caller) = WORLD.services.verify(&token) {
        judge(&header, &claims, &caller, now);
        assert!(WORLD.sessions.verify(&token).is_err(), "one token, two kinds: {claims}");
    }
    if WORLD.sessions.verify(&token).is_ok() {
        assert!(header.contains("session+jwt"), "a session says that it is one: {header}");
    }
}

/// What an accepted token says must be what the design demands, read by another parser than the verifier's.
fn judge(header: &str, claims: &str, caller: &ServiceCaller, now: u64) {
    let header: Value = serde_json::from_str(header).unwrap_or_default();
    let claims: Value = serde_json::from_str(claims).unwrap_or_default();
    let about = format!("{header} {claims}");
    assert_eq!(header["alg"], "EdDSA", "{about}");
    assert_eq!(header["kid"], WORLD.kid.as_str(), "{about}");
    assert_eq!(
        header.as_object().map(serde_json::Map::len),
        Some(3),
        "alg, typ and kid, nothing else: {about}"
    );
    assert_eq!(claims["iss"], DEFAULT_ISSUER, "{about}");
    assert_eq!(claims["aud"], audience::RESOLVER, "{about}");
    assert_eq!(claims["tenantId"], caller.tenant().as_str(), "{about}");
    let time = |name: &str| claims[name].as_i64().unwrap_or(i64::MIN);
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    assert!(time("exp") >= now && time("exp") - time("iat") <= LIFETIME_SECS, "{about}");
    assert!(time("iat") <= now + 10 && time("nbf") <= now + 10, "{about}");
    assert!(caller.scopes().iter().all(|scope| scope == scope::DIRECTORY_READ), "ungranted: {about}");
    assert!(!caller.scopes().is_empty(), "{about}");
}
