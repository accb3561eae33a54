//! What calls to the directory carry: a known set of metadata, and a token of the service's own.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintmark_auth::{DEFAULT_ISSUER, audience, scope};
use mintmark_tests::recording::{Exchange, Transcript};
use serde_json::Value;

/// The most that a token between services may live, in seconds.
const LONGEST: i64 = 60;
/// Clocks of one machine, and the second that `iat` is cut to.
const TOLERANCE: i64 = 2;

/// Every key that may stand in a call's metadata. One more is a decision: what does it tell whom?
pub const METADATA: [&str; 11] = [
    ":method",
    ":scheme",
    ":authority",
    ":path",
    "te",
    "content-type",
    "user-agent",
    "authorization",
    "grpc-timeout",
    // Ids of the trace. `tracestate` and `baggage` are free text of the caller's and end at the edge: what writes the
    // one into our calls has nothing to write, and the key is empty.
    "traceparent",
    "tracestate",
];

/// The directory's methods that the control plane calls, with the scope that each asks for.
pub const METHODS: [(&str, &str); 8] = [
    ("PutProduct", scope::DIRECTORY_PUBLISH),
    ("OpenPublication", scope::DIRECTORY_PUBLISH),
    ("Publish", scope::DIRECTORY_PUBLISH),
    ("SealPublication", scope::DIRECTORY_PUBLISH),
    ("AbortPublication", scope::DIRECTORY_PUBLISH),
    ("RevokeBatch", scope::DIRECTORY_REVOKE),
    ("RevokeCodes", scope::DIRECTORY_REVOKE),
    ("PullScans", scope::DIRECTORY_READ),
];

/// The path of a method of the directory.
pub fn path(method: &str) -> String {
    format!("/mintmark.directory.v1.DirectoryService/{method}")
}

/// The claims of a JWT, whoever signed it: the directory has verified it, or it would not have answered.
pub fn claims(jwt: &str) -> Value {
    let part = jwt.split('.').nth(1).unwrap_or_default();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

/// No call carries a key that is not in the table, and each carries those that it must.
pub fn assert_metadata(calls: &Transcript) {
    let unknown: Vec<&str> =
        calls.request_fields().into_iter().filter(|name| !METADATA.contains(name)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "metadata that nobody decided to send to the directory");
    for call in &calls.exchanges {
        for name in ["authorization", "traceparent"] {
            let values = call.request.headers.iter().filter(|field| field.name == name).count();
            assert_eq!(values, 1, "{name} of {}", call.path());
        }
        assert_eq!(call.request.header("tracestate").unwrap_or_default(), "", "{}", call.path());
        assert!(call.request.header("user-agent").unwrap().starts_with("tonic/"), "{}", call.path());
        assert_eq!(call.request.header("te").as_deref(), Some("trailers"));
    }
}

/// Each call's token is one of the control plane's own, for the directory alone, for the one scope of its method, for at
/// most a minute, and made during the journey. `before` are ids of tokens that people hold.
pub fn assert_tokens(
    calls: &Transcript,
    started: i64,
    tenants: &BTreeSet<String>,
    before: &BTreeSet<String>,
) {
    let mut of_id: BTreeMap<String, String> = BTreeMap::new();
    for call in &calls.exchanges {
        let header = call.request.header("authorization").unwrap();
        let token =
            header.strip_prefix("Bearer ").unwrap_or_else(|| panic!("{} without a bearer", call.path()));
        let claims = claims(token);
        let number = |name: &str| claims[name].as_i64().unwrap_or_else(|| panic!("no {name} in {claims}"));
        assert_eq!(claims["aud"], audience::RESOLVER, "{claims}");
        assert_eq!(claims["iss"], DEFAULT_ISSUER, "{claims}");
        assert_eq!(claims["sub"], "service:control-plane", "{claims}");
        assert_eq!(claims["scp"], serde_json::json!([scope_of(call)]), "{}: {claims}", call.path());
        assert!(tenants.contains(claims["tenantId"].as_str().unwrap()), "{claims}");
        assert!((1..=LONGEST).contains(&(number("exp") - number("iat"))), "{claims}");
        assert!(number("nbf") <= number("iat") + TOLERANCE, "{claims}");
        assert!(number("iat") >= started - TOLERANCE, "minted before the journey began: {claims}");
        let id = claims["jti"].as_str().unwrap_or_else(|| panic!("no jti in {claims}"));
        assert!(!before.contains(id), "the id of a person's token: {claims}");
        let first = of_id.entry(id.to_owned()).or_insert_with(|| token.to_owned());
        assert!(first.as_str() == token, "two tokens with the id {id}");
    }
    assert!(of_id.len() >= 3, "at least one token for each scope: {}", of_id.len());
}

fn scope_of(call: &Exchange) -> &'static str {
    let found = METHODS.iter().find(|(method, _)| path(method) == call.path());
    found.unwrap_or_else(|| panic!("{} is no method that we know the control plane to call", call.path())).1
}
