//! The evidence vault and its sequencer, as two more processes of the platform: their configuration and its secrets.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mintmark_audit::note::Signer;
use mintmark_auth::SigningKey;
use mintmark_devstack::s3::S3Bucket;
use mintmark_devstack::testdb::TestDb;

use crate::platform::{random_key, seed};

const ORIGIN: &str = "mintmark.invalid/evidence-vault";

/// What the two processes are configured with, but for what every process is.
pub struct Vault {
    pub vault: Vec<(&'static str, String)>,
    pub sequencer: Vec<(&'static str, String)>,
    /// What they must keep to themselves.
    pub secrets: Vec<(&'static str, Vec<u8>)>,
}

impl Vault {
    /// A vault that answers at `addr`, keeps its objects in `bucket` by way of `store`, and its keys below `folder`.
    pub fn describe(
        addr: SocketAddr,
        db: &TestDb,
        folder: &Path,
        bundle: &Path,
        bucket: &S3Bucket,
        store: SocketAddr,
    ) -> Self {
        let file = |name: &str, content: &[u8]| {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
            path.display().to_string()
        };
        let made = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
        let proof_key = Command::new("openssl").args(made).output().unwrap().stdout;
        let audit_key = SigningKey::generate_pem();
        let verifier = Signer::from_pem(ORIGIN, &audit_key).unwrap().verifier().to_string();
        let encryption_key = random_key();
        let secrets = vec![
            ("EVIDENCE_ENCRYPTION_KEY", STANDARD.decode(&encryption_key).unwrap()),
            ("the audit's key", seed(&audit_key)),
            ("the proofs' key", private_exponent(&proof_key)),
        ];
        let log = vec![
            ("AUDIT_CHECKPOINT_URL", format!("file://{}", folder.join("checkpoints").display())),
            ("AUDIT_VERIFIER_KEYS_FILE", file("audit.vkeys", format!("{verifier}\n").as_bytes())),
        ];
        let s3 = bucket.variables();
        let mut vault = vec![
            ("EVIDENCE_GRPC_ADDR", addr.to_string()),
            ("EVIDENCE_DATABASE_URL", db.url("evidence_vault")),
            ("TRUST_BUNDLE_FILE", bundle.display().to_string()),
            ("EVIDENCE_STORE_URL", format!("s3://{}/evidence", bucket.name())),
            ("S3_ENDPOINT", format!("http://{store}")),
            (s3[1].0, s3[1].1.clone()),
            (s3[2].0, s3[2].1.clone()),
            ("EVIDENCE_KEY_PROVIDER", "local".to_owned()),
            ("EVIDENCE_ENCRYPTION_KEY", encryption_key),
            ("EVIDENCE_KEYSTORE_DIR", folder.join("keystore").display().to_string()),
            ("EVIDENCE_PROOF_KEY_FILE", file("proof.pem", &proof_key)),
            // Due at once, and erased when the operator says so.
            ("RETENTION_TTL_EVIDENCE_DAYS", "0".to_owned()),
            ("RETENTION_RUN_SECS", "86400".to_owned()),
        ];
        vault.extend(log.iter().cloned());
        let mut sequencer = vec![
            ("EVIDENCE_SEQUENCER_DATABASE_URL", db.url("evidence_sequencer")),
            ("AUDIT_SIGNING_KEY_FILE", file("audit.pem", audit_key.as_bytes())),
        ];
        sequencer.extend(log);
        Self { vault, sequencer, secrets }
    }
}

/// A piece of the number that makes an RSA key a private one.
fn private_exponent(pem: &[u8]) -> Vec<u8> {
    let text: String =
        std::str::from_utf8(pem).unwrap().lines().filter(|line| !line.starts_with("-----")).collect();
    // The modulus, which is public, ends before 320 bytes; the private exponent is the 256 bytes behind it.
    STANDARD.decode(text).unwrap()[340..404].to_vec()
}
