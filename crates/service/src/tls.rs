//! Mutual TLS between services: one certificate, its key, and the authority that both ends must have theirs from.
//!
//! A certificate names its service by the DNS name `<service>.mintmark.internal` among its alternative names: that name is
//! what the other end checks, whatever address it dialled, so a certificate of another service opens nothing.

mod expiry;
mod names;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, DnsName, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig, version};

use crate::config::Reader;
use crate::telemetry;

pub use names::{AlternativeNames, alternative_names};

/// What a service's name stands before in a certificate.
pub const ZONE: &str = "mintmark.internal";

const CERTIFICATE: &str = "TLS_CERT_FILE";
const KEY: &str = "TLS_KEY_FILE";
const AUTHORITY: &str = "TLS_CA_FILE";

/// HTTP/2, which gRPC is spoken over.
const ALPN: &[u8] = b"h2";

/// Where certificate, key and authority lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain that we present, ours first (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// The authorities that the other end's chain must come from (PEM).
    pub authority: PathBuf,
}

impl TlsFiles {
    /// Reads the three variables: all of them or none. Problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Option<Self>> {
        let certificate = reader.optional_path(
            CERTIFICATE,
            "certificate chain (PEM) that this service presents to others; reloaded when it changes",
        );
        let key = reader
            .optional_secret_path(KEY, "the certificate's private key (PEM); reloaded with the certificate");
        let authority = reader.optional_path(
            AUTHORITY,
            "authorities (PEM) that the certificates of other services must come from; reloaded when they change",
        );
        for name in [CERTIFICATE, KEY, AUTHORITY] {
            reader.needed_when(
                name,
                "another of the three is set, or, in production, this service answers or calls other machines over gRPC",
            );
        }
        match (certificate?, key?, authority?) {
            (Some(certificate), Some(key), Some(authority)) => {
                Some(Some(Self { certificate, key, authority }))
            }
            (None, None, None) => Some(None),
            (certificate, key, authority) => {
                for (name, given) in [(CERTIFICATE, &certificate), (KEY, &key), (AUTHORITY, &authority)] {
                    if given.is_none() {
                        reader.problem(
                            name,
                            format!("is not set: {CERTIFICATE}, {KEY} and {AUTHORITY} go together"),
                        );
                    }
                }
                None
            }
        }
    }
}

/// Why certificate, key or authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or is not PEM.
    #[error("{variable} {} cannot be read: it must be a PEM file", path.display())]
    Unreadable {
        /// The variable that names it.
        variable: &'static str,
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: pem::Error,
    },
    /// A file holds nothing of what it should.
    #[error("{variable} {} holds no certificate", path.display())]
    Empty {
        /// The variable that names it.
        variable: &'static str,
        /// Where it is.
        path: PathBuf,
    },
    /// They do not belong together, or rustls does not take them.
    #[error("TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE do not go together")]
    Rustls(#[from] rustls::Error),
    /// The authorities cannot judge anybody.
    #[error("the authorities in TLS_CA_FILE cannot be used")]
    Authorities(#[from] VerifierBuilderError),
}

/// Certificate, key and authority in force. Cheap to clone; the clones share what is in force.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    current: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    /// The files' contents, by which a change is seen.
    texts: [Vec<u8>; 3],
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    /// When our chain ends and when the first of the authorities does, since 1970.
    ends: [Option<Duration>; 2],
}

/// What the metric calls them.
const ENDING: [&str; 2] = ["own", "authority"];

impl Tls {
    /// Loads the files.
    ///
    /// # Errors
    /// Names the file that cannot be used.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let current = RwLock::new(Loaded::from(&files)?);
        Ok(Self(Arc::new(Inner { files, current })))
    }

    /// Looks at the files again; `true` when something changed and is in force for new connections.
    ///
    /// # Errors
    /// Names the file that cannot be used; what was in force stays so.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let loaded = Loaded::from(&self.0.files)?;
        let mut current = self.0.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = current.texts != loaded.texts;
        if changed {
            *current = loaded;
        }
        Ok(changed)
    }

    /// Shows on a gauge how long the certificates in force will still do.
    pub(crate) fn observe_expiry(&self) {
        let of = Arc::downgrade(&self.0);
        telemetry::meter()
            .f64_observable_gauge("tls.certificate.remaining")
            .with_unit("s")
            .with_description("Time until the first certificate ends: of our own chain, of the authorities")
            .with_callback(move |gauge| {
                let Some(inner) = of.upgrade() else { return };
                let ends = inner.current.read().unwrap_or_else(PoisonError::into_inner).ends;
                for (which, end) in ENDING.into_iter().zip(ends) {
                    if let Some(end) = end {
                        let left = expiry::seconds_until(end, SystemTime::now());
                        gauge.observe(left, &[KeyValue::new("certificate", which)]);
                    }
                }
            })
            .build();
    }

    /// How this service answers connections: whoever comes must present a certificate of the authority.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).server.clone()
    }

    /// How this service makes connections.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.0.current.read().unwrap_or_else(PoisonError::into_inner).client.clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.files).finish()
    }
}

/// The name that a service's certificate carries; none for a text that no service could be called.
pub fn server_name(service: &str) -> Option<ServerName<'static>> {
    DnsName::try_from(format!("{service}.{ZONE}")).ok().map(ServerName::DnsName)
}

/// Whether a certificate, whose chain has been verified, names this service.
pub fn names(certificate: &CertificateDer<'_>, service: &str) -> bool {
    let (Ok(parsed), Some(name)) = (ParsedCertificate::try_from(certificate), server_name(service)) else {
        return false;
    };
    rustls::client::verify_server_name(&parsed, &name).is_ok()
}

impl Loaded {
    fn from(files: &TlsFiles) -> Result<Self, TlsError> {
        let (chain_text, chain) = certificates(CERTIFICATE, &files.certificate)?;
        let (authority_text, authorities) = certificates(AUTHORITY, &files.authority)?;
        let key_text = read(KEY, &files.key)?;
        let key =
            PrivateKeyDer::from_pem_slice(&key_text).map_err(|cause| unreadable(KEY, &files.key, cause))?;
        let ends = [expiry::first_end(&chain), expiry::first_end(&authorities)];
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority)?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone()).build()?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&version::TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())?;
        server.alpn_protocols = vec![ALPN.to_vec()];
        // A resumed session would outlive the certificates that it was made with.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        let texts = [chain_text, key_text, authority_text];
        Ok(Self { texts, server: Arc::new(server), client: Arc::new(client), ends })
    }
}

fn certificates(
    variable: &'static str,
    path: &Path,
) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>), TlsError> {
    let text = read(variable, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|cause| unreadable(variable, path, cause))?;
    if found.is_empty() {
        return Err(TlsError::Empty { variable, path: path.to_owned() });
    }
    Ok((text, found))
}

fn read(variable: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|cause| unreadable(variable, path, pem::Error::Io(cause)))
}

fn unreadable(variable: &'static str, path: &Path, cause: pem::Error) -> TlsError {
    TlsError::Unreadable { variable, path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_wants_all_three_files_or_none() {
        let mut reader = Reader::from_pairs::<&str, &str>([]);
        let none = TlsFiles::read(&mut reader);
        assert_eq!(reader.finish(none).unwrap(), None);

        let mut reader = Reader::from_pairs([("TLS_CERT_FILE", "/c.pem"), ("TLS_CA_FILE", "/a.pem")]);
        let some = TlsFiles::read(&mut reader);
        let errors = reader.finish(some).err().unwrap();
        let names: Vec<&str> = errors.problems().map(|(name, _)| name).collect();
        assert_eq!(names, ["TLS_KEY_FILE"]);
    }

    #[test]
    fn server_name_is_the_service_in_our_zone() {
        let name = server_name("control-plane").unwrap();
        assert_eq!(name.to_str(), "control-plane.mintmark.internal");
        assert!(server_name("").is_none());
    }
}
