//! Envoys that the trust bundle names by their client certificate, and what each of them may speak of.

use serde::{Deserialize, Serialize};

use crate::envoy::{EnvoyCaller, digest_of, from_hex, is_domain};
use crate::{BundleError, TrustStore};

/// An entry of the bundle's `envoys`: one identity of a certificate, and the domains that it opens.
///
/// ```json
/// {"dnsName": "edge.envoy.example", "domains": ["edge"]}
/// ```
///
/// Instead of `dnsName` an entry may have `uri` (a name such as `spiffe://example/edge`) or `sha256` (of the certificate's DER
/// form, 64 hexadecimal digits, which a renewed certificate does not keep).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "EnvoyFields", into = "EnvoyFields")]
pub struct TrustedEnvoy {
    identity: CertificateIdentity,
    domains: Vec<Box<str>>,
}

/// What an entry knows a certificate by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateIdentity {
    /// A DNS name among its alternative names, in lower case.
    DnsName(Box<str>),
    /// A URI among its alternative names.
    Uri(Box<str>),
    /// The SHA-256 of its DER form.
    Sha256([u8; 32]),
}

/// A client's certificate whose chain was verified and whose private key the client has: what a TLS handshake proves.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    dns_names: Vec<String>,
    uris: Vec<String>,
    sha256: [u8; 32],
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustedEnvoyError {
    /// Which certificate is meant is not clear.
    #[error("an entry of `envoys` has one of `dnsName`, `uri` and `sha256`")]
    Identity,
    /// No certificate has this name, or every one of a zone.
    #[error("a `dnsName` of `envoys` is a whole DNS name like edge.envoy.example: no wildcard, no address")]
    DnsName,
    /// Not a URI.
    #[error(
        "a `uri` of `envoys` is 4 to 2048 printable ASCII characters with a scheme, like spiffe://example/edge"
    )]
    Uri,
    /// Not a digest.
    #[error("a `sha256` of `envoys` is 64 hexadecimal digits: the SHA-256 of the certificate in DER form")]
    Sha256,
    /// It opens nothing, or what cannot be a domain.
    #[error(
        "the `domains` of an entry of `envoys` are one or more names of 1 to 128 printable ASCII characters without spaces, `=`, `,` and `;`"
    )]
    Domains,
}

impl TrustedEnvoy {
    /// An Envoy that proves itself by a certificate, for these domains.
    ///
    /// # Errors
    /// When the identity or a domain cannot be one.
    pub fn new(identity: CertificateIdentity, domains: &[&str]) -> Result<Self, TrustedEnvoyError> {
        let identity = identity.checked()?;
        if domains.is_empty() || !domains.iter().all(|domain| is_domain(domain)) {
            return Err(TrustedEnvoyError::Domains);
        }
        Ok(Self { identity, domains: domains.iter().map(|domain| Box::from(*domain)).collect() })
    }

    /// What its certificate is known by.
    pub fn identity(&self) -> &CertificateIdentity {
        &self.identity
    }
}

impl CertificateIdentity {
    fn checked(self) -> Result<Self, TrustedEnvoyError> {
        match self {
            Self::DnsName(name) => {
                let name = name.to_ascii_lowercase();
                let label = |label: &str| {
                    (1..=63).contains(&label.len())
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                // The last label of an IPv4 address is a number, and of no name.
                let number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
                let sound = name.len() <= 253
                    && name.split('.').all(label)
                    && !name.rsplit('.').next().is_some_and(number);
                if sound { Ok(Self::DnsName(name.into())) } else { Err(TrustedEnvoyError::DnsName) }
            }
            Self::Uri(uri) => {
                let sound = (4..=2048).contains(&uri.len())
                    && uri.bytes().all(|byte| byte.is_ascii_graphic())
                    && uri
                        .split_once(':')
                        .is_some_and(|(scheme, rest)| !scheme.is_empty() && !rest.is_empty());
                if sound { Ok(Self::Uri(uri)) } else { Err(TrustedEnvoyError::Uri) }
            }
            digest @ Self::Sha256(_) => Ok(digest),
        }
    }

    fn is_of(&self, certificate: &ClientCertificate) -> bool {
        match self {
            Self::DnsName(name) => certificate.dns_names.iter().any(|other| **other == **name),
            Self::Uri(uri) => certificate.uris.iter().any(|other| **other == **uri),
            Self::Sha256(digest) => *digest == certificate.sha256,
        }
    }
}

impl ClientCertificate {
    /// A certificate in DER form with the names that were read from it.
    pub fn new(der: &[u8], dns_names: Vec<String>, uris: Vec<String>) -> Self {
        let dns_names = dns_names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { dns_names, uris, sha256: digest_of(der) }
    }
}

impl TrustStore {
    /// The Envoy whose certificate this is, by the bundle that is in force now: with the domains of every entry that knows it.
    pub fn envoy(&self, certificate: &ClientCertificate) -> Option<EnvoyCaller> {
        let trust = self.current();
        let known = trust.envoys().iter().filter(|envoy| envoy.identity.is_of(certificate));
        let domains: Vec<Box<str>> = known.flat_map(|envoy| envoy.domains.iter().cloned()).collect();
        EnvoyCaller::of(domains)
    }
}

/// Refuses a bundle that names one certificate in two entries: which domains it has would stand in neither.
pub(crate) fn refuse_twins(envoys: &[TrustedEnvoy]) -> Result<(), BundleError> {
    let mut seen = std::collections::HashSet::new();
    match envoys.iter().find(|envoy| !seen.insert(&envoy.identity)) {
        Some(twin) => Err(BundleError::DuplicateEnvoy(format!("{:?}", twin.identity))),
        None => Ok(()),
    }
}

/// The form of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EnvoyFields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dns_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uri: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    domains: Vec<String>,
}

impl TryFrom<EnvoyFields> for TrustedEnvoy {
    type Error = TrustedEnvoyError;

    fn try_from(fields: EnvoyFields) -> Result<Self, TrustedEnvoyError> {
        let identity = match (fields.dns_name, fields.uri, fields.sha256) {
            (Some(name), None, None) => CertificateIdentity::DnsName(name.into()),
            (None, Some(uri), None) => CertificateIdentity::Uri(uri.into()),
            (None, None, Some(hex)) => {
                CertificateIdentity::Sha256(from_hex(&hex).ok_or(TrustedEnvoyError::Sha256)?)
            }
            _ => return Err(TrustedEnvoyError::Identity),
        };
        let domains: Vec<&str> = fields.domains.iter().map(String::as_str).collect();
        Self::new(identity, &domains)
    }
}

impl From<TrustedEnvoy> for EnvoyFields {
    fn from(envoy: TrustedEnvoy) -> Self {
        let mut fields = EnvoyFields {
            dns_name: None,
            uri: None,
            sha256: None,
            domains: envoy.domains.into_iter().map(String::from).collect(),
        };
        match envoy.identity {
            CertificateIdentity::DnsName(name) => fields.dns_name = Some(name.into()),
            CertificateIdentity::Uri(uri) => fields.uri = Some(uri.into()),
            CertificateIdentity::Sha256(digest) => {
                fields.sha256 = Some(digest.iter().map(|byte| format!("{byte:02x}")).collect());
            }
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DEFAULT_ISSUER, SigningKey, TrustBundle, TrustedKey};
    use mintmark_ids::ServiceName;
    use serde_json::{Value, json};

    /// A bundle with these entries, as a file has it.
    fn bundle(envoys: Value) -> Result<TrustBundle, BundleError> {
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
        let trusted =
            TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants: Vec::new() };
        let keys = TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json();
        let mut file: Value = serde_json::from_str(&keys).unwrap();
        assert!(file.get("envoys").is_none(), "a bundle without is what it was");
        file["envoys"] = envoys;
        TrustBundle::parse(&file.to_string())
    }

    fn certificate(der: &[u8], dns: &[&str], uris: &[&str]) -> ClientCertificate {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ClientCertificate::new(der, owned(dns), owned(uris))
    }

    #[test]
    fn envoy_is_known_by_each_identity_for_its_domains_alone() {
        let digest: String = digest_of(b"der").iter().map(|byte| format!("{byte:02x}")).collect();
        let bundle = bundle(json!([
            {"dnsName": "Edge.Envoy.Example", "domains": ["edge"]},
            {"uri": "spiffe://example/inner", "domains": ["inner", "other"]},
            {"sha256": digest, "domains": ["pinned"]},
        ]))
        .unwrap();
        assert_eq!(TrustBundle::parse(&bundle.to_json()).unwrap(), bundle, "written as it is read");
        let trust = TrustStore::fixed(bundle);
        let opened = |certificate: ClientCertificate| -> Option<Vec<&str>> {
            let caller = trust.envoy(&certificate)?;
            let all = ["edge", "inner", "other", "pinned", "EDGE", ""];
            Some(all.into_iter().filter(|domain| caller.domain(domain).is_some()).collect())
        };
        assert_eq!(opened(certificate(b"x", &["a.example", "EDGE.envoy.example"], &[])), Some(vec!["edge"]));
        assert_eq!(opened(certificate(b"x", &[], &["spiffe://example/inner"])), Some(vec!["inner", "other"]));
        assert_eq!(opened(certificate(b"der", &[], &[])), Some(vec!["pinned"]));
        assert_eq!(opened(certificate(b"der", &["edge.envoy.example"], &[])), Some(vec!["edge", "pinned"]));
        for (dns, uri) in [
            ("*.envoy.example", "spiffe://example/Inner"),
            ("envoy.example", "spiffe://example/inner/"),
            ("edge.envoy.example.", "edge.envoy.example"),
            ("xedge.envoy.example", ""),
            ("spiffe://example/inner", ""),
        ] {
            assert_eq!(opened(certificate(b"x", &[dns], &[uri])), None, "{dns} {uri}");
        }
    }

    #[test]
    fn envoy_is_forgotten_with_its_entry() {
        let with = bundle(json!([{"dnsName": "edge.example", "domains": ["edge"]}])).unwrap();
        let trust = TrustStore::fixed(with);
        let edge = certificate(b"x", &["edge.example"], &[]);
        assert!(trust.envoy(&edge).is_some());
        assert!(trust.replace(bundle(json!([])).unwrap()));
        assert!(trust.envoy(&edge).is_none());
    }

    #[test]
    fn parse_refuses_entries_that_name_no_certificate_or_open_nothing() {
        let digest = "0".repeat(64);
        for entry in [
            json!({"domains": ["edge"]}),
            json!({"dnsName": "a.example", "uri": "spiffe://a/b", "domains": ["edge"]}),
            json!({"dnsName": "*.example", "domains": ["edge"]}),
            json!({"dnsName": "10.0.0.1", "domains": ["edge"]}),
            json!({"dnsName": "", "domains": ["edge"]}),
            json!({"dnsName": "a..b", "domains": ["edge"]}),
            json!({"uri": "edge", "domains": ["edge"]}),
            json!({"sha256": &digest[1..], "domains": ["edge"]}),
            json!({"dnsName": "a.example", "domains": []}),
            json!({"dnsName": "a.example", "domains": ["a b"]}),
            json!({"dnsName": "a.example", "domain": "edge"}),
            json!({"dnsName": "a.example", "domains": ["edge"], "scopes": ["ratelimit:check"]}),
        ] {
            assert!(bundle(json!([entry])).is_err(), "{entry}");
        }
        let twins = json!([
            {"dnsName": "a.example", "domains": ["edge"]},
            {"dnsName": "A.example", "domains": ["other"]},
        ]);
        assert!(matches!(bundle(twins), Err(BundleError::DuplicateEnvoy(_))));
    }
}
