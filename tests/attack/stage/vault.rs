//! The evidence vault with its sequencer, and tokens for calls in a person's name.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use mintmark_audit::note::Signer;
use mintmark_auth::action::{HoldEvidence, OperateEvidence};
use mintmark_auth::{
    ControlToken, DEFAULT_ISSUER, DisputeClaim, DisputeState, EvidenceRole, OnTenant, PersonCall, Principal,
    ServiceToken, Session, SessionMinter, SessionVerifier, SigningKey, Standing, Tier, audience, authorize,
    scope,
};
use mintmark_devstack::testdb::TestDb;
use mintmark_evidence_vault::config::{VaultConfig, sequencer};
use mintmark_ids::{DisputeId, TenantId, UserId};
use mintmark_service::Context;

use super::{KEY, Stage, read};

const ORIGIN: &str = "mintmark.invalid/evidence-vault";
/// The first checkpoint is outside within a second; slow machines take their time.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// Starts both, once the vault's gates are open.
pub(super) async fn start(db: &TestDb, folder: &Path) -> SocketAddr {
    let file = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let made = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let proof_key = Command::new("openssl").args(made).output().unwrap().stdout;
    let audit_key = SigningKey::generate_pem();
    let verifier = Signer::from_pem(ORIGIN, &audit_key).unwrap().verifier().to_string();
    let place = |name: &str| format!("file://{}", folder.join(name).display());
    let keystore = folder.join("keystore").to_str().unwrap().to_owned();
    let trust = folder.join("trust.json").to_str().unwrap().to_owned();
    let variables = [
        ("EVIDENCE_GRPC_ADDR", "127.0.0.1:0".to_owned()),
        ("EVIDENCE_DATABASE_URL", db.url("evidence_vault")),
        ("EVIDENCE_SEQUENCER_DATABASE_URL", db.url("evidence_sequencer")),
        ("TRUST_BUNDLE_FILE", trust),
        ("EVIDENCE_STORE_URL", place("evidence")),
        ("EVIDENCE_KEY_PROVIDER", "local".to_owned()),
        ("EVIDENCE_ENCRYPTION_KEY", KEY.to_owned()),
        ("EVIDENCE_KEYSTORE_DIR", keystore),
        ("EVIDENCE_PROOF_KEY_FILE", file("proof.pem", &proof_key)),
        ("AUDIT_CHECKPOINT_URL", place("checkpoints")),
        ("AUDIT_VERIFIER_KEYS_FILE", file("audit.vkeys", format!("{verifier}\n").as_bytes())),
        ("AUDIT_SIGNING_KEY_FILE", file("audit.pem", audit_key.as_bytes())),
    ];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let log = read(&variables, sequencer);
    tokio::spawn(async move {
        mintmark_audit::sequencer::run(log, Context::for_tests("evidence-sequencer")).await.unwrap();
    });
    let context = Context::for_tests("evidence-vault");
    let vault = mintmark_evidence_vault::vault::build(read(&variables, VaultConfig::read), &context);
    let vault = vault.await.unwrap();
    let addr = vault.grpc_addr;
    tokio::spawn(async move { vault.serve().await.unwrap() });
    let begun = Instant::now();
    while !context.health.ready() {
        assert!(begun.elapsed() < READY_WITHIN, "the vault is not ready: {:?}", context.health.gates());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    addr
}

impl Stage {
    /// A token for one call to the vault: of a governor about a dispute, or where it is an operator's call, of one.
    pub fn person_call(&self, tenant: &TenantId, dispute: DisputeId, scope: &'static str) -> ServiceToken {
        let on = OnTenant(tenant.clone());
        let call = if scope == scope::EVIDENCE_OPERATE {
            let token = ControlToken::parse(&self.control_token).unwrap();
            let operator = Principal::Control(token.verify(&self.control_token).unwrap());
            PersonCall::new(&authorize::<OperateEvidence>(&operator, on).unwrap(), scope).unwrap()
        } else {
            let governor = governor(tenant);
            let permit = authorize::<HoldEvidence>(&governor, on).unwrap();
            let about = DisputeClaim { id: dispute, state: DisputeState::Open };
            PersonCall::new(&permit, scope).unwrap().about(about)
        };
        self.tokens.for_person_call(audience::EVIDENCE, &call)
    }
}

/// Somebody of the tenant with every role for evidence, through a session as any other.
fn governor(tenant: &TenantId) -> Principal {
    let pem = SigningKey::generate_pem();
    let key = || SigningKey::from_pem(&pem).unwrap();
    let ttl = Duration::from_secs(60);
    let minted = SessionMinter::new(key(), DEFAULT_ISSUER, ttl).mint(UserId::new(), tenant, ttl);
    let verified = SessionVerifier::new(key(), DEFAULT_ISSUER).verify(minted.expose()).unwrap();
    let standing = Standing { evidence: EvidenceRole::ALL.to_vec(), ..Standing::default() };
    Principal::Session(Session::new(verified, standing, Tier::Free))
}
