//! Attacks in the header: which algorithm, which key, and parameters that ask a verifier to do something.

use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use serde_json::{Value, json};

use super::{Loot, Rightful, absent, at_the_end, encode, in_front, with};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What precedes the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

pub(super) fn attacks(rightful: &Rightful, loot: &Loot) -> Vec<(String, String)> {
    let mut attacks = algorithms(rightful);
    attacks.extend(hmac_with_the_public_key(rightful));
    attacks.extend(other_curves(rightful));
    attacks.extend(key_ids(rightful, loot));
    attacks.extend(parameters(rightful, loot));
    attacks.extend(types(rightful));
    attacks.extend(duplicates(rightful));
    attacks.extend(no_object(rightful));
    attacks
}

fn algorithms(rightful: &Rightful) -> Vec<(String, String)> {
    let named = |name: &str| (format!("alg {name:?}"), json!(name));
    let mut values: Vec<(String, Value)> = [
        "none", "None", "NONE", "nOnE", "none ", "", "eddsa", "EDDSA", "EdDSA ", "Ed25519", "Ed448", "ES256",
        "ES256K", "HS256", "HS384", "HS512", "RS256", "PS256", "RSA-OAEP", "dir",
    ]
    .map(named)
    .to_vec();
    values.extend([
        ("alg absent".to_owned(), absent()),
        ("alg null".to_owned(), Value::Null),
        ("alg an array".to_owned(), json!(["EdDSA"])),
        ("alg a number".to_owned(), json!(0)),
        ("alg false".to_owned(), json!(false)),
    ]);
    let mut attacks = Vec::new();
    for (name, value) in values {
        // Rightly signed all the same, so that only the name is wrong; and unsigned, as the attack is known.
        let token = rightful.with_header("alg", value);
        let unsigned = token.rsplit_once('.').unwrap().0;
        attacks.push((format!("{name}, unsigned"), format!("{unsigned}.")));
        attacks.push((format!("{name}, signed"), token));
    }
    attacks
}

/// The classic confusion: the public key, in whatever form a verifier might hold it, as the secret of an HMAC.
fn hmac_with_the_public_key(rightful: &Rightful) -> Vec<(String, String)> {
    let signer = &rightful.signer;
    let der = [SPKI.as_slice(), signer.public()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&der));
    let secrets: [(&str, Vec<u8>); 8] = [
        ("raw", signer.public().to_vec()),
        ("der", der),
        ("pem", pem.clone().into_bytes()),
        ("pem without its last line feed", pem.trim_end().as_bytes().to_vec()),
        ("jwk", signer.jwk().to_string().into_bytes()),
        ("jwks", json!({"keys": [signer.jwk()]}).to_string().into_bytes()),
        ("x", encode(signer.public()).into_bytes()),
        ("kid", signer.kid.clone().into_bytes()),
    ];
    let mut attacks = Vec::new();
    for (form, secret) in secrets {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        for alg in ["HS256", "EdDSA"] {
            let header = with(&rightful.header, "alg", json!(alg)).to_string();
            let signed = format!("{}.{}", encode(header), encode(rightful.claims.to_string()));
            let tag = hmac::sign(&key, signed.as_bytes());
            attacks.push((
                format!("hmac with the public key ({form}) under {alg}"),
                format!("{signed}.{}", encode(tag)),
            ));
        }
    }
    let empty = hmac::Key::new(hmac::HMAC_SHA256, &[]);
    let header = with(&rightful.header, "alg", json!("HS256")).to_string();
    let signed = format!("{}.{}", encode(header), encode(rightful.claims.to_string()));
    let tag = encode(hmac::sign(&empty, signed.as_bytes()));
    attacks.push(("hmac with an empty secret".to_owned(), format!("{signed}.{tag}")));
    attacks
}

fn other_curves(rightful: &Rightful) -> Vec<(String, String)> {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let p256 = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let mut attacks = Vec::new();
    for alg in ["EdDSA", "ES256", "ES256K"] {
        let header = with(&rightful.header, "alg", json!(alg)).to_string();
        let signed = format!("{}.{}", encode(header), encode(rightful.claims.to_string()));
        let signature = p256.sign(&random, signed.as_bytes()).unwrap();
        attacks.push((format!("a P-256 signature under {alg}"), format!("{signed}.{}", encode(signature))));
    }
    // An Ed448 signature has 114 bytes.
    let (signed, _) = rightful_parts(rightful);
    attacks.push(("a signature as long as Ed448's".to_owned(), format!("{signed}.{}", encode([7; 114]))));
    for crv in ["Ed448", "Ed25519", "P-256", "secp256k1", "X25519"] {
        attacks.push((format!("crv {crv} in the header"), rightful.with_header("crv", json!(crv))));
    }
    attacks
}

fn key_ids(rightful: &Rightful, loot: &Loot) -> Vec<(String, String)> {
    let right = &rightful.signer.kid;
    let values = [
        ("absent", absent()),
        ("null", Value::Null),
        ("empty", json!("")),
        ("a number", json!(0)),
        ("an array of the right one", json!([right])),
        ("an object", json!({"$ne": ""})),
        ("unknown", json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
        ("another party's", json!(loot.other.kid)),
        ("the right one and a space", json!(format!("{right} "))),
        ("the right one and NUL", json!(format!("{right}\0"))),
        ("the right one in upper case", json!(right.to_uppercase())),
        ("the beginning of the right one", json!(&right[..20])),
        ("relative traversal", json!("../../../../../../dev/null")),
        ("traversal to the right one", json!(format!("../{right}"))),
        ("absolute path", json!("/dev/null")),
        ("file URL", json!("file:///dev/null")),
        ("URL", json!("https://evil.example/jwks.json")),
        ("encoded traversal", json!("..%2f..%2fdev%2fnull")),
        ("SQL", json!("' UNION SELECT 'AA' -- ")),
        ("SQL that is always true", json!("x' OR '1'='1")),
        ("shell", json!("$(sleep 9)|sleep 9")),
        ("template", json!("{{7*7}}${7*7}")),
        ("very long", json!("A".repeat(2_000))),
    ];
    let mut attacks: Vec<(String, String)> = values
        .into_iter()
        .map(|(name, value)| (format!("kid {name}"), rightful.with_header("kid", value)))
        .collect();
    // Signed over an empty secret, which is what /dev/null holds.
    let header = json!({"alg": "HS256", "typ": rightful.header["typ"], "kid": "../../../../../../dev/null"});
    let signed = format!("{}.{}", encode(header.to_string()), encode(rightful.claims.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[]), signed.as_bytes());
    attacks
        .push(("kid /dev/null with an hmac of its content".to_owned(), format!("{signed}.{}", encode(tag))));
    attacks
}

/// Parameters that bring a key, say where one is, or change what is signed.
fn parameters(rightful: &Rightful, loot: &Loot) -> Vec<(String, String)> {
    let parameters = [
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("jwk", loot.stranger.jwk()),
        ("jwk", rightful.signer.jwk()),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("enc", json!("A256GCM")),
        ("p2c", json!(1_000_000_000)),
        ("epk", loot.stranger.jwk()),
        ("nonce", json!("x")),
        ("iss", json!("https://auth.printprice.pro")),
        ("", json!("x")),
    ];
    let mut attacks: Vec<(String, String)> = parameters
        .into_iter()
        .map(|(name, value)| (format!("header {name:?}: {value}"), rightful.with_header(name, value)))
        .collect();
    // The attacker's key, brought along: under its own id and under the right one.
    for kid in [&loot.stranger.kid, &rightful.signer.kid] {
        let header = json!({
            "alg": "EdDSA", "typ": rightful.header["typ"], "kid": kid, "jwk": loot.stranger.jwk(),
        });
        let signed = format!("{}.{}", encode(header.to_string()), encode(rightful.claims.to_string()));
        let signature = encode(loot.stranger.signature(&signed));
        attacks.push((format!("a key brought along as {kid}"), format!("{signed}.{signature}")));
    }
    attacks
}

fn types(rightful: &Rightful) -> Vec<(String, String)> {
    let right = rightful.header["typ"].as_str().unwrap();
    let other = if rightful.is_session() { "JWT" } else { "session+jwt" };
    let mut values = vec![
        absent(),
        Value::Null,
        json!([right]),
        json!(""),
        json!(other),
        json!(format!("{right} ")),
        json!(format!("application/{right}")),
    ];
    values.extend(["at+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "jwe"].map(|typ| json!(typ)));
    let swapped: String = right
        .chars()
        .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
        .collect();
    values.push(json!(swapped));
    values.into_iter().map(|value| (format!("typ {value}"), rightful.with_header("typ", value))).collect()
}

/// Each parameter twice, the wrong one first and last: parsers disagree on which counts.
fn duplicates(rightful: &Rightful) -> Vec<(String, String)> {
    let claims = rightful.claims.to_string();
    let mut attacks = Vec::new();
    for (name, escaped, wrong) in [
        ("alg", r"\u0061lg", json!("none")),
        ("kid", r"k\u0069d", json!("unknown")),
        ("typ", r"ty\u0070", json!("at+jwt")),
    ] {
        let right = &rightful.header[name];
        for (case, key, value) in
            [("wrong", name, &wrong), ("same", name, right), ("escaped wrong", escaped, &wrong)]
        {
            let member = format!("\"{key}\":{value}");
            let first = in_front(&rightful.header, &member);
            attacks.push((format!("header {name} twice, {case} first"), rightful.signed(&first, &claims)));
            let last = at_the_end(&rightful.header, &member);
            attacks.push((format!("header {name} twice, {case} last"), rightful.signed(&last, &claims)));
        }
    }
    attacks
}

fn no_object(rightful: &Rightful) -> Vec<(String, String)> {
    let (header, claims) = (rightful.header.to_string(), rightful.claims.to_string());
    let texts = [
        ("an array", format!("[{header}]")),
        ("a string", json!(header).to_string()),
        ("null", "null".to_owned()),
        ("a number", "1".to_owned()),
        ("empty", String::new()),
        ("an empty object", "{}".to_owned()),
        ("two objects", format!("{header}{header}")),
        ("a trailing comma", header.replace('}', ",}")),
        ("a byte order mark", format!("\u{feff}{header}")),
        ("a comment", format!("/**/{header}")),
        ("single quotes", header.replace('"', "'")),
        ("deep nesting", format!("{}{}", r#"{"a":"#.repeat(200), "}".repeat(200))),
    ];
    let signed = |(name, text): (&str, String)| (format!("header {name}"), rightful.signed(&text, &claims));
    texts.map(signed).to_vec()
}

fn rightful_parts(rightful: &Rightful) -> (String, String) {
    let token = rightful.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    (signed.to_owned(), signature.to_owned())
}
