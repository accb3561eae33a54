//! Attacks on the signature and on how its parts are encoded.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{Loot, Rightful, encode};

/// The order of Ed25519's group, little-endian (RFC 8032, section 5.1).
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(super) fn attacks(rightful: &Rightful, loot: &Loot) -> Vec<(String, String)> {
    let token = rightful.token();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let flipped = |at: usize| {
        let mut raw = raw.clone();
        raw[at] ^= 1;
        encode(raw)
    };
    // R is the neutral element and S zero: right for every message, where small-order points pass.
    let mut neutral = [0; 64];
    neutral[0] = 1;
    let mut signatures = vec![
        ("zero", encode([0; 64])),
        ("all ones", encode([0xff; 64])),
        ("neutral", encode(neutral)),
        ("empty", String::new()),
        ("short by one byte", encode(&raw[..63])),
        ("half", encode(&raw[..32])),
        ("long by one byte", encode([raw.as_slice(), &[0]].concat())),
        ("twice", encode([raw.as_slice(), &raw].concat())),
        ("halves exchanged", encode([&raw[32..], &raw[..32]].concat())),
        ("a bit of R flipped", flipped(0)),
        ("a bit of S flipped", flipped(32)),
        ("malleable: S + L", encode(add_order(&raw, 1))),
        ("malleable: S + 2 L", encode(add_order(&raw, 2))),
        ("a stranger's", encode(loot.stranger.signature(signed))),
        ("another party's", encode(loot.other.signature(signed))),
        ("of another token", other_tokens_signature(rightful)),
        ("of the claims alone", encode(rightful.signer.signature(signed.split_once('.').unwrap().1))),
        ("of the decoded texts", {
            let text = format!("{}.{}", rightful.header, rightful.claims);
            encode(rightful.signer.signature(&text))
        }),
        ("padded", format!("{signature}==")),
        ("half padded", format!("{signature}=")),
        ("with non-zero trailing bits", with_trailing_bits(signature)),
        ("with a space inside", format!("{} {}", &signature[..40], &signature[40..])),
        ("with a tab inside", format!("{}\t{}", &signature[..40], &signature[40..])),
        ("with a percent-encoded character", format!("{}%41", &signature[..85])),
        ("in hexadecimal", raw.iter().map(|byte| format!("{byte:02x}")).collect()),
    ];
    signatures.push(("json", json!([signature]).to_string()));
    let mut attacks: Vec<(String, String)> = signatures
        .into_iter()
        .map(|(name, signature)| (format!("signature {name}"), format!("{signed}.{signature}")))
        .collect();
    attacks.push(("signature in the standard alphabet".to_owned(), standard_alphabet(rightful)));
    attacks.extend(encodings(rightful));
    attacks.extend(altered_after_signing(rightful));
    attacks
}

/// S + n·L: another signature of the same message wherever S is not required to be canonical (RFC 8032, section 5.1.7).
fn add_order(signature: &[u8], times: u32) -> Vec<u8> {
    let mut sum = signature.to_vec();
    for _ in 0..times {
        let mut carry = 0;
        for (byte, order) in sum[32..].iter_mut().zip(L) {
            let value = u16::from(*byte) + u16::from(order) + carry;
            *byte = value.to_le_bytes()[0];
            carry = value >> 8;
        }
        assert_eq!(carry, 0);
    }
    sum
}

fn other_tokens_signature(rightful: &Rightful) -> String {
    let other = rightful.with_claim("jti", json!("another token"));
    other.rsplit_once('.').unwrap().1.to_owned()
}

/// 64 bytes leave four bits of the last character unused: they must be zero, or one token would have sixteen spellings.
fn with_trailing_bits(signature: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = signature.chars().last().unwrap();
    let at = ALPHABET.find(last).unwrap();
    let next = ALPHABET.as_bytes()[at | 1] as char;
    format!("{}{next}", &signature[..signature.len() - 1])
}

/// With a signature that has a character in which the alphabets differ.
fn standard_alphabet(rightful: &Rightful) -> String {
    for attempt in 0.. {
        let token = rightful.with_claim("jti", json!(format!("attempt-{attempt}")));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        if signature.contains(['-', '_']) {
            let raw = URL_SAFE_NO_PAD.decode(signature).unwrap();
            return format!("{signed}.{}", STANDARD_NO_PAD.encode(raw));
        }
    }
    unreachable!()
}

/// Header and claims in encodings that decode to the same bytes in a lenient reader; rightly signed as they stand.
fn encodings(rightful: &Rightful) -> Vec<(String, String)> {
    let (header, claims) = (rightful.header.to_string(), rightful.claims.to_string());
    // White space behind the JSON, until the last character has unused bits.
    let padded = |text: &str| {
        let mut text = text.to_owned();
        while text.len() % 3 != 1 {
            text.push(' ');
        }
        text
    };
    let (header, claims) = (encode(padded(&header)), encode(padded(&claims)));
    let seal = |header: &str, claims: &str| rightful.sealed(&format!("{header}.{claims}"));
    vec![
        ("header padded".to_owned(), seal(&format!("{header}=="), &claims)),
        ("claims padded".to_owned(), seal(&header, &format!("{claims}=="))),
        ("header with trailing bits".to_owned(), seal(&with_trailing_bits(&header), &claims)),
        ("claims with trailing bits".to_owned(), seal(&header, &with_trailing_bits(&claims))),
        ("header with a space".to_owned(), seal(&format!("{header} "), &claims)),
        ("claims with a space".to_owned(), seal(&header, &format!("{claims} "))),
        ("claims not encoded".to_owned(), seal(&header, &rightful.claims.to_string())),
        ("header not encoded".to_owned(), seal(&rightful.header.to_string(), &claims)),
        ("claims encoded twice".to_owned(), seal(&header, &encode(&claims))),
    ]
}

fn altered_after_signing(rightful: &Rightful) -> Vec<(String, String)> {
    let token = rightful.token();
    let parts: Vec<&str> = token.split('.').collect();
    let other_claims = encode(super::with(&rightful.claims, "jti", json!("altered")).to_string());
    let reordered = format!(
        "{{\"kid\":{0},\"typ\":{1},\"alg\":\"EdDSA\"}}",
        rightful.header["kid"], rightful.header["typ"]
    );
    vec![
        ("claims altered after signing".to_owned(), format!("{}.{other_claims}.{}", parts[0], parts[2])),
        (
            "header written anew after signing".to_owned(),
            format!("{}.{}.{}", encode(format!("{reordered} ")), parts[1], parts[2]),
        ),
    ]
}
