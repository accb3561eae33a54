//! Whom a bucket's server is believed to be signed by, where that is not the system's to say.

use std::path::Path;
use std::sync::Arc;

use reqwest::Certificate;

/// The authorities of `S3_CA_FILE`, read when the configuration is: another file is another start.
#[derive(Clone)]
pub(crate) struct Authorities(Arc<[Certificate]>);

impl Authorities {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// A sentence about the file: it cannot be read, has no certificate, or has what is none.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let name = file.display();
        let pem = std::fs::read(file)
            .map_err(|error| format!("{name} cannot be read ({error}): name a PEM file of certificates"))?;
        let malformed = || format!("{name} holds a certificate that cannot be used: write it anew, as PEM");
        let found = Certificate::from_pem_bundle(&pem).map_err(|_| malformed())?;
        if found.is_empty() {
            return Err(format!("{name} holds no certificate: name a PEM file of certificates"));
        }
        let read = Self(found.into());
        // What stands in a certificate is looked at only here.
        mintmark_service::install_crypto();
        let used = reqwest::Client::builder().no_proxy().tls_certs_only(read.certificates()).build();
        used.map(|_| read).map_err(|_| malformed())
    }

    pub(crate) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.0.iter().cloned()
    }
}
