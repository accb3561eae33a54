//! Attacks on the shape: what is no compact serialisation, or more of it than anybody needs.

use serde_json::{Value, json};

use super::{Attack, Refusal, Rightful, encode};

pub(super) fn attacks(rightful: &Rightful) -> Vec<(String, String)> {
    let token = rightful.token();
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let flattened = json!({ "protected": header, "payload": claims, "signature": signature });
    let general =
        json!({ "payload": claims, "signatures": [{ "protected": header, "signature": signature }] });
    let unprotected = json!({ "header": rightful.header, "payload": claims, "signature": signature });
    let compact = |value: &Value| value.to_string();
    let mut attacks = vec![
        ("one part", header.to_owned()),
        ("the claims alone", claims.to_owned()),
        ("two parts", format!("{header}.{claims}")),
        ("two parts and a dot", format!("{header}.{claims}.")),
        ("four parts", format!("{token}.{signature}")),
        ("four parts, one in front", format!("{header}.{token}")),
        ("four parts, an empty one in front", format!(".{token}")),
        ("four parts, an empty one behind", format!("{token}.")),
        ("five parts, as a JWE", format!("{header}..{claims}.{signature}.{signature}")),
        ("five parts, all empty", "....".to_owned()),
        ("an empty part in the middle", format!("{header}..{claims}.{signature}")),
        ("no claims part", format!("{header}..{signature}")),
        ("detached claims, signed", rightful.sealed(&format!("{header}."))),
        ("no header part", format!(".{claims}.{signature}")),
        ("only dots", "..".to_owned()),
        ("a dot", ".".to_owned()),
        ("other separators", token.replace('.', ",")),
        ("encoded separators", token.replace('.', "%2E")),
        ("full-width separators", token.replace('.', "\u{ff0e}")),
        ("flattened JSON", compact(&flattened)),
        ("general JSON", compact(&general)),
        ("JSON with an unprotected header", compact(&unprotected)),
        ("flattened JSON, encoded", encode(compact(&flattened))),
        ("encoded as a whole", encode(&token)),
        ("in quotes", format!("\"{token}\"")),
        ("in brackets", format!("<{token}>")),
        ("as a member", format!("token={token}")),
        ("with a parameter", format!("{token};v=1")),
        ("with a comma", format!("{token},")),
        ("with another behind a comma", format!("{token},{token}")),
        ("with another behind a space", format!("{token} {token}")),
        ("with a space inside", format!("{header}. {claims}.{signature}")),
        ("with a tab inside", format!("{header}\t.{claims}.{signature}")),
        ("with a no-break space", format!("{token}\u{a0}")),
        ("with an umlaut", format!("{token}ä")),
        ("reversed", token.chars().rev().collect()),
        ("in upper case", token.to_uppercase()),
        ("half", token[..token.len() / 2].to_owned()),
        ("without its last character", token[..token.len() - 1].to_owned()),
        ("without its first character", token[1..].to_owned()),
        ("signed twice", rightful.sealed(&token)),
        (
            "the token as claims of another",
            rightful.signed(&rightful.header.to_string(), &json!(token).to_string()),
        ),
    ];
    for word in ["null", "undefined", "true", "0", "[object Object]", "Bearer", "{}", "[]", "*", "-"] {
        attacks.push(("a word", word.to_owned()));
    }
    attacks.into_iter().map(|(name, token)| (format!("shape: {name}"), token)).collect()
}

/// Tokens that are right in everything but their size.
pub(super) fn oversize(rightful: &Rightful) -> Vec<Attack> {
    [(4 << 10, Refusal::Unauthenticated), (8 << 10, Refusal::Unauthenticated), (1 << 20, Refusal::TooLarge)]
        .map(|(bytes, refusal)| {
            let token = rightful.with_claim("note", json!("x".repeat(bytes)));
            Attack::bearer(format!("more than {bytes} bytes, rightly signed"), &token).ends(refusal)
        })
        .to_vec()
}
