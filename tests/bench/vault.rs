//! A vault with its sequencer on a Postgres that keeps its promises, as production has it but for where its keys live.
//!
//! ```text
//! let vault = Vault::start(&[]).await?;   // ready: its audit has a witness
//! vault.client()?                         // the control plane's typed client
//! vault.uploader()?                       // a permit for a person who may upload
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use mintmark_audit::note::Signer;
use mintmark_auth::action::UploadEvidence;
use mintmark_auth::{
    DEFAULT_ISSUER, EvidenceRole, Grant, OnTenant, Permit, Principal, Session, SessionMinter,
    SessionVerifier, SigningKey, Standing, Tier, TokenSource, TrustBundle, TrustedKey, audience, authorize,
    scope,
};
use mintmark_devstack::{PostgresOptions, PostgresServer, Process, Provision, free_port};
use mintmark_ids::{ServiceName, TenantId, UserId};
use mintmark_rpc::client::EvidenceVault;
use mintmark_tests::program;

use crate::Result;

/// The vault's database.
const DATABASE: &str = "mintmark_evidence";
const ORIGIN: &str = "mintmark.invalid/evidence-vault";
/// 32 bytes in base64: keys that lie a moment in a temporary folder.
const ENCRYPTION_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const TTL: Duration = Duration::from_secs(600);
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The order of the fields is the order in which they end.
pub struct Vault {
    process: Process,
    _sequencer: Process,
    postgres: PostgresServer,
    address: SocketAddr,
    folder: PathBuf,
    tokens: TokenSource,
}

impl Vault {
    /// Starts everything, with these variables beside (and over) the ordinary ones.
    ///
    /// # Errors
    /// Postgres or openssl is missing; a program was not built, or does not become ready.
    pub async fn start(further: &[(&str, &str)]) -> Result<Self> {
        // Thrown away afterwards, and otherwise as durable as one that is kept.
        let mut options = PostgresOptions::throwaway()?;
        options.fsync = true;
        let folder = options.dir.with_file_name("vault");
        std::fs::create_dir(&folder)?;
        let postgres = tokio::task::spawn_blocking(move || PostgresServer::start(options)).await??;
        let url = |login: &str| postgres_url(&postgres, login);
        migrate(&postgres, &url("evidence_owner")).await?;
        let identity = SigningKey::from_pem(&SigningKey::generate_pem())?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut variables = variables(&folder, &identity)?;
        variables.push(("EVIDENCE_GRPC_ADDR".to_owned(), address.to_string()));
        variables.push(("EVIDENCE_DATABASE_URL".to_owned(), url("evidence_vault")));
        variables.push(("EVIDENCE_SEQUENCER_DATABASE_URL".to_owned(), url("evidence_sequencer")));
        for (name, value) in further {
            variables.retain(|(usual, _)| usual != name);
            variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        let sequencer = start("sequencer", &variables, &folder).await?;
        let process = start("vault", &variables, &folder).await?;
        let tokens = TokenSource::new(ServiceName::ControlPlane, identity, DEFAULT_ISSUER);
        Ok(Vault { process, _sequencer: sequencer, postgres, address, folder, tokens })
    }

    /// The control plane's client.
    ///
    /// # Errors
    /// The address is none.
    pub fn client(&self) -> Result<EvidenceVault> {
        Ok(EvidenceVault::new(&format!("http://{}", self.address), self.tokens.clone())?)
    }

    /// What the control plane has judged of a person before it calls.
    ///
    /// # Errors
    /// The person was refused.
    pub fn uploader(&self) -> Result<Permit<UploadEvidence>> {
        let (tenant, user) = (TenantId::parse("bench")?, UserId::new());
        let pem = SigningKey::generate_pem();
        let key = || SigningKey::from_pem(&pem);
        let minted = SessionMinter::new(key()?, DEFAULT_ISSUER, TTL).mint(user, &tenant, TTL);
        let verified = SessionVerifier::new(key()?, DEFAULT_ISSUER).verify(minted.expose())?;
        let standing = Standing { evidence: vec![EvidenceRole::User], ..Standing::default() };
        let who = Principal::Session(Session::new(verified, standing, Tier::Free));
        Ok(authorize::<UploadEvidence>(&who, OnTenant(tenant))?)
    }

    /// The vault's highest resident memory since its start, in bytes.
    ///
    /// # Errors
    /// It is gone.
    pub fn peak(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
        let kib: u64 = line.split_whitespace().next().ok_or("no VmHWM")?.parse()?;
        Ok(kib * 1024)
    }

    /// A connection of the superuser's, to look behind the vault's back.
    ///
    /// # Errors
    /// Postgres is gone.
    pub async fn sql(&self) -> Result<tokio_postgres::Client> {
        let url = self.postgres.superuser_url(DATABASE);
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// The folder of the ciphertext.
    pub fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }
}

fn postgres_url(postgres: &PostgresServer, login: &str) -> String {
    postgres.url(login, None, DATABASE)
}

fn variables(folder: &Path, identity: &SigningKey) -> Result<Vec<(String, String)>> {
    let file = |name: &str, content: &[u8]| -> Result<String> {
        let path = folder.join(name);
        std::fs::write(&path, content)?;
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(path.display().to_string())
    };
    let grants = vec![Grant {
        aud: audience::EVIDENCE.to_owned(),
        scopes: scope::EVIDENCE.iter().map(|scope| (*scope).to_owned()).collect(),
    }];
    let trusted = TrustedKey { jwk: identity.public_jwk(), service: ServiceName::ControlPlane, grants };
    let trust = TrustBundle::new(DEFAULT_ISSUER, vec![trusted])?.to_json();
    let audit = SigningKey::generate_pem();
    let verifier = Signer::from_pem(ORIGIN, &audit)?.verifier().to_string();
    let openssl = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let proof = Command::new("openssl").args(openssl).output()?;
    let place = |name: &str| format!("file://{}", folder.join(name).display());
    let variables = [
        ("EVIDENCE_STORE_URL", place("objects")),
        ("EVIDENCE_KEY_PROVIDER", "local".to_owned()),
        ("EVIDENCE_ALLOW_LOCAL_KEYS", "true".to_owned()),
        ("EVIDENCE_ENCRYPTION_KEY", ENCRYPTION_KEY.to_owned()),
        ("EVIDENCE_KEYSTORE_DIR", folder.join("keystore").display().to_string()),
        ("EVIDENCE_PROOF_KEY_FILE", file("proof.pem", &proof.stdout)?),
        ("RETENTION_TTL_EVIDENCE_DAYS", "30".to_owned()),
        ("TRUST_BUNDLE_FILE", file("trust-bundle.json", trust.as_bytes())?),
        ("AUDIT_CHECKPOINT_URL", place("checkpoints")),
        ("AUDIT_VERIFIER_KEYS_FILE", file("audit.vkeys", format!("{verifier}\n").as_bytes())?),
        ("AUDIT_SIGNING_KEY_FILE", file("audit.pem", audit.as_bytes())?),
    ];
    Ok(variables.map(|(name, value)| (name.to_owned(), value)).to_vec())
}

async fn migrate(postgres: &PostgresServer, owner_url: &str) -> Result {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/evidence-vault");
    let roles = std::fs::read_to_string(migrations.join("roles.sql"))?;
    // The cluster asks nobody for a password inside its private folder.
    let logins = ["evidence_owner", "evidence_vault", "evidence_sequencer"].map(|login| (login, "unused"));
    let what = Provision { database: DATABASE, owner: "evidence_owner", roles_sql: &roles, logins: &logins };
    postgres.provision(&what).await?;
    let mut command = Command::new(program("evidence-vault"));
    let output =
        command.arg("migrate").env_clear().env("EVIDENCE_MIGRATION_DATABASE_URL", owner_url).output()?;
    if !output.status.success() {
        return Err(
            format!("evidence-vault migrate failed: {}", String::from_utf8_lossy(&output.stderr)).into()
        );
    }
    Ok(())
}

async fn start(role: &str, variables: &[(String, String)], folder: &Path) -> Result<Process> {
    let ops = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let mut variables = variables.to_vec();
    variables.push(("OPS_ADDR".to_owned(), ops.to_string()));
    let log = folder.join(format!("{role}.log"));
    let mut process = Process::spawn(&program("evidence-vault"), &[role], &variables, &log)?;
    process.wait_ready(&format!("http://{ops}/readyz"), READY_WITHIN).await?;
    Ok(process)
}
