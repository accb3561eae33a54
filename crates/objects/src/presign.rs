//! URLs of a bucket that carry their own proof: AWS Signature Version 4 in the query.
//!
//! `object_store` can presign too, but only as of its own idea of now and for the endpoint that it talks to. We sign for the
//! endpoint that others reach, and as of a moment that is given, so that a test can stand at the 299th and the 301st
//! second. That both give the same signature for the same moment is tested.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_service::config::Secret;
use ring::{digest, hmac};
use url::{Position, Url};

use crate::SignedUrl;
use crate::path::{self, hex};

/// A week: the most that the protocol allows.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Signs URLs of one bucket. Cheap to clone.
#[derive(Clone)]
pub(crate) struct BucketSigner(Arc<Inner>);

struct Inner {
    /// `https://host[:port]`.
    origin: String,
    /// `host[:port]`, as the reader's client will say it.
    host: String,
    /// What stands before an object's path: `/`, or with bucket and prefix, ending in `/`.
    root: String,
    region: String,
    access_key_id: String,
    secret: Secret,
}

impl BucketSigner {
    pub(crate) fn new(
        address: &Url,
        prefix: &str,
        region: &str,
        access_key_id: &str,
        secret: Secret,
    ) -> Self {
        let mut root = address.path().trim_end_matches('/').to_owned();
        for segment in prefix.split('/').filter(|segment| !segment.is_empty()) {
            root.push('/');
            root.push_str(segment);
        }
        root.push('/');
        Self(Arc::new(Inner {
            origin: address[..Position::BeforePath].to_owned(),
            host: address[Position::BeforeHost..Position::AfterPort].to_owned(),
            root,
            region: region.to_owned(),
            access_key_id: access_key_id.to_owned(),
            secret,
        }))
    }

    /// A URL for GET, valid for `ttl` from `now`, whose answer is an attachment called `file_name` that no cache keeps.
    pub(crate) fn sign_get(
        &self,
        path: &str,
        file_name: &str,
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<SignedUrl> {
        path::checked(path)?;
        path::checked_name(file_name)?;
        let further = [
            ("response-cache-control", path::CACHE_CONTROL),
            ("response-content-disposition", &path::attachment(file_name)),
            ("response-content-type", path::content_type(path)),
        ];
        self.sign(path, &further, ttl, now)
    }

    /// A URL for GET of something that the bucket itself answers: `further` are the parameters that say what, in the order
    /// of their names, which come after `X-Amz`.
    pub(crate) fn sign_bucket(&self, further: &[(&str, &str)], now: DateTime<Utc>) -> Result<SignedUrl> {
        self.sign("", further, Duration::from_secs(60), now)
    }

    fn sign(
        &self,
        path: &str,
        further: &[(&str, &str)],
        ttl: Duration,
        now: DateTime<Utc>,
    ) -> Result<SignedUrl> {
        let this = &*self.0;
        let out_of_range = || Fault::internal("the expiry of a signed URL is out of range");
        let ttl = Some(ttl).filter(|ttl| *ttl <= LONGEST).ok_or_else(out_of_range)?;
        let seconds = TimeDelta::from_std(ttl).map_err(|_| out_of_range())?.num_seconds();
        let signed_at = DateTime::from_timestamp(now.timestamp(), 0).ok_or_else(out_of_range)?;
        let expires_at =
            signed_at.checked_add_signed(TimeDelta::seconds(seconds)).ok_or_else(out_of_range)?;

        let date = signed_at.format("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{}/s3/aws4_request", signed_at.format("%Y%m%d"), this.region);
        // In the order in which they are signed, which is that of their bytes.
        let standard = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &format!("{}/{scope}", this.access_key_id)),
            ("X-Amz-Date", &date),
            ("X-Amz-Expires", &seconds.to_string()),
            ("X-Amz-SignedHeaders", "host"),
        ];
        let query: Vec<String> = standard
            .iter()
            .chain(further)
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let query = query.join("&");
        // Paths that pass the checks need no escaping.
        let resource = format!("{}{path}", this.root);
        let request = format!("GET\n{resource}\n{query}\nhost:{}\n\nhost\nUNSIGNED-PAYLOAD", this.host);
        let digest = digest::digest(&digest::SHA256, request.as_bytes());
        let statement = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest.as_ref()));
        let signature = hex(hmac::sign(&self.key(&signed_at, "s3"), statement.as_bytes()).as_ref());
        let url = format!("{}{resource}?{query}&X-Amz-Signature={signature}", this.origin);
        Ok(SignedUrl { url, expires_at })
    }

    /// The key of one day, region and service, as the protocol derives it.
    fn key(&self, day: &DateTime<Utc>, service: &str) -> hmac::Key {
        let secret = zeroize::Zeroizing::new(format!("AWS4{}", self.0.secret.expose()));
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        for word in [day.format("%Y%m%d").to_string().as_str(), &self.0.region, service, "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, word.as_bytes()).as_ref());
        }
        key
    }
}

/// RFC 3986: everything but the unreserved characters, upper-case, as the protocol wants it.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _infallible = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use object_store::aws::AmazonS3Builder;
    use object_store::path::Path;
    use object_store::signer::{Method, SignedUrlOptions, Signer};

    use super::*;

    const TTL: Duration = Duration::from_secs(300);
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn signer(address: &str, prefix: &str) -> BucketSigner {
        let address = Url::parse(address).unwrap();
        BucketSigner::new(
            &address,
            prefix,
            "eu-central-1",
            "AKIAIOSFODNN7EXAMPLE",
            Secret::new(SECRET.to_owned()),
        )
    }

    fn query(url: &str, name: &str) -> String {
        let url = Url::parse(url).unwrap();
        url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
    }

    #[tokio::test]
    async fn signature_is_the_one_that_the_library_makes_for_the_same_moment() {
        mintmark_service::install_crypto();
        for (endpoint, virtual_hosted, address) in [
            ("https://s3.example:9000", false, "https://s3.example:9000/packs"),
            ("https://packs.s3.example", true, "https://packs.s3.example"),
        ] {
            let library = AmazonS3Builder::new()
                .with_bucket_name("packs")
                .with_endpoint(endpoint)
                .with_virtual_hosted_style_request(virtual_hosted)
                .with_region("eu-central-1")
                .with_access_key_id("AKIAIOSFODNN7EXAMPLE")
                .with_secret_access_key(SECRET)
                .build()
                .unwrap();
            let options = SignedUrlOptions::new().with_query([
                ("response-cache-control", "private, no-store"),
                ("response-content-disposition", "attachment; filename=\"bat_1-part-0001.zip\""),
                ("response-content-type", "application/zip"),
            ]);
            let path = Path::from("exports/acme/part-0001.zip");
            let theirs = library.signed_url_opts(Method::GET, &path, TTL, &options).await.unwrap();
            let date = query(theirs.as_str(), "X-Amz-Date");
            let moment = chrono::NaiveDateTime::parse_from_str(&date, "%Y%m%dT%H%M%SZ").unwrap().and_utc();

            let ours =
                signer(address, "exports").sign_get("acme/part-0001.zip", "bat_1-part-0001.zip", TTL, moment);
            let ours = ours.unwrap();
            assert_eq!(query(&ours.url, "X-Amz-Signature"), query(theirs.as_str(), "X-Amz-Signature"));
            assert_eq!(Url::parse(&ours.url).unwrap().path(), theirs.path());
            assert_eq!(ours.expires_at, moment + TTL);
        }
    }

    #[test]
    fn url_says_who_signed_for_how_long_and_never_the_secret() {
        let now = DateTime::from_timestamp(1_800_000_000, 999_000_000).unwrap();
        let signed =
            signer("https://s3.example/packs", "").sign_get("a/b.zip", "pack.zip", TTL, now).unwrap();
        assert!(signed.url.starts_with("https://s3.example/packs/a/b.zip?X-Amz-Algorithm=AWS4-HMAC-SHA256&"));
        assert_eq!(query(&signed.url, "X-Amz-Expires"), "300");
        assert_eq!(query(&signed.url, "X-Amz-Date"), "20270115T080000Z");
        assert_eq!(signed.expires_at.timestamp(), 1_800_000_300);
        assert!(!signed.url.contains("wJalr"));
    }

    #[test]
    fn sign_get_refuses_what_could_speak_for_others_or_for_ever() {
        let signer = signer("https://s3.example/packs", "");
        for (path, name, ttl, code) in [
            ("../a", "pack.zip", TTL, "OBJECT_PATH_INVALID"),
            ("a", "pack\".zip", TTL, "FILE_NAME_INVALID"),
            ("a", "pack.zip", LONGEST + Duration::from_secs(1), "INTERNAL"),
        ] {
            assert_eq!(signer.sign_get(path, name, ttl, Utc::now()).err().unwrap().code(), code);
        }
        assert!(signer.sign_get("a", "pack.zip", LONGEST, Utc::now()).is_ok());
    }
}
