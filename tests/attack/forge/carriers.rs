//! Rightful credentials where none belongs: other headers, other schemes, twice.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_auth::control;
use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret as _;

use super::Attack;

/// Headers and metadata in which software of some kind passes credentials on. None of them is read by anything here.
const HEADERS: [&str; 30] = [
    "x-api-key",
    "api-key",
    "x-upstream-token",
    "x-authorization",
    "x-forwarded-authorization",
    "x-original-authorization",
    "x-auth-token",
    "x-access-token",
    "x-id-token",
    "x-jwt-assertion",
    "x-control-token",
    "x-goog-iap-jwt-assertion",
    "x-amzn-oidc-data",
    "x-amz-security-token",
    "x-vault-token",
    "x-csrf-token",
    "x-token",
    "x-request-id",
    "x-correlation-id",
    "proxy-authorization",
    "www-authenticate",
    "authentication",
    "authorisation",
    "authorization-token",
    "grpc-metadata-authorization",
    "grpcgateway-authorization",
    "sec-websocket-protocol",
    "tracestate",
    "baggage",
    "user-agent",
];

/// Binary metadata of gRPC: its values are base64.
const BINARY: [&str; 4] = ["authorization-bin", "x-api-key-bin", "x-token-bin", "grpc-trace-bin"];

/// The rightful credential, carried in every way but the rightful one, and words that claim to be somebody without any.
pub fn carried(credential: &str) -> Vec<Attack> {
    let mut attacks = schemes(credential);
    attacks.extend(elsewhere("the credential", credential));
    let bearer = format!("Bearer {credential}");
    for (name, first, second) in [
        ("twice", bearer.as_str(), bearer.as_str()),
        ("and garbage", &bearer, "Bearer garbage"),
        ("behind garbage", "Bearer garbage", &bearer),
        ("and an empty one", &bearer, ""),
        ("behind Basic", "Basic YTpi", &bearer),
    ] {
        let attack = Attack::new(format!("two Authorization headers: {name}"));
        attacks.push(attack.header("authorization", first).header("authorization", second));
    }
    attacks.push(Attack::new("nothing at all"));
    for query in ["access_token", "token", "authorization", "jwt", "api_key"] {
        let mut attack = Attack::new(format!("in the query as {query}"));
        attack.query = format!("?{query}={credential}");
        attacks.push(attack);
    }
    for (name, value) in [
        ("x-tenant-id", "tenant-1"),
        ("x-user-id", "admin"),
        ("x-forwarded-user", "admin"),
        ("x-remote-user", "admin"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-internal", "true"),
        ("x-service", "control-plane"),
        ("x-service-caller", "control-plane"),
        ("x-original-url", "/healthz"),
        ("x-rewrite-url", "/openapi.json"),
        ("x-forwarded-client-cert", "Subject=\"CN=control-plane\""),
    ] {
        attacks.push(Attack::new(format!("only {name}: {value}")).header(name, value));
    }
    attacks
}

/// The rightful credential, and another beside it in the header of API keys, where two that differ are refused: not under the
/// control token, and not over gRPC, which have no such header.
pub fn beside_another(credential: &str, api_key: &str) -> Vec<Attack> {
    [("", "nothing"), ("garbage", "garbage"), ("a b", "two words"), (api_key, "an API key")]
        .map(|(key, name)| {
            Attack::bearer(format!("the credential, and {name} in x-api-key"), credential)
                .header("x-api-key", key)
        })
        .to_vec()
}

/// In `Authorization`, under another scheme or none.
fn schemes(credential: &str) -> Vec<Attack> {
    let basic =
        |user: &str, password: &str| format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    [
        String::new(),
        credential.to_owned(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer{credential}"),
        format!("Bearer:{credential}"),
        format!("Bearer={credential}"),
        format!("Bearer  {credential}"),
        format!("Bearer\t{credential}"),
        format!("Bearer Bearer {credential}"),
        format!("Bearer {credential}, Bearer {credential}"),
        format!("Bearer garbage, Bearer {credential}"),
        format!("Bearer token=\"{credential}\""),
        format!("Bearers {credential}"),
        format!("Basic {credential}"),
        basic("user", credential),
        basic(credential, ""),
        format!("Token {credential}"),
        format!("JWT {credential}"),
        format!("DPoP {credential}"),
        format!("MAC {credential}"),
        format!("Negotiate {credential}"),
        format!("Digest token={credential}"),
        format!("ApiKey {credential}"),
        format!("{credential} Bearer"),
    ]
    .into_iter()
    .enumerate()
    .map(|(at, value)| {
        let scheme = value.split([' ', '\t']).next().unwrap_or_default();
        let scheme: String = scheme.chars().take(12).collect();
        Attack::new(format!("Authorization {at}: {scheme} …")).header("authorization", &value)
    })
    .collect()
}

/// A credential in every header but `Authorization`, in cookies, and in binary metadata.
fn elsewhere(what: &str, credential: &str) -> Vec<Attack> {
    let mut attacks = Vec::new();
    for header in HEADERS {
        let attack = Attack::new(format!("{what} in {header}"));
        // `tracestate` and `baggage` are lists of pairs.
        let listed = matches!(header, "tracestate" | "baggage");
        attacks.push(
            attack.header(header, &if listed { format!("a={credential}") } else { credential.to_owned() }),
        );
        let attack = Attack::new(format!("{what} as a bearer in {header}"));
        attacks.push(attack.header(header, &format!("Bearer {credential}")));
    }
    for cookie in ["session", "token", "access_token", "Authorization", "__Host-session"] {
        let attack = Attack::new(format!("{what} in the cookie {cookie}"));
        attacks.push(attack.header("cookie", &format!("{cookie}={credential}")));
    }
    for key in BINARY {
        let attack = Attack::new(format!("{what} in {key}"));
        attacks.push(attack.header(key, &STANDARD.encode(credential)));
    }
    attacks
}

/// The control token where none is accepted: as the bearer, and in every other header.
pub fn control_token_astray(control: &str) -> Vec<Attack> {
    let mut attacks = elsewhere("the control token", control);
    attacks.extend(schemes(control));
    attacks.push(Attack::bearer("the control token", control));
    attacks
}

/// What is nearly the control token.
pub fn near_the_control_token(token: &str) -> Vec<Attack> {
    let body = token.strip_prefix("mmct_").unwrap();
    let hash: String =
        digest(&SHA256, token.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let another = control::generate().expose_secret().to_owned();
    let first = if token.as_bytes()[5] == b'A' { 'B' } else { 'A' };
    [
        ("without its prefix", body.to_owned()),
        ("its prefix alone", "mmct_".to_owned()),
        ("its prefix in upper case", format!("MMCT_{body}")),
        ("in upper case", token.to_uppercase()),
        ("without its last character", token[..token.len() - 1].to_owned()),
        ("with one character more", format!("{token}A")),
        ("with another first character", format!("mmct_{first}{}", &body[1..])),
        ("padded", format!("{token}=")),
        ("twice", format!("{token}{token}")),
        ("with a space behind it and more", format!("{token} x")),
        ("its digest", hash.clone()),
        ("its digest under the prefix", format!("mmct_{hash}")),
        ("as a pattern", "mmct_%".to_owned()),
        ("of zeros", format!("mmct_{}", "A".repeat(43))),
        ("a rightful one of another platform", another),
    ]
    .map(|(name, value)| Attack::bearer(format!("the control token, {name}"), &value))
    .to_vec()
}
