//! An authority of a test's own, and certificates from it.

use std::sync::atomic::{AtomicU32, Ordering};

use mintmark_service::Context;
use mintmark_service::tls::{Tls, TlsFiles, ZONE};
use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use tempfile::TempDir;

static NEXT: AtomicU32 = AtomicU32::new(1);

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate with its key, beside the authority's own.
pub struct Issued {
    pub files: TlsFiles,
    /// SHA-256 of its DER form.
    pub sha256: [u8; 32],
}

impl Authority {
    pub fn new() -> Self {
        mintmark_service::install_crypto();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Envoy takes a certificate whose subject is its issuer for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: tempfile::tempdir().unwrap() }
    }

    /// For a service of ours.
    pub fn service(&self, name: &str) -> Issued {
        self.issue(&format!("{name}.{ZONE}"))
    }

    /// For somebody else, with a DNS name, or with a URI where the name has a scheme.
    pub fn issue(&self, name: &str) -> Issued {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let at = |what: &str| self.folder.path().join(format!("{number}.{what}.pem"));
        let files = TlsFiles { certificate: at("cert"), key: at("key"), authority: at("ca") };
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        let called = Ia5String::try_from(name).unwrap();
        params.subject_alt_names =
            vec![if name.contains("://") { SanType::URI(called) } else { SanType::DnsName(called) }];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        std::fs::write(&files.authority, self.issuer.pem()).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate.der());
        Issued { files, sha256: digest.as_ref().try_into().unwrap() }
    }

    /// One that this authority made, shown by somebody who trusts another one.
    pub fn issue_for_one_who_trusts(&self, other: &Authority, name: &str) -> Issued {
        let issued = self.issue(name);
        std::fs::write(&issued.files.authority, other.issuer.pem()).unwrap();
        issued
    }

    /// What a process of this service runs in.
    pub fn context(&self, service: &str) -> Context {
        let tls = Tls::load(self.service(service).files).unwrap();
        Context { tls: Some(tls), ..Context::for_tests("ratelimit") }
    }
}
