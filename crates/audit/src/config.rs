//! The variables of the audit: where checkpoints are kept, who signed them, and what only the sequencer has.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mintmark_db::DbConfig;
use mintmark_objects::StoreConfig;
use mintmark_service::StartError;
use mintmark_service::config::{AppEnv, Reader};

use crate::failpoint;
use crate::note::{Signer, Verifiers};

/// A lease as long as this is taken over soon after a sequencer died, and outlives any pause of a healthy one.
const LEASE_SECS: u64 = 5;
/// What the variable of a sequencer's database is.
pub(crate) const SEQUENCER_DATABASE: &str =
    "the service's Postgres database, as the login of its sequencer (control_sequencer, evidence_sequencer)";

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
    /// Reads `database` (the variable of that name), what [`OutsideConfig::read`] reads, `AUDIT_SIGNING_KEY_FILE`,
    /// `AUDIT_LEASE_SECS` and `AUDIT_FAIL_AT`.
    pub fn read(reader: &mut Reader, database: &'static str, default_origin: &str) -> Option<Self> {
        let database = DbConfig::read(reader, database, SEQUENCER_DATABASE);
        let outside = OutsideConfig::read(reader, default_origin);
        let signing_key = reader.secret_path(
            "AUDIT_SIGNING_KEY_FILE",
            "Ed25519 key that signs checkpoints (PKCS#8, PEM); only the sequencer has it",
        );
        let lease = reader.seconds(
            "AUDIT_LEASE_SECS",
            LEASE_SECS,
            1..=60,
            "a sequencer that says nothing for so long is replaced by another",
        );
        let fail_at = fail_at(reader);
        Some(Self {
            database: database?,
            outside: outside?,
            signing_key: signing_key?,
            lease: fail_at.and(lease)?,
        })
    }
}

/// A step at which a test has the process die.
fn fail_at(reader: &mut Reader) -> Option<()> {
    const NAME: &str = "AUDIT_FAIL_AT";
    let step = reader.optional(NAME, "tests only: the step at which this process dies")?;
    let Some(step) = step else { return Some(()) };
    if reader.app_env() != Some(AppEnv::Test) {
        reader.problem(NAME, "is for tests: unset it, or set APP_ENV=test");
        return None;
    }
    failpoint::arm(&step).map_err(|sentence| reader.problem(NAME, sentence)).ok()
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
