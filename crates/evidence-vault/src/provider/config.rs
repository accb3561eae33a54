//! Which provider, out of the environment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mintmark_service::StartError;
use mintmark_service::config::{AppEnv, Reader, Secret};

use super::local_key::EncryptionKey;
use super::rsa_file::RsaFile;
use super::{KeyProvider, Local, Pkcs11Token, TokenAddress};

/// The provider that the environment names, with everything it needs.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Which one.
    pub kind: ProviderKind,
    /// A JWKS file with the keys that signed earlier proofs, if there are any.
    pub retired_keys: Option<PathBuf>,
    /// `local` in production: the operator allowed it by name, and is reminded at each start.
    pub warn_about_local: bool,
}

/// One of the providers.
#[derive(Clone, Debug)]
pub enum ProviderKind {
    /// `local`.
    Local {
        /// The keystore folder.
        folder: PathBuf,
        /// What seals its files.
        key: EncryptionKey,
        /// The RSA key that signs proofs.
        proof_key: PathBuf,
    },
    /// `pkcs11`.
    Pkcs11(TokenAddress),
}

impl ProviderConfig {
    /// Reads the variables; problems stay in the reader.
    pub fn read(reader: &mut Reader, env: Option<AppEnv>) -> Option<Self> {
        let name = reader.string(
            "EVIDENCE_KEY_PROVIDER",
            "pkcs11",
            "where key-encryption keys live: local or pkcs11",
        );
        let allowed = reader.boolean(
            "EVIDENCE_ALLOW_LOCAL_KEYS",
            false,
            "allows EVIDENCE_KEY_PROVIDER=local in production, where an erasure is then only logical",
        );
        // Checked whenever it is set, whichever provider is chosen.
        let key = encryption_key(reader);
        let retired_keys = reader.optional_path(
            "EVIDENCE_RETIRED_PROOF_KEYS_FILE",
            "a JWKS file of the public keys that signed earlier proofs, published beside the present one",
        );
        let local = name.as_deref() == Some("local");
        // Both are asked for, whichever is chosen, so that the list of variables does not depend on it.
        let (folder, token) = (FolderVariables::read(reader), TokenVariables::read(reader));
        let kind = match name.as_deref()? {
            "local" => folder?.checked(reader, key),
            "pkcs11" => token?.checked(reader),
            other => {
                let sentence = format!("\"{other}\" is not a provider: write local or pkcs11");
                reader.problem("EVIDENCE_KEY_PROVIDER", sentence);
                None
            }
        };
        let production = env? == AppEnv::Production;
        if local && production && !allowed? {
            reader.problem(
                "EVIDENCE_KEY_PROVIDER",
                "is local, which cannot destroy a key for good: use pkcs11, or set EVIDENCE_ALLOW_LOCAL_KEYS=true to \
                 run production with logical erasure alone",
            );
        }
        Some(Self { kind: kind?, retired_keys: retired_keys?, warn_about_local: local && production })
    }

    /// Opens it.
    ///
    /// # Errors
    /// A sentence that says what to do.
    pub async fn open(self) -> Result<Arc<dyn KeyProvider>, StartError> {
        if self.warn_about_local {
            tracing::warn!(
                "EVIDENCE_KEY_PROVIDER=local in production: an erasure is logical, whoever copied the keystore folder \
                 before can still decrypt"
            );
        }
        match self.kind {
            ProviderKind::Local { folder, key, proof_key } => {
                let opened = tokio::task::spawn_blocking(move || open_local(&folder, &key, &proof_key));
                let opened = opened.await.map_err(|error| {
                    StartError::new("opening the keystore folder was cut off: start again").caused_by(error)
                })?;
                Ok(Arc::new(opened?))
            }
            ProviderKind::Pkcs11(address) => {
                let opened = Pkcs11Token::open(address).await;
                Ok(Arc::new(opened.map_err(|error| StartError::new(error.to_string()).caused_by(error))?))
            }
        }
    }
}

fn open_local(
    folder: &std::path::Path,
    key: &EncryptionKey,
    proof_key: &std::path::Path,
) -> Result<Local, StartError> {
    let proofs = RsaFile::read(proof_key).map_err(|error| {
        let sentence = format!("EVIDENCE_PROOF_KEY_FILE: {} {error}", proof_key.display());
        StartError::new(sentence).caused_by(error)
    })?;
    Local::open(folder, key, proofs).map_err(|error| {
        let sentence = format!("EVIDENCE_KEYSTORE_DIR: {} {error}", folder.display());
        StartError::new(sentence).caused_by(error)
    })
}

fn encryption_key(reader: &mut Reader) -> Option<Option<EncryptionKey>> {
    let name = "EVIDENCE_ENCRYPTION_KEY";
    let about = "seals the files of a local keystore: exactly 32 bytes, as 44 characters of base64, 64 hexadecimal digits or \
                 32 raw characters";
    let Some(text) = reader.optional_secret(name, about)? else { return Some(None) };
    match EncryptionKey::parse(text.expose()) {
        Ok(key) => Some(Some(key)),
        Err(error) => {
            reader.problem(name, error.to_string());
            None
        }
    }
}

const LOCAL: &str = "EVIDENCE_KEY_PROVIDER is local";
const PKCS11: &str = "EVIDENCE_KEY_PROVIDER is pkcs11";

/// What `local` needs besides its key.
struct FolderVariables {
    folder: Option<PathBuf>,
    proof_key: Option<PathBuf>,
}

impl FolderVariables {
    fn read(reader: &mut Reader) -> Option<Self> {
        let folder = reader.optional_path("EVIDENCE_KEYSTORE_DIR", "the keystore folder");
        let proof_key = reader.optional_secret_path(
            "EVIDENCE_PROOF_KEY_FILE",
            "the RSA key (PEM, made by openssl) that signs proofs",
        );
        for name in ["EVIDENCE_KEYSTORE_DIR", "EVIDENCE_PROOF_KEY_FILE", "EVIDENCE_ENCRYPTION_KEY"] {
            reader.needed_when(name, LOCAL);
        }
        Some(Self { folder: folder?, proof_key: proof_key? })
    }

    fn checked(self, reader: &mut Reader, key: Option<Option<EncryptionKey>>) -> Option<ProviderKind> {
        let folder = given(reader, "EVIDENCE_KEYSTORE_DIR", LOCAL, self.folder);
        let proof_key = given(reader, "EVIDENCE_PROOF_KEY_FILE", LOCAL, self.proof_key);
        if matches!(key, Some(None)) {
            reader.problem(
                "EVIDENCE_ENCRYPTION_KEY",
                "is not set: EVIDENCE_KEY_PROVIDER=local seals its keys with it; make one with `openssl rand -base64 32`",
            );
        }
        Some(ProviderKind::Local { folder: folder?, key: key??, proof_key: proof_key? })
    }
}

/// What `pkcs11` needs.
struct TokenVariables {
    module: Option<PathBuf>,
    token: Option<String>,
    pin: Option<Secret>,
    proof_key: String,
    limit: Duration,
}

impl TokenVariables {
    fn read(reader: &mut Reader) -> Option<Self> {
        let module = reader.optional_path("EVIDENCE_PKCS11_MODULE", "the PKCS#11 library of the token");
        let token = reader.optional("EVIDENCE_PKCS11_TOKEN", "the label of the token");
        let pin = reader.optional_secret("EVIDENCE_PKCS11_PIN", "the PIN of the token's user");
        for name in ["EVIDENCE_PKCS11_MODULE", "EVIDENCE_PKCS11_TOKEN", "EVIDENCE_PKCS11_PIN"] {
            reader.needed_when(name, PKCS11);
        }
        let proof_key = reader.string(
            "EVIDENCE_PKCS11_PROOF_KEY",
            "mintmark-proof",
            "the label of the RSA key in the token that signs proofs",
        );
        let limit = reader.seconds(
            "EVIDENCE_PKCS11_TIMEOUT_SECS",
            10,
            1..=25,
            "how long a call may take, with what is done to bring back a token that is away; then the answer is 503",
        );
        Some(Self { module: module?, token: token?, pin: pin?, proof_key: proof_key?, limit: limit? })
    }

    fn checked(self, reader: &mut Reader) -> Option<ProviderKind> {
        let module = given(reader, "EVIDENCE_PKCS11_MODULE", PKCS11, self.module);
        let token = given(reader, "EVIDENCE_PKCS11_TOKEN", PKCS11, self.token);
        let pin = given(reader, "EVIDENCE_PKCS11_PIN", PKCS11, self.pin);
        Some(ProviderKind::Pkcs11(TokenAddress {
            module: module?,
            token: token?,
            pin: pin?,
            proof_key: self.proof_key,
            limit: self.limit,
        }))
    }
}

fn given<T>(reader: &mut Reader, name: &'static str, because: &str, value: Option<T>) -> Option<T> {
    if value.is_none() {
        reader.problem(name, format!("is not set: {because}, which needs it"));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "an encryption key with 32 bytes.";

    fn read(pairs: &[(&str, &str)]) -> Result<ProviderConfig, String> {
        let mut reader = Reader::from_pairs(pairs.iter().copied());
        let env = reader.app_env();
        let config = ProviderConfig::read(&mut reader, env);
        reader.finish(config).map_err(|errors| errors.to_string())
    }

    fn local(more: &[(&'static str, &'static str)]) -> Result<ProviderConfig, String> {
        let mut pairs = vec![
            ("EVIDENCE_KEY_PROVIDER", "local"),
            ("EVIDENCE_KEYSTORE_DIR", "/keys"),
            ("EVIDENCE_PROOF_KEY_FILE", "/proof.pem"),
            ("EVIDENCE_ENCRYPTION_KEY", KEY),
        ];
        pairs.extend(more);
        read(&pairs)
    }

    #[test]
    fn local_in_production_needs_to_be_allowed_by_name() {
        assert!(local(&[]).unwrap_err().contains("EVIDENCE_ALLOW_LOCAL_KEYS=true"));
        assert!(local(&[("EVIDENCE_ALLOW_LOCAL_KEYS", "false")]).is_err());
        assert!(local(&[("EVIDENCE_ALLOW_LOCAL_KEYS", "true")]).unwrap().warn_about_local);
        assert!(!local(&[("APP_ENV", "development")]).unwrap().warn_about_local);
        assert!(!local(&[("APP_ENV", "test")]).unwrap().warn_about_local);
    }

    #[test]
    fn encryption_key_is_checked_whenever_it_is_set() {
        let token = [
            ("EVIDENCE_KEY_PROVIDER", "pkcs11"),
            ("EVIDENCE_PKCS11_MODULE", "/m.so"),
            ("EVIDENCE_PKCS11_TOKEN", "t"),
            ("EVIDENCE_PKCS11_PIN", "hunter2"),
        ];
        let config = read(&token).unwrap();
        assert!(
            matches!(&config.kind, ProviderKind::Pkcs11(address) if address.proof_key == "mintmark-proof")
        );
        assert!(!format!("{config:?}").contains("hunter2"));
        let error = read(&[&token[..], &[("EVIDENCE_ENCRYPTION_KEY", "too short")]].concat()).unwrap_err();
        assert!(error.contains("EVIDENCE_ENCRYPTION_KEY: has 9 bytes: it must be exactly 32"), "{error}");
        assert!(!error.contains("too short"));
        for key in ["00112233445566778899aabbccddeeff", "one byte more than a key can have"] {
            assert!(local(&[("APP_ENV", "test"), ("EVIDENCE_ENCRYPTION_KEY", key)]).is_err(), "{key}");
        }
    }

    #[test]
    fn provider_that_is_not_complete_names_what_it_lacks() {
        // Unset means the one of production.
        let error = read(&[]).unwrap_err();
        for name in ["EVIDENCE_PKCS11_MODULE", "EVIDENCE_PKCS11_TOKEN", "EVIDENCE_PKCS11_PIN"] {
            assert!(error.contains(name), "{error}");
        }
        let error = read(&[("EVIDENCE_KEY_PROVIDER", "local"), ("APP_ENV", "test")]).unwrap_err();
        for name in ["EVIDENCE_KEYSTORE_DIR", "EVIDENCE_PROOF_KEY_FILE", "EVIDENCE_ENCRYPTION_KEY"] {
            assert!(error.contains(name), "{error}");
        }
        assert!(read(&[("EVIDENCE_KEY_PROVIDER", "hsm")]).unwrap_err().contains("write local or pkcs11"));
    }
}
