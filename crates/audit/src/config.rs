//! The variables of the audit: where checkpoints are kept, who signed them, and what only the sequencer has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_db::DbConfig;
use mintmark_objects::StoreConfig;
use mintmark_service::StartError;
use mintmark_service::config::Reader;

use crate::note::{Signer, Verifiers};

/// A lease as long as this is taken over soon after a sequencer died, and outlives any pause of a healthy one.
const LEASE_SECS: u64 = 5;

/// Where the checkpoints of a log are kept outside its database, and whose signatures they carry.
#[derive(Clone, Debug)]
pub struct OutsideConfig {
    /// An object store that no backup of the database brings back.
    pub store: StoreConfig,
    /// The log's name: also that of its keys.
    pub origin: String,
    /// Verifier keys, one a line.
    pub verifier_keys: PathBuf,
}

impl OutsideConfig {
    /// Reads `AUDIT_CHECKPOINT_URL`, `AUDIT_ORIGIN` and `AUDIT_VERIFIER_KEYS_FILE`.
    pub fn read(reader: &mut Reader, default_origin: &str) -> Option<Self> {
        let store = StoreConfig::read_closed(
            reader,
            "AUDIT_CHECKPOINT_URL",
            "where signed checkpoints of the audit log are kept, apart from the database and its backups: file:///absolute/folder or s3://bucket/prefix",
        );
        let origin = reader.string("AUDIT_ORIGIN", default_origin, "name of the audit log, and of its keys");
        let verifier_keys = reader.path(
            "AUDIT_VERIFIER_KEYS_FILE",
            "public keys of the audit log (NAME+HEX+BASE64), one a line; two during a rotation",
        );
        let origin = origin?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
        if !origin.chars().all(plain) || origin.len() > 200 || origin.ends_with('/') {
            let sentence =
                "is not the name of a log: write letters, digits, '.', '-', '_' and '/', at most 200";
            reader.problem("AUDIT_ORIGIN", sentence);
            return None;
        }
        Some(Self { store: store?, origin, verifier_keys: verifier_keys? })
    }
}

/// What a sequencer is given.
#[derive(Clone, Debug)]
pub struct SequencerConfig {
    /// The database, under the sequencer's own login.
    pub database: DbConfig,
    /// Where it keeps its checkpoints.
    pub outside: OutsideConfig,
    /// The private key: Ed25519, PKCS#8 in PEM.
    pub signing_key: PathBuf,
    /// How long a sequencer that says nothing stays the one.
    pub lease: Duration,
}

impl SequencerConfig {
    /// Reads `database` (the variable of that name), what [`OutsideConfig::read`] reads, `AUDIT_SIGNING_KEY_FILE` and
    /// `AUDIT_LEASE_SECS`.
    pub fn read(reader: &mut Reader, database: &'static str, default_origin: &str) -> Option<Self> {
        let database = DbConfig::read(reader, database);
        let outside = OutsideConfig::read(reader, default_origin);
        let signing_key = reader.path(
            "AUDIT_SIGNING_KEY_FILE",
            "Ed25519 key that signs checkpoints (PKCS#8, PEM); only the sequencer has it",
        );
        let lease = reader.seconds(
            "AUDIT_LEASE_SECS",
            LEASE_SECS,
            1..=60,
            "a sequencer that says nothing for so long is replaced by another",
        );
        Some(Self { database: database?, outside: outside?, signing_key: signing_key?, lease: lease? })
    }
}

/// Reads the public keys of a log.
pub(crate) fn verifier_keys(path: &Path) -> Result<Verifiers, StartError> {
    let unusable = || StartError::new(format!("AUDIT_VERIFIER_KEYS_FILE {} cannot be used", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| unusable().caused_by(error))?;
    let keys = Verifiers::parse(&text).map_err(|error| unusable().caused_by(error))?;
    if keys.is_empty() {
        let sentence = format!("AUDIT_VERIFIER_KEYS_FILE {} holds no key: write one a line", path.display());
        return Err(StartError::new(sentence));
    }
    Ok(keys)
}

/// Reads the private key of a log.
pub(crate) fn signer(path: &Path, origin: &str) -> Result<Signer, StartError> {
    let unusable = || StartError::new(format!("AUDIT_SIGNING_KEY_FILE {} cannot be used", path.display()));
    let pem = std::fs::read_to_string(path).map_err(|error| unusable().caused_by(error))?;
    Signer::from_pem(origin, &pem).map_err(|error| unusable().caused_by(error))
}
