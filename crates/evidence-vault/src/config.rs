//! Configuration of the three commands, from the environment.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mintmark_audit::{OutsideConfig, SequencerConfig};
use mintmark_db::DbConfig;
use mintmark_objects::StoreConfig;
use mintmark_service::config::{AppEnv, Reader};

use crate::app::keks::KekConfig;
use crate::failpoint;
use crate::provider::ProviderConfig;

mod retention;

pub use retention::Retention;

/// Name of the audit log when nothing is said.
const ORIGIN: &str = "mintmark.invalid/evidence-vault";
/// Largest record when nothing is said.
const MAX_BYTES: u64 = 5 << 30;

/// Configuration of `evidence-vault vault`.
pub struct VaultConfig {
    /// Where gRPC answers.
    pub grpc_addr: SocketAddr,
    /// The database, as the login `evidence_vault`.
    pub database: DbConfig,
    /// The trust bundle.
    pub trust_bundle: PathBuf,
    /// Where ciphertext lies.
    pub store: StoreConfig,
    /// Where keys live.
    pub provider: ProviderConfig,
    /// Where the checkpoints of the audit log are kept.
    pub audit: OutsideConfig,
    /// How keys are cut and how long they are used.
    pub keks: KekConfig,
    /// Largest record, in bytes of plaintext.
    pub max_bytes: u64,
    /// How long records are kept.
    pub retention: Retention,
    /// How often what is due is looked for.
    pub retention_run: Duration,
    /// How long a claim of a job is worth without a heartbeat.
    pub lease: Duration,
}

impl VaultConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let app_env = reader.app_env();
        let grpc_addr =
            reader.grpc_addr(app_env, "EVIDENCE_GRPC_ADDR", "127.0.0.1:9083", "where gRPC answers");
        let database = DbConfig::read(
            reader,
            "EVIDENCE_DATABASE_URL",
            "the vault's Postgres database, as the login evidence_vault",
        );
        let trust_bundle = reader.path(
            "TRUST_BUNDLE_FILE",
            "keys of the services, and what each of them may grant; reloaded when it changes",
        );
        let store = StoreConfig::read_closed(
            reader,
            "EVIDENCE_STORE_URL",
            "where ciphertext lies: file:///absolute/folder (created when missing; give it a disk of its own) or s3://bucket/prefix (not versioned)",
        );
        let app_env = reader.app_env();
        let provider = ProviderConfig::read(reader, app_env);
        let audit = OutsideConfig::read(reader, ORIGIN);
        let max_bytes = reader.number(
            "EVIDENCE_MAX_BYTES",
            MAX_BYTES,
            1..=1 << 40,
            "the largest record, in bytes before encryption",
        );
        let keks = keks(reader);
        let retention = Retention::read(reader);
        let retention_run = reader.seconds(
            "RETENTION_RUN_SECS",
            3_600,
            1..=86_400,
            "seconds between two looks for records that are due for erasure",
        );
        let lease = reader.seconds(
            "JOB_LEASE_SECS",
            30,
            3..=600,
            "seconds after which another worker takes over a job whose worker is silent",
        );
        let fail_at = fail_at(reader);
        Some(VaultConfig {
            grpc_addr: grpc_addr?,
            database: database?.named("evidence-vault"),
            trust_bundle: trust_bundle?,
            store: store?,
            provider: provider?,
            audit: audit?,
            keks: keks?,
            max_bytes: max_bytes?,
            retention: retention?,
            retention_run: retention_run?,
            lease: fail_at.and(lease)?,
        })
    }
}

fn keks(reader: &mut Reader) -> Option<KekConfig> {
    let period_days = reader.number(
        "EVIDENCE_KEK_PERIOD_DAYS",
        7,
        1..=366,
        "days whose expiring records share a key-encryption key: it is destroyed when the last of them is erased",
    );
    let max_wraps = reader.number(
        "EVIDENCE_KEK_MAX_WRAPS",
        1 << 30,
        1..=1 << 32,
        "invocations of AES-GCM under one key-encryption key; then it has a successor",
    );
    Some(KekConfig { period_days: period_days?, max_wraps: max_wraps? })
}

/// A place at which a test has the process die.
fn fail_at(reader: &mut Reader) -> Option<()> {
    const NAME: &str = "EVIDENCE_FAIL_AT";
    let name = reader.optional(NAME, "tests only: the step at which this process dies")?;
    let Some(name) = name else { return Some(()) };
    if reader.app_env() != Some(AppEnv::Test) {
        reader.problem(NAME, "is for tests: unset it, or set APP_ENV=test");
        return None;
    }
    failpoint::arm(&name).map_err(|sentence| reader.problem(NAME, sentence)).ok()
}

/// Reads the configuration of `evidence-vault sequencer`.
pub fn sequencer(reader: &mut Reader) -> Option<SequencerConfig> {
    SequencerConfig::read(reader, "EVIDENCE_SEQUENCER_DATABASE_URL", ORIGIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_with_nothing_set_names_every_required_variable() {
        let mut reader = Reader::from_pairs::<&str, &str>([]);
        let config = VaultConfig::read(&mut reader);
        let errors = reader.finish(config).err().unwrap();
        let names: Vec<&str> = errors.problems().map(|(name, _)| name).collect();
        for name in
            ["EVIDENCE_DATABASE_URL", "TRUST_BUNDLE_FILE", "EVIDENCE_STORE_URL", "AUDIT_CHECKPOINT_URL"]
        {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
}
