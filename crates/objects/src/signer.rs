//! URLs that carry their own proof, for stores that cannot sign by themselves.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Result};
use ring::hmac;

use crate::path;

/// A URL that gives its holder one object for a while. Treat it like a password: it is not logged.
#[derive(Clone)]
pub struct SignedUrl {
    /// The URL.
    pub url: String,
    /// From this second on the URL is worthless.
    pub expires_at: DateTime<Utc>,
}

/// Signs and verifies URLs of a local store: HMAC-SHA256 over `method \n path \n expires \n file name`.
#[derive(Clone)]
pub struct LocalSigner(hmac::Key);

impl LocalSigner {
    /// A signer with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// `{base}/objects/{path}?expires=…&name=…&signature=…` for GET, valid for `ttl` from `now`.
    ///
    /// # Errors
    /// 400 when path or file name are not plain ([`crate::Store`] says which are).
    pub fn sign_get(
        &self,
        base: &str,
        path: &str,
        file_name: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<SignedUrl> {
        path::checked(path)?;
        if !path::is_name(file_name) {
            let sentence = "a file name is made of letters, digits, '.', '_' and '-'";
            return Err(Fault::invalid("FILE_NAME_INVALID", "fileName", sentence));
        }
        let out_of_range = || Fault::internal("the expiry of a signed URL is out of range");
        let seconds = i64::try_from(ttl.as_secs()).map_err(|_| out_of_range())?;
        let expires = now.timestamp().checked_add(seconds).ok_or_else(out_of_range)?;
        let expires_at = DateTime::from_timestamp(expires, 0).ok_or_else(out_of_range)?;
        let tag = hmac::sign(&self.0, &statement("GET", path, expires, file_name));
        let signature = URL_SAFE_NO_PAD.encode(tag);
        // Paths and names that pass the checks need no escaping.
        let url = format!("{base}/objects/{path}?expires={expires}&name={file_name}&signature={signature}");
        Ok(SignedUrl { url, expires_at })
    }

    /// Whether this request is what was signed, and in time. `path` is what follows `/objects/`.
    ///
    /// # Errors
    /// 403 `SIGNATURE_INVALID` when anything (method, path, expiry, name, signature) differs from what was signed;
    /// 403 `SIGNATURE_EXPIRED` when it was signed and is too late.
    pub fn verify(
        &self,
        method: &str,
        path: &str,
        expires: i64,
        file_name: &str,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        // A line break inside a field could make one statement read as another.
        let plain = path::checked(path).is_ok() && path::is_name(file_name);
        let tag = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let statement = statement(method, path, expires, file_name);
        // ring compares in constant time.
        if !plain || hmac::verify(&self.0, &statement, &tag).is_err() {
            let sentence = "this link is not one that was given out: ask for a new one";
            return Err(Fault::forbidden("SIGNATURE_INVALID", sentence));
        }
        if now.timestamp() >= expires {
            let sentence = "this link has expired: ask for a new one";
            return Err(Fault::forbidden("SIGNATURE_EXPIRED", sentence));
        }
        Ok(())
    }
}

fn statement(method: &str, path: &str, expires: i64, file_name: &str) -> Vec<u8> {
    format!("{method}\n{path}\n{expires}\n{file_name}").into_bytes()
}

#[cfg(test)]
mod tests {
    use mintmark_fault::Kind;

    use super::*;

    const TTL: Duration = Duration::from_secs(300);
    const PATH: &str = "exports/acme/part-0001.zip";

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 999_000_000).unwrap()
    }

    fn later(seconds: i64) -> DateTime<Utc> {
        now() + chrono::TimeDelta::seconds(seconds)
    }

    fn signed(signer: &LocalSigner) -> (i64, String) {
        let signed = signer.sign_get("http://host", PATH, "pack.zip", TTL, now()).unwrap();
        let expires = signed.expires_at.timestamp();
        let start = format!("http://host/objects/{PATH}?expires={expires}&name=pack.zip&signature=");
        (expires, signed.url.strip_prefix(&start).unwrap().to_owned())
    }

    #[test]
    fn verify_accepts_exactly_what_was_signed_for_300_seconds() {
        let signer = LocalSigner::new(&[7; 32]);
        let (expires, signature) = signed(&signer);
        assert_eq!(expires, 1_800_000_300);
        let other_key = LocalSigner::new(&[8; 32]);
        let edited = format!("{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
        let padded = format!("{signature}=");

        let check = |signer: &LocalSigner, method, path, expires, name, signature: &str, at| {
            signer.verify(method, path, expires, name, signature, at).map_err(|fault| {
                assert_eq!(fault.kind(), Kind::Forbidden);
                fault.code().to_owned()
            })
        };
        let s = signature.as_str();
        assert_eq!(check(&signer, "GET", PATH, expires, "pack.zip", s, now()), Ok(()));
        assert_eq!(check(&signer, "GET", PATH, expires, "pack.zip", s, later(299)), Ok(()));
        let expired = Err("SIGNATURE_EXPIRED".to_owned());
        assert_eq!(check(&signer, "GET", PATH, expires, "pack.zip", s, later(300)), expired);
        assert_eq!(check(&signer, "GET", PATH, expires, "pack.zip", s, later(301)), expired);

        let invalid = Err("SIGNATURE_INVALID".to_owned());
        for method in ["HEAD", "POST", "PUT", "DELETE", "get", ""] {
            assert_eq!(check(&signer, method, PATH, expires, "pack.zip", s, now()), invalid, "{method}");
        }
        assert_eq!(
            check(&signer, "GET", "exports/acme/part-0002.zip", expires, "pack.zip", s, now()),
            invalid
        );
        assert_eq!(check(&signer, "GET", "../secret", expires, "pack.zip", s, now()), invalid);
        assert_eq!(check(&signer, "GET", PATH, expires + 1, "pack.zip", s, now()), invalid);
        assert_eq!(
            check(&signer, "GET", PATH, expires + 1, "pack.zip", s, later(301)),
            invalid,
            "not just expired"
        );
        assert_eq!(check(&signer, "GET", PATH, expires, "other.zip", s, now()), invalid);
        assert_eq!(check(&signer, "GET", PATH, expires, "", s, now()), invalid);
        for signature in ["", &edited, &padded, &signature[..40]] {
            assert_eq!(
                check(&signer, "GET", PATH, expires, "pack.zip", signature, now()),
                invalid,
                "{signature}"
            );
        }
        assert_eq!(check(&other_key, "GET", PATH, expires, "pack.zip", s, now()), invalid);
    }

    #[test]
    fn sign_get_refuses_names_that_could_speak_for_others() {
        let signer = LocalSigner::new(&[7; 32]);
        for name in ["", "a\nb", "a&b", "a b", "a/b", "\"x\"", ".htaccess"] {
            let fault = signer.sign_get("http://host", PATH, name, TTL, now()).err().unwrap();
            assert_eq!(fault.code(), "FILE_NAME_INVALID", "{name:?}");
        }
        assert!(signer.sign_get("http://host", "../a", "pack.zip", TTL, now()).is_err());
        assert!(signer.sign_get("http://host", PATH, "pack.zip", Duration::MAX, now()).is_err());
    }
}
