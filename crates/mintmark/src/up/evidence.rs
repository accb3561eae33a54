//! The evidence vault, and the sequencers of the two audit logs.

use crate::failure::Failure;
use crate::home::Home;

use super::addresses::Addresses;
use super::keys::Keys;
use super::services::{Described, Servers, environment};

/// The tenant of the demonstration's disputes, whose evidence is due for erasure at once. Everybody else's is kept for years.
pub const DEMO_TENANT: &str = "fjord-claims";

/// The vault's log.
pub const VAULT_LOG: &str = "mintmark.invalid/evidence-vault";
/// The control plane's.
pub const CONTROL_LOG: &str = "mintmark.invalid/control-plane";

/// The folder of checkpoints of a log. It is beside the database and not in it: a restored database does not bring it back.
fn checkpoints(home: &Home, service: &str) -> Result<String, Failure> {
    let folder = home.path("checkpoints").join(service);
    std::fs::create_dir_all(&folder)?;
    Ok(format!("file://{}", folder.display()))
}

/// The vault, behind its sequencer: it does nothing before a checkpoint is signed.
pub fn vault(
    home: &Home,
    addresses: &Addresses,
    keys: &Keys,
    servers: Servers<'_>,
) -> Result<[Described; 2], Failure> {
    let url = |login| servers.databases.url(home, login, "mintmark_evidence");
    let database = ("EVIDENCE_SEQUENCER_DATABASE_URL", url("evidence_sequencer")?);
    let signer = &keys.vault_audit_key;
    let sequencer = sequencer(home, keys, "evidence-vault", VAULT_LOG, database, signer)?;
    let folder = |name: &str| home.path(name).display().to_string();
    let vault = environment(
        addresses.vault_ops,
        [
            ("EVIDENCE_GRPC_ADDR", addresses.vault_grpc.to_string()),
            ("EVIDENCE_DATABASE_URL", url("evidence_vault")?),
            ("TRUST_BUNDLE_FILE", keys.trust_bundle.display().to_string()),
            ("EVIDENCE_STORE_URL", format!("file://{}", folder("evidence"))),
            ("EVIDENCE_KEY_PROVIDER", "local".to_owned()),
            ("EVIDENCE_ENCRYPTION_KEY", keys.evidence_encryption_key.clone()),
            ("EVIDENCE_KEYSTORE_DIR", folder("keystore")),
            ("EVIDENCE_PROOF_KEY_FILE", keys.evidence_proof_key.display().to_string()),
            ("RETENTION_TTL_EVIDENCE_DAYS", format!("2555,{DEMO_TENANT}/dispute=0")),
            ("AUDIT_ORIGIN", VAULT_LOG.to_owned()),
            ("AUDIT_CHECKPOINT_URL", checkpoints(home, "evidence-vault")?),
            ("AUDIT_VERIFIER_KEYS_FILE", keys.audit_verifier_keys.display().to_string()),
        ],
    );
    let at = addresses;
    let sequencer = merge(environment(at.vault_sequencer_ops, []), sequencer);
    Ok([
        Described::new(
            "evidence-sequencer",
            ("evidence-vault", &["sequencer"]),
            sequencer,
            at.vault_sequencer_ops,
            None,
        ),
        Described::new("evidence-vault", ("evidence-vault", &["vault"]), vault, at.vault_ops, at.vault_grpc),
    ])
}

/// The sequencer of the control plane's log.
pub fn control_sequencer(
    home: &Home,
    addresses: &Addresses,
    keys: &Keys,
    servers: Servers<'_>,
) -> Result<Described, Failure> {
    let url = servers.databases.url(home, "control_sequencer", "mintmark_control")?;
    let database = ("CONTROL_SEQUENCER_DATABASE_URL", url);
    let signer = &keys.control_audit_key;
    let own = sequencer(home, keys, "control-plane", CONTROL_LOG, database, signer)?;
    let ops = addresses.control_sequencer_ops;
    let environment = merge(environment(ops, []), own);
    Ok(Described::new("control-sequencer", ("control-plane", &["sequencer"]), environment, ops, None))
}

/// The variables of a sequencer, which `mintmark audit resume` reads too.
fn sequencer(
    home: &Home,
    keys: &Keys,
    service: &str,
    log: &str,
    (database, url): (&str, String),
    signer: &std::path::Path,
) -> Result<Vec<(String, String)>, Failure> {
    let own = [
        (database, url),
        ("AUDIT_ORIGIN", log.to_owned()),
        ("AUDIT_CHECKPOINT_URL", checkpoints(home, service)?),
        ("AUDIT_VERIFIER_KEYS_FILE", keys.audit_verifier_keys.display().to_string()),
        ("AUDIT_SIGNING_KEY_FILE", signer.display().to_string()),
        ("APP_ENV", "development".to_owned()),
    ];
    let own: Vec<(String, String)> = own.map(|(name, value)| (name.to_owned(), value)).into();
    home.write_sequencer(service, &own)?;
    Ok(own)
}

fn merge(mut base: Vec<(String, String)>, own: Vec<(String, String)>) -> Vec<(String, String)> {
    base.retain(|(name, _)| own.iter().all(|(other, _)| other != name));
    base.extend(own);
    base
}
