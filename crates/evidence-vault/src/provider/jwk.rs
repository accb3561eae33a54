//! RSA public keys as JWKs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

/// The JWK of a key that proofs are signed with; its `kid` is the RFC 7638 thumbprint.
pub(super) fn of_rsa(modulus: &[u8], exponent: &[u8]) -> Value {
    let n = URL_SAFE_NO_PAD.encode(without_zeros(modulus));
    let e = URL_SAFE_NO_PAD.encode(without_zeros(exponent));
    // RFC 7638: the required members in lexicographic order, without white space.
    let thumbprint = digest(&SHA256, format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#).as_bytes());
    let kid = URL_SAFE_NO_PAD.encode(thumbprint);
    json!({"kty": "RSA", "use": "sig", "alg": "PS256", "kid": kid, "n": n, "e": e})
}

/// RFC 7518 wants the shortest form; tokens may pad.
fn without_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    &number[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_rsa_gives_the_thumbprint_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj\
                 hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5\
                 hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let mut modulus = vec![0];
        modulus.extend(URL_SAFE_NO_PAD.decode(n).unwrap());
        let jwk = of_rsa(&modulus, &[1, 0, 1]);
        assert_eq!(jwk["kid"], "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(jwk["n"], n);
        assert_eq!(jwk["e"], "AQAB");
    }
}
