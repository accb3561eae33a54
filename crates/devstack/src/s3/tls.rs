//! TLS of the server: what it shows, and asking it whether it is there.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::DevstackError;
use crate::process::{PROBE, says_200};

/// What a server that speaks TLS shows. All but the host is PEM.
pub struct S3Certificate {
    /// A name that it is for, and that leads to 127.0.0.1.
    pub host: String,
    /// The certificate, and what lies between it and its authority.
    pub chain: String,
    /// Its private key.
    pub key: String,
    /// Its authority.
    pub authority: String,
}

impl S3Certificate {
    /// Under the names that MinIO looks for.
    pub(super) fn write(&self, folder: &Path) -> Result<(), DevstackError> {
        std::fs::create_dir(folder)
            .and_then(|()| std::fs::write(folder.join("public.crt"), &self.chain))
            .and_then(|()| std::fs::write(folder.join("private.key"), &self.key))
            .map_err(DevstackError::io("write the certificate of MinIO"))
    }
}

/// Asks over TLS, and believes the server's authority alone.
pub(super) struct TlsProbe {
    connector: TlsConnector,
    name: ServerName<'static>,
    port: u16,
}

impl TlsProbe {
    pub(super) fn new(certificate: &S3Certificate, port: u16) -> Result<Self, DevstackError> {
        let unusable =
            |error: String| DevstackError::io("use the authority of MinIO")(std::io::Error::other(error));
        let authority = CertificateDer::from_pem_slice(certificate.authority.as_bytes())
            .map_err(|error| unusable(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority).map_err(|error| unusable(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name =
            ServerName::try_from(certificate.host.clone()).map_err(|error| unusable(error.to_string()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name, port })
    }

    pub(super) async fn answers_200(&self, path: &str) -> bool {
        let probe = async {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
            let stream = self.connector.connect(self.name.clone(), stream).await?;
            says_200(stream, &self.name.to_str(), path).await
        };
        matches!(tokio::time::timeout(PROBE, probe).await, Ok(Ok(true)))
    }
}
