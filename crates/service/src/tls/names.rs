//! What a certificate calls whoever it was made for.

use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// The alternative names of a certificate, as they stand in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlternativeNames {
    /// DNS names.
    pub dns: Vec<String>,
    /// URIs.
    pub uris: Vec<String>,
}

/// Reads the alternative names of a certificate, whose chain has been verified; none where it has none.
pub fn alternative_names(certificate: &CertificateDer<'_>) -> AlternativeNames {
    let mut names = AlternativeNames::default();
    let Ok(parsed) = Certificate::from_der(certificate) else { return names };
    let Ok(Some((_, SubjectAltName(found)))) = parsed.tbs_certificate.get::<SubjectAltName>() else {
        return names;
    };
    for name in found {
        match name {
            GeneralName::DnsName(name) => names.dns.push(name.as_str().to_owned()),
            GeneralName::UniformResourceIdentifier(uri) => names.uris.push(uri.as_str().to_owned()),
            _ => {}
        }
    }
    names
}
