//! A vault of its own, with a sequencer, and tokens for whoever asks.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures::Stream;
use mintmark_audit::note::Signer;
use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, scope};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_evidence_vault::config::{VaultConfig, sequencer};
use mintmark_evidence_vault::vault;
use mintmark_fault::Fault;
use mintmark_ids::{EvidenceId, ServiceName};
use mintmark_service::Context;
use mintmark_service::config::Reader;
use mintmark_wire::evidence::v1::evidence_service_client::EvidenceServiceClient;
use mintmark_wire::evidence::v1::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::people::Forge;
pub use crate::people::{Cast, Who};

pub const TENANT: &str = "acme";
pub const OTHER: &str = "globex";
/// Base64 of 32 bytes.
pub const ENCRYPTION_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
const ORIGIN: &str = "mintmark.invalid/evidence-vault";

/// One RSA key for all tests of this binary: making one takes a while.
static PROOF_KEY: LazyLock<String> = LazyLock::new(|| {
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap()
});

pub struct Stage {
    pub addr: String,
    pub db: TestDb,
    pub folder: TempDir,
    pub context: Context,
    forge: Forge,
    variables: Vec<(String, String)>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

pub type Client = EvidenceServiceClient<Channel>;

impl Stage {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One with further variables, which win over the usual ones, once it is ready.
    pub async fn start_with(further: &[(&str, &str)]) -> Self {
        let stage = Self::prepare(further).await;
        stage.sequence();
        let stage = stage.vault().await;
        stage.ready().await;
        stage
    }

    /// Everything but its processes.
    pub async fn prepare(further: &[(&str, &str)]) -> Self {
        let (db, folder) = (testdb::database("evidence-vault").await, tempfile::tempdir().unwrap());
        let forge = Forge::new();
        let grants = vec![Grant {
            aud: audience::EVIDENCE.to_owned(),
            scopes: scope::EVIDENCE.iter().map(|scope| (*scope).to_owned()).collect(),
        }];
        let trusted = TrustedKey { jwk: forge.key.public_jwk(), service: ServiceName::ControlPlane, grants };
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            private(&path);
            path.to_str().unwrap().to_owned()
        };
        let trust = TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json();
        let audit_key = SigningKey::generate_pem().to_string();
        let signer = Signer::from_pem(ORIGIN, &audit_key).unwrap();
        let place = |name: &str| format!("file://{}", folder.path().join(name).display());
        let mut variables: Vec<(String, String)> = [
            ("APP_ENV", "test".to_owned()),
            ("EVIDENCE_GRPC_ADDR", "127.0.0.1:0".to_owned()),
            ("EVIDENCE_DATABASE_URL", db.url("evidence_vault")),
            ("EVIDENCE_SEQUENCER_DATABASE_URL", db.url("evidence_sequencer")),
            ("TRUST_BUNDLE_FILE", file("trust.json", &trust)),
            ("EVIDENCE_STORE_URL", place("objects")),
            ("EVIDENCE_KEY_PROVIDER", "local".to_owned()),
            ("EVIDENCE_ENCRYPTION_KEY", ENCRYPTION_KEY.to_owned()),
            ("EVIDENCE_KEYSTORE_DIR", folder.path().join("keystore").to_str().unwrap().to_owned()),
            ("EVIDENCE_PROOF_KEY_FILE", file("proof.pem", &PROOF_KEY)),
            ("AUDIT_CHECKPOINT_URL", place("checkpoints")),
            ("AUDIT_VERIFIER_KEYS_FILE", file("audit.vkeys", &format!("{}\n", signer.verifier()))),
            ("AUDIT_SIGNING_KEY_FILE", file("audit.pem", &audit_key)),
            ("AUDIT_LEASE_SECS", "1".to_owned()),
            ("JOB_LEASE_SECS", "3".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        for (name, value) in further {
            variables.retain(|(usual, _)| usual != name);
            variables.push(((*name).to_owned(), (*value).to_owned()));
        }
        let context = Context::for_tests("evidence-vault");
        Stage { addr: String::new(), db, folder, context, forge, variables }
    }

    /// A sequencer in this process, until the stage ends.
    pub fn sequence(&self) {
        let mut reader = Reader::from_pairs(self.variables.clone());
        let config = sequencer(&mut reader);
        let config = reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"));
        let context =
            Context { shutdown: self.context.shutdown.clone(), ..Context::for_tests("evidence-sequencer") };
        self.context
            .home
            .spawn(async move { mintmark_audit::sequencer::run(config, context).await.unwrap() });
    }

    /// A vault in this process, until the stage ends.
    pub async fn vault(mut self) -> Self {
        let mut reader = Reader::from_pairs(self.variables.clone());
        let config = VaultConfig::read(&mut reader);
        let config = reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"));
        let service = vault::build(config, &self.context).await.unwrap();
        self.addr = format!("http://{}", service.grpc_addr);
        self.context.home.spawn(async move { service.serve().await.unwrap() });
        self
    }

    /// Waits until every gate is open.
    pub async fn ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.context.health.ready() {
            assert!(Instant::now() < deadline, "not ready: {:?}", self.context.health.gates());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Gives a variable of the processes that are started from here on another value.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// The variables of this stage's processes.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// A connection of the superuser's, to look behind the service's back.
    pub async fn sql(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.db.superuser_url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    pub fn client(&self) -> Client {
        self.client_at(&self.addr)
    }

    pub fn client_at(&self, addr: &str) -> Client {
        EvidenceServiceClient::new(Channel::from_shared(addr.to_owned()).unwrap().connect_lazy())
    }

    /// A token for one call.
    pub fn token(&self, who: &Who, scope: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({
            "iss": DEFAULT_ISSUER, "aud": audience::EVIDENCE, "sub": who.subject, "tenantId": who.tenant,
            "scp": [scope], "iat": now, "nbf": now, "exp": now + 30, "jti": EvidenceId::new().to_string(),
        });
        if !who.subject.starts_with("service:") {
            claims["act"] = json!({ "sub": "service:control-plane" });
        }
        if let Some(role) = who.role {
            claims["role"] = json!(role);
        }
        if let Some((id, state)) = who.dispute {
            claims["disputeId"] = json!(id.to_string());
            claims["disputeState"] = json!(state);
        }
        self.forge.sign(&claims)
    }

    /// A message with a token.
    pub fn request<T>(&self, who: &Who, scope: &str, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let bearer = format!("Bearer {}", self.token(who, scope)).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        request
    }

    /// Uploads these messages.
    pub async fn send(
        &self,
        who: &Who,
        messages: impl Stream<Item = UploadRequest> + Send + 'static,
    ) -> Result<Evidence, Status> {
        let answer = self.client().upload(self.request(who, scope::EVIDENCE_UPLOAD, messages)).await?;
        Ok(answer.into_inner().evidence.unwrap())
    }

    /// Uploads a record.
    pub async fn upload(&self, who: &Who, content: &[u8]) -> Evidence {
        let id = EvidenceId::new();
        self.send(who, futures::stream::iter(messages(id, content))).await.unwrap()
    }

    pub async fn get(&self, who: &Who, id: &str) -> Result<Evidence, Status> {
        let message = GetEvidenceRequest { evidence_id: id.to_owned() };
        let answer = self.client().get_evidence(self.request(who, scope::EVIDENCE_READ, message)).await?;
        Ok(answer.into_inner().evidence.unwrap())
    }

    /// Reads content: what its header says, and all of it.
    pub async fn read(
        &self,
        who: &Who,
        id: &str,
        offset: Option<u64>,
        length: Option<u64>,
    ) -> Result<(ContentHeader, Vec<u8>), Status> {
        let message = ReadContentRequest { evidence_id: id.to_owned(), offset, length };
        let answer = self.client().read_content(self.request(who, scope::EVIDENCE_CONTENT, message)).await?;
        let mut answers = answer.into_inner();
        let first = answers.message().await?.unwrap();
        let Some(read_content_response::Piece::Header(header)) = first.piece else { panic!("{first:?}") };
        let mut content = Vec::new();
        while let Some(message) = answers.message().await? {
            let Some(read_content_response::Piece::Data(piece)) = message.piece else {
                panic!("{message:?}")
            };
            content.extend_from_slice(&piece);
        }
        Ok((header, content))
    }

    pub async fn hold(&self, who: &Who, id: &str, legal_hold: bool) -> Result<Evidence, Status> {
        let message = SetLegalHoldRequest { evidence_id: id.to_owned(), legal_hold };
        let answer = self.client().set_legal_hold(self.request(who, scope::EVIDENCE_HOLD, message)).await?;
        Ok(answer.into_inner().evidence.unwrap())
    }

    /// Audit entries of a record, oldest first: action, outcome and detail.
    pub async fn audited(&self, id: &str) -> Vec<(String, String, Value)> {
        let sql = "SELECT action, outcome, detail::text FROM audit_entry WHERE resource_id = $1 ORDER BY id";
        let rows = self.sql().await.query(sql, &[&id]).await.unwrap();
        rows.iter()
            .map(|row| {
                let detail: String = row.get(2);
                (row.get(0), row.get(1), serde_json::from_str(&detail).unwrap())
            })
            .collect()
    }

    /// Every file of the store.
    pub fn objects(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        walk(&self.folder.path().join("objects"), &mut found);
        found
    }
}

pub fn private(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { walk(&path, found) } else { found.push(path) }
    }
}

pub fn header(id: EvidenceId, bytes: Option<u64>) -> UploadRequest {
    let header = UploadHeader { evidence_id: id.to_string(), media_type: "image/jpeg".to_owned(), bytes };
    UploadRequest { piece: Some(upload_request::Piece::Header(header)) }
}

pub fn data(piece: &[u8]) -> UploadRequest {
    UploadRequest { piece: Some(upload_request::Piece::Data(Bytes::copy_from_slice(piece))) }
}

pub fn end(bytes: u64) -> UploadRequest {
    UploadRequest { piece: Some(upload_request::Piece::End(UploadEnd { bytes })) }
}

/// The messages of a whole upload.
pub fn messages(id: EvidenceId, content: &[u8]) -> Vec<UploadRequest> {
    let bytes = content.len() as u64;
    let pieces = content.chunks(300_000).map(data);
    std::iter::once(header(id, Some(bytes))).chain(pieces).chain([end(bytes)]).collect()
}

/// Bytes that do not repeat soon.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ bytes as u64;
    (0..bytes)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

/// The gRPC code and the stable code of a refusal.
#[track_caller]
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, Fault) {
    let status = answer.unwrap_err();
    (status.code(), mintmark_rpc::fault_of(&status))
}

/// The same for a refusal whose codes alone matter.
#[track_caller]
pub fn codes<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let (code, fault) = refusal(answer);
    (code, fault.code().to_owned())
}
