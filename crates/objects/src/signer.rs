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

/// What a URL of a local store carries beside its path. What is missing or unreadable is left empty: no signature fits it.
#[derive(Clone, Copy, Debug)]
pub struct LinkProof<'a> {
    /// In seconds since 1970.
    pub expires: i64,
    /// What the file is called at the reader's.
    pub file_name: &'a str,
    /// Of the content, in lower-case hexadecimal: the tag by which a broken download goes on.
    pub sha256: &'a str,
    /// URL-safe base64.
    pub signature: &'a str,
}

/// Signs and verifies URLs of a local store: HMAC-SHA256 over `method \n path \n expires \n file name \n
/// SHA-256 of the content`.
#[derive(Clone)]
pub struct LocalSigner(hmac::Key);

impl LocalSigner {
    /// A signer with this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// `{base}/objects/{path}?expires=…&name=…&sha256=…&signature=…` for GET, valid for `ttl` from `now`.
    ///
    /// # Errors
    /// 400 when path or file name are not plain ([`crate::Store`] says which are).
    pub fn sign_get(
        &self,
        base: &str,
        path: &str,
        file_name: &str,
        sha256: &[u8; 32],
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<SignedUrl> {
        path::checked(path)?;
        path::checked_name(file_name)?;
        let out_of_range = || Fault::internal("the expiry of a signed URL is out of range");
        let seconds = i64::try_from(ttl.as_secs()).map_err(|_| out_of_range())?;
        let expires = now.timestamp().checked_add(seconds).ok_or_else(out_of_range)?;
        let expires_at = DateTime::from_timestamp(expires, 0).ok_or_else(out_of_range)?;
        let sha256 = path::hex(sha256);
        let tag = hmac::sign(&self.0, &statement("GET", path, expires, file_name, &sha256));
        let signature = URL_SAFE_NO_PAD.encode(tag);
        // Paths and names that pass the checks need no escaping.
        let url = format!(
            "{base}/objects/{path}?expires={expires}&name={file_name}&sha256={sha256}&signature={signature}"
        );
        Ok(SignedUrl { url, expires_at })
    }

    /// Whether this request is what was signed, and in time. `path` is what follows `/objects/`.
    ///
    /// # Errors
    /// 403 `SIGNATURE_INVALID` when anything (method, path, expiry, name, hash, signature) differs from what was signed;
    /// 403 `SIGNATURE_EXPIRED` when it was signed and is too late.
    pub fn verify(&self, method: &str, path: &str, proof: &LinkProof<'_>, now: DateTime<Utc>) -> Result<()> {
        let LinkProof { expires, file_name, sha256, signature } = *proof;
        // A line break inside a field could make one statement read as another.
        let plain = path::checked(path).is_ok()
            && path::is_name(file_name)
            && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let tag = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let statement = statement(method, path, expires, file_name, sha256);
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

fn statement(method: &str, path: &str, expires: i64, file_name: &str, sha256: &str) -> Vec<u8> {
    format!("{method}\n{path}\n{expires}\n{file_name}\n{sha256}").into_bytes()
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
        let signed = signer.sign_get("http://host", PATH, "pack.zip", &[7; 32], TTL, now()).unwrap();
        let expires = signed.expires_at.timestamp();
        let hash = "07".repeat(32);
        let start =
            format!("http://host/objects/{PATH}?expires={expires}&name=pack.zip&sha256={hash}&signature=");
        (expires, signed.url.strip_prefix(&start).unwrap().to_owned())
    }

    #[test]
    fn verify_accepts_exactly_what_was_signed_for_300_seconds() {
        let signer = LocalSigner::new(&[7; 32]);
        let (expires, signature) = signed(&signer);
        assert_eq!(expires, 1_800_000_300);
        let sha256 = "07".repeat(32);
        let good = LinkProof { expires, file_name: "pack.zip", sha256: &sha256, signature: &signature };
        let check = |signer: &LocalSigner, method: &str, path: &str, proof: LinkProof<'_>, at| {
            signer.verify(method, path, &proof, at).map_err(|fault| {
                assert_eq!(fault.kind(), Kind::Forbidden);
                fault.code().to_owned()
            })
        };
        assert_eq!(check(&signer, "GET", PATH, good, now()), Ok(()));
        assert_eq!(check(&signer, "GET", PATH, good, later(299)), Ok(()));
        let expired = Err("SIGNATURE_EXPIRED".to_owned());
        assert_eq!(check(&signer, "GET", PATH, good, later(300)), expired);
        assert_eq!(check(&signer, "GET", PATH, good, later(301)), expired);

        let invalid = Err("SIGNATURE_INVALID".to_owned());
        for method in ["HEAD", "POST", "PUT", "DELETE", "get", ""] {
            assert_eq!(check(&signer, method, PATH, good, now()), invalid, "{method}");
        }
        for path in ["exports/acme/part-0002.zip", "../secret"] {
            assert_eq!(check(&signer, "GET", path, good, now()), invalid, "{path}");
        }
        let later_end = LinkProof { expires: expires + 1, ..good };
        assert_eq!(check(&signer, "GET", PATH, later_end, later(301)), invalid, "not just expired");
        let edited = format!("{}{}", if signature.starts_with('A') { 'B' } else { 'A' }, &signature[1..]);
        let (padded, other) = (format!("{signature}="), "08".repeat(32));
        for proof in [
            later_end,
            LinkProof { file_name: "other.zip", ..good },
            LinkProof { file_name: "", ..good },
            LinkProof { sha256: &other, ..good },
            LinkProof { sha256: "", ..good },
            LinkProof { signature: "", ..good },
            LinkProof { signature: &edited, ..good },
            LinkProof { signature: &padded, ..good },
            LinkProof { signature: &signature[..40], ..good },
        ] {
            assert_eq!(check(&signer, "GET", PATH, proof, now()), invalid, "{proof:?}");
        }
        assert_eq!(check(&LocalSigner::new(&[8; 32]), "GET", PATH, good, now()), invalid);
    }

    #[test]
    fn sign_get_refuses_names_that_could_speak_for_others() {
        let signer = LocalSigner::new(&[7; 32]);
        let sign = |path, name, ttl| signer.sign_get("http://host", path, name, &[7; 32], ttl, now()).err();
        for name in ["", "a\nb", "a&b", "a b", "a/b", "\"x\"", ".htaccess"] {
            assert_eq!(sign(PATH, name, TTL).unwrap().code(), "FILE_NAME_INVALID", "{name:?}");
        }
        assert!(sign("../a", "pack.zip", TTL).is_some());
        assert!(sign(PATH, "pack.zip", Duration::MAX).is_some());
    }
}
