//! Certificates of services and of Envoys, as files.

use std::sync::atomic::{AtomicU32, Ordering};

use mintmark_devstack::authority;
use mintmark_service::Context;
use mintmark_service::tls::{Tls, TlsFiles, ZONE};
use tempfile::TempDir;

static NEXT: AtomicU32 = AtomicU32::new(1);

pub struct Authority {
    issuer: authority::Authority,
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
        let folder = tempfile::tempdir().unwrap();
        Self { issuer: authority::Authority::new(folder.path(), "authority").unwrap(), folder }
    }

    /// For a service of ours.
    pub fn service(&self, name: &str) -> Issued {
        self.issue(&format!("{name}.{ZONE}"))
    }

    /// For somebody else, with a DNS name, or with a URI where the name has a scheme.
    pub fn issue(&self, name: &str) -> Issued {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let at = |what: &str| self.folder.path().join(format!("{number}.{what}.pem"));
        let authority = self.issuer.file().to_owned();
        let files = TlsFiles { certificate: at("cert"), key: at("key"), authority };
        let issued = self.issuer.issue(name).unwrap();
        std::fs::write(&files.certificate, issued.chain).unwrap();
        std::fs::write(&files.key, issued.key).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, &issued.der);
        Issued { files, sha256: digest.as_ref().try_into().unwrap() }
    }

    /// One that this authority made, shown by somebody who trusts another one.
    pub fn issue_for_one_who_trusts(&self, other: &Authority, name: &str) -> Issued {
        let mut issued = self.issue(name);
        issued.files.authority = other.issuer.file().to_owned();
        issued
    }

    /// What a process of this service runs in.
    pub fn context(&self, service: &str) -> Context {
        let tls = Tls::load(self.service(service).files).unwrap();
        Context { tls: Some(tls), ..Context::for_tests("ratelimit") }
    }
}
