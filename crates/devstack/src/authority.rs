//! An authority of one's own, and certificates from it: for the services of one machine, and for tests of whom they believe.

use std::path::{Path, PathBuf};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair, SanType,
};

use crate::DevstackError;
use crate::s3::S3Certificate;

/// Signs certificates. Its own lies in a file, for those who shall believe it; its key lies nowhere.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

/// A certificate with its private key.
pub struct Issued {
    /// The certificate, as PEM.
    pub chain: String,
    /// The private key, as PEM.
    pub key: String,
    /// The certificate, as DER.
    pub der: Vec<u8>,
}

impl Authority {
    /// A new one, whose certificate is `<name>.pem` in this folder.
    ///
    /// # Errors
    /// The file cannot be written, or the system gives no randomness.
    pub fn new(folder: &Path, name: &str) -> Result<Self, DevstackError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // A name that no certificate from it has: some take one whose subject is its issuer for one that signed itself.
        params.distinguished_name = called(&format!("authority {name}"));
        let key = KeyPair::generate().map_err(impossible)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(impossible)?;
        let file = folder.join(format!("{name}.pem"));
        std::fs::write(&file, issuer.pem())
            .map_err(DevstackError::io(format!("write {}", file.display())))?;
        Ok(Self { issuer, file })
    }

    /// Where its certificate is.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its certificate, as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a host, or for whom a URI names where the name has a scheme.
    ///
    /// # Errors
    /// A name that is not ASCII, or the system gives no randomness.
    pub fn issue(&self, name: &str) -> Result<Issued, DevstackError> {
        let mut params = CertificateParams::default();
        params.distinguished_name = called(name);
        let ascii = Ia5String::try_from(name).map_err(impossible)?;
        let named = if name.contains("://") { SanType::URI(ascii) } else { SanType::DnsName(ascii) };
        params.subject_alt_names = vec![named];
        let key = KeyPair::generate().map_err(impossible)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(impossible)?;
        let (chain, der) = (certificate.pem(), certificate.der().to_vec());
        Ok(Issued { chain, key: key.serialize_pem(), der })
    }

    /// What an object store at `localhost` shows.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn object_store(&self) -> Result<S3Certificate, DevstackError> {
        const HOST: &str = "localhost";
        let Issued { chain, key, .. } = self.issue(HOST)?;
        Ok(S3Certificate { host: HOST.to_owned(), chain, key, authority: self.pem() })
    }
}

fn called(name: &str) -> DistinguishedName {
    let mut called = DistinguishedName::new();
    called.push(DnType::CommonName, name);
    called
}

fn impossible(error: rcgen::Error) -> DevstackError {
    DevstackError::io("make a certificate")(std::io::Error::other(error))
}
