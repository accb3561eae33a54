//! A bucket of an S3-compatible store: its variables, and opening it.
//!
//! Credentials come from our own variables and from nowhere else: the builder is never told to read the environment,
//! and with a static key it asks no metadata endpoint. The same holds for proxies, which the HTTP client does not look for.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use mintmark_fault::{Fault, Result};
use mintmark_service::config::{AppEnv, Reader, Secret};
use object_store::aws::AmazonS3Builder;
use object_store::client::{ClientOptions, HttpClient, HttpConnector};
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, RetryConfig};
use url::{Host, Url};

use crate::authority::Authorities;
use crate::presign::BucketSigner;
use crate::{failure, path};

/// Establishing a connection takes longer than this only when nobody is there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence of the store; also bounds the upload of one part, since it answers after it: 5 MiB at 85 KiB/s.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// Jobs retry by themselves, minutes apart; this is for what passes within seconds.
const RETRIES: usize = 3;
const RETRY_WITHIN: Duration = Duration::from_secs(20);
/// What a bucket says about itself is a few lines.
const LONGEST_ANSWER: usize = 64 * 1024;

/// An opened bucket's address and keys.
#[derive(Clone)]
pub(crate) struct BucketConfig {
    pub(crate) bucket: String,
    /// Empty, or a path that objects lie under.
    pub(crate) prefix: String,
    /// Where we reach the store.
    pub(crate) endpoint: Url,
    /// Where those reach it who hold a signed URL.
    pub(crate) public_endpoint: Url,
    pub(crate) region: String,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
    /// Whether the bucket stands in the host name and not in the path.
    pub(crate) virtual_hosted: bool,
    /// Believed instead of those that the system trusts.
    pub(crate) authorities: Option<Authorities>,
}

impl fmt::Debug for BucketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreConfig")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint.as_str())
            .field("public_endpoint", &self.public_endpoint.as_str())
            .finish_non_exhaustive()
    }
}

/// What stands in the environment, before it is known whether a bucket is wanted at all.
#[derive(Clone)]
pub(crate) struct BucketVariables {
    app_env: Option<AppEnv>,
    endpoint: Option<String>,
    public_endpoint: Option<String>,
    region: String,
    access_key_id: Option<String>,
    secret_access_key: Option<Secret>,
    virtual_hosted: bool,
    ca_file: Option<PathBuf>,
}

impl BucketVariables {
    pub(crate) fn read(reader: &mut Reader) -> Option<Self> {
        let app_env = reader.app_env();
        let endpoint = reader.optional("S3_ENDPOINT", "the object store as we reach it: https://host[:port]");
        let public_endpoint = reader.optional(
            "S3_PUBLIC_ENDPOINT",
            "the same store as others reach it, for download URLs; unset: S3_ENDPOINT",
        );
        let region = reader.string("S3_REGION", "us-east-1", "region of the s3:// store");
        let access_key_id = reader
            .optional("S3_ACCESS_KEY_ID", "id of the access key; no other source of credentials is asked");
        let secret_access_key = reader.optional_secret("S3_SECRET_ACCESS_KEY", "the access key itself");
        let virtual_hosted = reader.boolean(
            "S3_VIRTUAL_HOSTED_STYLE",
            false,
            "true: the bucket stands in the host name; false: in the path",
        );
        let ca_file = reader.optional_path(
            "S3_CA_FILE",
            "PEM certificates of the authorities behind the object store's certificate, believed instead of the system's; \
             unset: those that the system trusts",
        );
        for name in ["S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] {
            reader.needed_when(name, "a store or bucket is at s3");
        }
        Some(Self {
            app_env,
            endpoint: endpoint?,
            public_endpoint: public_endpoint?,
            region: region?,
            access_key_id: access_key_id?,
            secret_access_key: secret_access_key?,
            virtual_hosted: virtual_hosted?,
            ca_file: ca_file?,
        })
    }

    /// The bucket that `text`, the value of the variable `name`, asks for.
    pub(crate) fn checked(self, reader: &mut Reader, name: &'static str, text: &str) -> Option<BucketConfig> {
        let place = bucket_and_prefix(text);
        if place.is_none() {
            reader.problem(name, "is not a bucket with a prefix: write it like s3://bucket/exports");
        }
        if !is_plain(&self.region) {
            reader.problem("S3_REGION", "is not a region: write it like us-east-1");
        }
        for (name, missing) in [
            ("S3_ENDPOINT", self.endpoint.is_none()),
            ("S3_ACCESS_KEY_ID", self.access_key_id.is_none()),
            ("S3_SECRET_ACCESS_KEY", self.secret_access_key.is_none()),
        ] {
            if missing {
                reader.problem(name, "is not set: a store at s3:// needs it");
            }
        }
        let open = self.app_env.is_some_and(|env| !env.is_production());
        let endpoint = self.endpoint.and_then(|text| checked_endpoint(reader, open, "S3_ENDPOINT", &text));
        let public_endpoint = match self.public_endpoint {
            Some(text) => checked_endpoint(reader, open, "S3_PUBLIC_ENDPOINT", &text),
            None => endpoint.clone(),
        };
        let is_address =
            |url: &Option<Url>| url.as_ref().is_some_and(|url| !matches!(url.host(), Some(Host::Domain(_))));
        if self.virtual_hosted && (is_address(&endpoint) || is_address(&public_endpoint)) {
            let sentence =
                "puts the bucket before the host's name, and an endpoint here is an address: write false";
            reader.problem("S3_VIRTUAL_HOSTED_STYLE", sentence);
        }
        let authorities = match self.ca_file.as_deref().map(Authorities::read).transpose() {
            Ok(authorities) => Some(authorities),
            Err(sentence) => {
                reader.problem("S3_CA_FILE", sentence);
                None
            }
        };
        let (bucket, prefix) = place?;
        Some(BucketConfig {
            bucket,
            prefix,
            endpoint: endpoint?,
            public_endpoint: public_endpoint?,
            region: Some(self.region).filter(|region| is_plain(region))?,
            access_key_id: self.access_key_id?,
            secret_access_key: self.secret_access_key?,
            virtual_hosted: self.virtual_hosted,
            authorities: authorities?,
        })
    }
}

// The value is not repeated in a sentence: somebody may have put credentials into it.
fn checked_endpoint(reader: &mut Reader, open: bool, name: &'static str, text: &str) -> Option<Url> {
    let bare = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && (url.username(), url.password(), url.query(), url.fragment()) == ("", None, None, None)
    };
    let Some(url) = Url::parse(text).ok().filter(bare) else {
        reader.problem(name, "is not an address: write https://host or https://host:port and nothing else");
        return None;
    };
    if url.scheme() == "http" && !open && !is_loopback(&url) {
        reader.problem(name, "is http:// to another machine: use https://, or set APP_ENV=development");
        return None;
    }
    Some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// `s3://bucket` or `s3://bucket/some/prefix`; names that need no escaping anywhere.
fn bucket_and_prefix(text: &str) -> Option<(String, String)> {
    let rest = text.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_end_matches('/');
    // S3's own rule for names of buckets.
    let good_bucket = (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        && bucket.starts_with(|first: char| first.is_ascii_alphanumeric())
        && bucket.ends_with(|last: char| last.is_ascii_alphanumeric());
    let good = good_bucket && (prefix.is_empty() || path::checked(prefix).is_ok());
    good.then(|| (bucket.to_owned(), prefix.to_owned()))
}

fn is_plain(region: &str) -> bool {
    !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

impl BucketConfig {
    /// `endpoint` with the bucket where it belongs.
    pub(crate) fn address(&self, endpoint: &Url) -> Option<Url> {
        let mut address = endpoint.clone();
        if self.virtual_hosted {
            let host = format!("{}.{}", self.bucket, endpoint.host_str()?);
            address.set_host(Some(&host)).ok()?;
        } else {
            address.set_path(&self.bucket);
        }
        Some(address)
    }

    /// The store and what signs its URLs. Reaches nothing.
    pub(crate) fn open(&self) -> Result<(Arc<dyn ObjectStore>, BucketSigner)> {
        let no_host =
            || Fault::internal("a bucket cannot stand before the host of S3_ENDPOINT: it is an address");
        let endpoint = if self.virtual_hosted {
            self.address(&self.endpoint).ok_or_else(no_host)?
        } else {
            self.endpoint.clone()
        };
        let retry =
            RetryConfig { max_retries: RETRIES, retry_timeout: RETRY_WITHIN, ..RetryConfig::default() };
        let plain = self.endpoint.scheme() == "http";
        let store = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(&self.region)
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_access_key_id(&self.access_key_id)
            .with_secret_access_key(self.secret_access_key.expose())
            .with_allow_http(plain)
            .with_retry(retry)
            .with_http_connector(Connector { plain, authorities: self.authorities.clone() })
            .build()
            .map_err(Fault::internal)?;
        let address = self.address(&self.public_endpoint).ok_or_else(no_host)?;
        let signer = BucketSigner::new(
            &address,
            &self.prefix,
            &self.region,
            &self.access_key_id,
            self.secret_access_key.clone(),
        );
        let store: Arc<dyn ObjectStore> = if self.prefix.is_empty() {
            Arc::new(store)
        } else {
            Arc::new(PrefixStore::new(store, path::checked(&self.prefix)?))
        };
        Ok((store, signer))
    }
}

impl BucketConfig {
    /// Asks the bucket itself, with these parameters. Gives back the HTTP status and what it answered, cut at 64 KiB.
    pub(crate) async fn ask(&self, further: &[(&str, &str)]) -> Result<(u16, String)> {
        let no_host =
            || Fault::internal("a bucket cannot stand before the host of S3_ENDPOINT: it is an address");
        let address = self.address(&self.endpoint).ok_or_else(no_host)?;
        let secret = self.secret_access_key.clone();
        let signer = BucketSigner::new(&address, "", &self.region, &self.access_key_id, secret);
        let url = signer.sign_bucket(further, Utc::now())?.url;
        let plain = self.endpoint.scheme() == "http";
        let client = client(plain, self.authorities.as_ref()).map_err(Fault::internal)?;
        // The error of a request names its URL, which carries a signature.
        let away = |error: reqwest::Error| failure::away().caused_by(error.without_url());
        let mut answer = client.get(url).send().await.map_err(away)?;
        let (status, mut body) = (answer.status().as_u16(), Vec::new());
        while let Some(piece) = answer.chunk().await.map_err(away)? {
            body.extend_from_slice(&piece);
            if body.len() > LONGEST_ANSWER {
                break;
            }
        }
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// Makes the HTTP client: no proxy that was not asked for, no redirect to a place that was not configured.
struct Connector {
    plain: bool,
    authorities: Option<Authorities>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("plain", &self.plain).finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = client(self.plain, self.authorities.as_ref())
            .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })?;
        Ok(HttpClient::new(client))
    }
}

fn client(plain: bool, authorities: Option<&Authorities>) -> reqwest::Result<reqwest::Client> {
    mintmark_service::install_crypto();
    let builder = match authorities {
        Some(authorities) => reqwest::Client::builder().tls_certs_only(authorities.certificates()),
        None => reqwest::Client::builder(),
    };
    builder
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .https_only(!plain)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .build()
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
