//! The drill: a backup of before an erasure comes back.
//!
//! Taken before: base backup with WAL, object folder, `EVIDENCE_ENCRYPTION_KEY`, and under `local` the keystore folder. Then
//! (a) the vault is started on it, with the key provider as it runs; (b) an attacker tries it without asking the vault.

pub mod attacker;
mod estate;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mintmark_audit::{Outside, OutsideConfig};
use mintmark_auth::{Actor, scope};
use mintmark_db::DbConfig;
use mintmark_evidence_vault::provider::{Bound, KeyProvider, ProviderConfig, WrappedDek};
use mintmark_ids::{EvidenceId, KekId, TenantId};
use mintmark_service::Context;
use mintmark_service::config::{AppEnv, Reader};
use mintmark_wire::evidence::v1::{
    Evidence, GetErasureProofRequest, GetErasureProofResponse, GetOperationRequest, OperationKind,
    StartOperationRequest,
};
use tonic::Code;
use uuid::Uuid;

use crate::stage::{Cast, ENCRYPTION_KEY, OTHER, Stage, TENANT, Who, codes, noise};
use crate::token::{self, LABEL, PIN, TestToken};
use attacker::{Keys, attack};
use estate::{Backup, Cluster};

/// Nobody but the test starts a run after the first one.
const USUAL: [(&str, &str); 2] = [("RETENTION_TTL_EVIDENCE_DAYS", "2555"), ("RETENTION_RUN_SECS", "86400")];

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_opens_nothing_again_under_a_keystore_folder_but_the_folder_of_that_day_does() {
    let mut drill = Drill::prepare(&USUAL).await;
    drill.erase().await;
    let copied = drill.backup.as_ref().unwrap().keystore();
    let running = drill.stage.folder.path().join("keystore");
    drill.recovers(&Keys::Folder(&copied, ENCRYPTION_KEY), "the program works");
    let other = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [2; 32]);
    drill.gets_nothing(&Keys::Folder(&copied, &other), "without the encryption key");
    drill.restore_and_resume().await;
    drill.rotate().await;
    drill.gets_nothing(&Keys::Folder(&running, ENCRYPTION_KEY), "the running keystore destroyed the key");
    drill.recovers(
        &Keys::Folder(&copied, ENCRYPTION_KEY),
        "the limit of `local`, which docs/evidence.md names",
    );
}

#[test]
fn a_backup_and_the_token_with_its_pin_open_nothing_after_the_destruction_of_the_key() {
    TestToken::new().run("drill_with_a_token");
}

/// The drill in a process of its own, which was given a token.
pub async fn with_a_token() {
    let module = token::module();
    let further = [
        USUAL[0],
        USUAL[1],
        ("EVIDENCE_KEY_PROVIDER", "pkcs11"),
        ("EVIDENCE_PKCS11_MODULE", module.to_str().unwrap()),
        ("EVIDENCE_PKCS11_TOKEN", LABEL),
        ("EVIDENCE_PKCS11_PIN", PIN),
    ];
    let mut drill = Drill::prepare(&further).await;
    drill.erase().await;
    drill.recovers(&Keys::Token(&module, PIN), "its key lives, and with the PIN the token opens for anybody");
    drill.gets_nothing(&Keys::Token(&module, "000000"), "without the PIN");
    drill.restore_and_resume().await;
    drill.rotate().await;
    drill.gets_nothing(&Keys::Token(&module, PIN), "the key does not exist any more");
    let proof = drill.proof(&drill.doomed).await;
    assert_eq!((proof.assurance.as_str(), proof.keys_destroyed), ("cryptographic", true));
}

struct Drill {
    stage: Stage,
    cluster: Option<Cluster>,
    /// The attacker's own copy of the base backup.
    stolen: Option<Cluster>,
    backup: Option<Backup>,
    cast: Cast,
    content: Vec<u8>,
    /// Erased after the backup.
    doomed: Evidence,
    /// Held and released between the backup and its erasure.
    touched: Evidence,
    /// Held since the backup.
    held: Evidence,
    /// Another tenant's, which nothing happens to.
    other: Evidence,
}

fn other(who: &Who) -> Who {
    who.clone().of(OTHER)
}

impl Drill {
    /// A vault with four records.
    async fn prepare(further: &[(&str, &str)]) -> Self {
        let (cluster, mut stage, cast) = (Cluster::new().await, Stage::prepare(further).await, Cast::new());
        cluster.serve(&mut stage);
        stage.sequence();
        let stage = stage.vault().await;
        stage.ready().await;
        let content = noise(40_000);
        let doomed = stage.upload(&cast.user, &content).await;
        let touched = stage.upload(&cast.user, b"touched").await;
        let held = stage.upload(&cast.user, b"held").await;
        let other = stage.upload(&other(&cast.user), b"other").await;
        Drill {
            stage,
            cluster: Some(cluster),
            stolen: None,
            backup: None,
            cast,
            content,
            doomed,
            touched,
            held,
            other,
        }
    }

    fn cluster(&self) -> &Cluster {
        self.cluster.as_ref().unwrap()
    }

    /// The backup is taken; then two records are erased and one is held.
    async fn erase(&mut self) {
        let backup = Backup::take(self.cluster(), &self.stage);
        self.stolen = Some(backup.restore());
        self.backup = Some(backup);
        for hold in [true, false] {
            let id = &self.touched.evidence_id;
            assert_eq!(self.stage.hold(&self.cast.governance, id, hold).await.unwrap().legal_hold, hold);
        }
        self.stage.hold(&self.cast.governance, &self.held.evidence_id, true).await.unwrap();
        self.all_are_due().await;
        self.operate(OperationKind::Retention).await;
        for record in [&self.doomed, &self.touched] {
            self.is_refused(record).await;
            assert!(!self.proof(record).await.keys_destroyed, "its period is not over");
        }
        assert_eq!(self.state(&self.held).await, "stored");
        self.is_witnessed().await;
    }

    /// Waits until what was done is in a checkpoint outside the database, which takes a second: a restored database that
    /// lacks nothing of what was signed looks like one that was never restored.
    async fn is_witnessed(&self) {
        let mut reader = Reader::from_pairs(self.stage.variables().to_vec());
        let config = OutsideConfig::read(&mut reader, "mintmark.invalid/evidence-vault");
        let outside = Outside::open(&reader.finish(config).unwrap()).unwrap();
        let sql = self.cluster().sql().await;
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let newest = outside.newest().await.unwrap().map_or(0, |kept| kept.checkpoint.size);
            let query = "SELECT count(*) FROM audit_entry WHERE id NOT IN (SELECT entry_id FROM audit_leaf)";
            let loose: i64 = sql.query_one(query, &[]).await.unwrap().get(0);
            let leaves: i64 = sql.query_one("SELECT count(*) FROM audit_leaf", &[]).await.unwrap().get(0);
            if loose == 0 && i64::try_from(newest).unwrap() == leaves {
                return;
            }
            assert!(Instant::now() < deadline, "{loose} entries and {leaves} leaves, {newest} witnessed");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets the years go by for the first tenant's records.
    async fn all_are_due(&self) {
        let sql = "UPDATE evidence SET expires_at = created_at WHERE tenant_id = $1";
        self.cluster().sql().await.execute(sql, &[&TENANT]).await.unwrap();
    }

    async fn state(&self, record: &Evidence) -> String {
        let id: EvidenceId = record.evidence_id.parse().unwrap();
        let sql = "SELECT state FROM evidence WHERE id = $1";
        self.cluster().sql().await.query_one(sql, &[&id.as_uuid()]).await.unwrap().get(0)
    }

    async fn is_refused(&self, record: &Evidence) {
        let answer = self.stage.read(&self.cast.governance, &record.evidence_id, None, None).await;
        assert_eq!(codes(answer), (Code::FailedPrecondition, "EVIDENCE_SHREDDED".to_owned()));
    }

    async fn proof(&self, record: &Evidence) -> GetErasureProofResponse {
        let message = GetErasureProofRequest { evidence_id: record.evidence_id.clone() };
        let asked = self.stage.request(&self.cast.governance, scope::EVIDENCE_PROOF, message);
        self.stage.client().get_erasure_proof(asked).await.unwrap().into_inner()
    }

    async fn start(&self, kind: OperationKind) -> Result<String, tonic::Status> {
        let message = StartOperationRequest { kind: kind.into() };
        let asked = self.stage.request(&Who::operator(), scope::EVIDENCE_OPERATE, message);
        let answer = self.stage.client().start_operation(asked).await?;
        Ok(answer.into_inner().operation.unwrap().operation_id)
    }

    /// An operation, to its end.
    async fn operate(&self, kind: OperationKind) {
        let operation_id = self.start(kind).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let message = GetOperationRequest { operation_id: operation_id.clone() };
            let asked = self.stage.request(&Who::operator(), scope::EVIDENCE_OPERATE, message);
            let answer = self.stage.client().get_operation(asked).await.unwrap().into_inner();
            let operation = answer.operation.unwrap();
            match operation.state.as_str() {
                "succeeded" => return,
                "queued" | "running" if Instant::now() < deadline => {}
                _ => panic!("{operation:?}"),
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    fn try_it(&self, keys: &Keys<'_>) -> Result<Vec<u8>, String> {
        let (stolen, backup) = (self.stolen.as_ref().unwrap(), self.backup.as_ref().unwrap());
        attack(&stolen.superuser_url(), &backup.objects(), &self.doomed.evidence_id, keys)
    }

    fn recovers(&self, keys: &Keys<'_>, why: &str) {
        assert!(self.try_it(keys).unwrap() == self.content, "{why}");
    }

    fn gets_nothing(&self, keys: &Keys<'_>, why: &str) {
        let got = self.try_it(keys);
        assert!(got.is_err(), "{why}: {} bytes", got.unwrap().len());
    }

    /// (a) The vault on the restored database and objects, with the key provider as it runs.
    async fn restore_and_resume(&mut self) {
        self.stage.context.shutdown.trigger();
        self.cluster.take().unwrap().stop();
        let backup = self.backup.as_ref().unwrap();
        let restored = backup.restore();
        backup.restore_objects(&self.stage);
        restored.serve(&mut self.stage);
        self.stage.context = Context::for_tests("evidence-vault");
        let signed = self.checkpoints();
        self.stage.sequence();
        self.serve_again().await;
        self.cluster = Some(restored);
        self.nothing_moves_before_the_resume().await;
        assert_eq!(self.checkpoints(), signed, "and nothing is signed");
        self.tombstones_refuse_restored_keys().await;

        self.resume().await;
        self.stage.sequence();
        self.stage.ready().await;
        let other_governance = other(&self.cast.governance);
        let read = self.stage.read(&other_governance, &self.other.evidence_id, None, None).await;
        assert_eq!(read.unwrap().1, b"other", "what nothing happened to is there again");
        for record in [&self.doomed, &self.touched] {
            self.is_refused(record).await;
            self.becomes_shredded(record).await;
        }
        self.is_still_held().await;
        self.all_are_due().await;
        self.operate(OperationKind::Retention).await;
        self.is_still_held().await;
    }

    async fn serve_again(&mut self) {
        let variables: Vec<(String, String)> = self.stage.variables().to_vec();
        let mut reader = Reader::from_pairs(variables);
        let config = mintmark_evidence_vault::config::VaultConfig::read(&mut reader);
        let config = reader.finish(config).unwrap();
        let service = mintmark_evidence_vault::vault::build(config, &self.stage.context).await.unwrap();
        self.stage.addr = format!("http://{}", service.grpc_addr);
        self.stage.context.home.spawn(async move { service.serve().await.unwrap() });
    }

    /// Names of what is kept outside the database.
    fn checkpoints(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.stage.folder.path().join("checkpoints")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    async fn nothing_moves_before_the_resume(&self) {
        // An operator who does not know starts a run: it may wait, and erases nothing.
        let _queued_or_refused = self.start(OperationKind::Retention).await;
        // Until the gate has said what it sees, and the sequencer has looked: each look takes the lease anew, under a new fence.
        let looked = self.fence().await + 2;
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut behind = 0;
        while behind <= 3 || self.fence().await < looked {
            assert!(Instant::now() < deadline, "nobody looked: it was said {behind} times");
            for (record, who) in [
                (&self.other, other(&self.cast.governance)),
                (&self.doomed, self.cast.governance.clone()),
                (&self.held, self.cast.governance.clone()),
            ] {
                let (code, said) = codes(self.stage.read(&who, &record.evidence_id, None, None).await);
                assert_eq!(code, Code::Unavailable, "{said}");
                behind += usize::from(said == "AUDIT_BEHIND");
            }
            let hold = self.stage.hold(&self.cast.governance, &self.doomed.evidence_id, true).await;
            assert_eq!(codes(hold).0, Code::Unavailable);
            for record in [&self.doomed, &self.touched, &self.held, &self.other] {
                assert_eq!(self.state(record).await, "stored", "nothing is shredded");
            }
            assert!(!self.stage.context.health.ready());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(self.stage.objects().len(), 4, "no object was touched");
    }

    async fn fence(&self) -> i64 {
        let row = self.cluster().sql().await.query_one("SELECT fence FROM audit_head", &[]).await.unwrap();
        row.get(0)
    }

    /// The provider itself, asked for what the restored rows hold.
    async fn tombstones_refuse_restored_keys(&self) {
        let mut reader = Reader::from_pairs(self.stage.variables().to_vec());
        let config = ProviderConfig::read(&mut reader, Some(AppEnv::Test));
        let provider: Arc<dyn KeyProvider> = reader.finish(config).unwrap().open().await.unwrap();
        let tenant = TenantId::parse(TENANT).unwrap();
        for record in [&self.doomed, &self.touched] {
            let record: EvidenceId = record.evidence_id.parse().unwrap();
            let sql = "SELECT kek_id, iv, wrapped_dek, tag FROM evidence_key WHERE record_id = $1";
            let row = self.cluster().sql().await.query_one(sql, &[&record.as_uuid()]).await.unwrap();
            let key = WrappedDek {
                kek: KekId::from_uuid(row.get::<_, Uuid>(0)),
                iv: row.get::<_, Vec<u8>>(1).try_into().unwrap(),
                wrapped: row.get::<_, Vec<u8>>(2).try_into().unwrap(),
                tag: row.get::<_, Vec<u8>>(3).try_into().unwrap(),
            };
            assert!(provider.exists(key.kek).await.unwrap(), "its key lives: the tombstone alone refuses");
            let refused = provider.unwrap(Bound { tenant: &tenant, record }, &key).await.unwrap_err();
            assert_eq!(refused.code(), "EVIDENCE_SHREDDED");
        }
    }

    /// What `mintmark audit resume` does.
    async fn resume(&self) {
        let mut reader = Reader::from_pairs(self.stage.variables().to_vec());
        let database = DbConfig::read(&mut reader, "EVIDENCE_SEQUENCER_DATABASE_URL", "the database");
        let outside = OutsideConfig::read(&mut reader, "mintmark.invalid/evidence-vault");
        let (database, outside) = reader.finish(database.zip(outside)).unwrap();
        let resumed = mintmark_audit::resume(&database, &outside, &Actor::ControlToken).await.unwrap();
        assert!(resumed.named.is_some(), "the new log names the checkpoint that the database does not reach");
    }

    async fn becomes_shredded(&self, record: &Evidence) {
        let id: EvidenceId = record.evidence_id.parse().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        let sql = "SELECT state = 'shredded' AND deleted_at IS NOT NULL AND encrypted_blob IS NULL
            AND NOT EXISTS (SELECT FROM evidence_key WHERE record_id = id) FROM evidence WHERE id = $1";
        while !self.cluster().sql().await.query_one(sql, &[&id.as_uuid()]).await.unwrap().get::<_, bool>(0) {
            assert!(Instant::now() < deadline, "still {}", self.state(record).await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let objects = self.stage.objects();
        assert!(objects.iter().all(|path| !path.display().to_string().contains(&record.evidence_id)));
    }

    async fn is_still_held(&self) {
        let id = &self.held.evidence_id;
        assert!(self.stage.get(&self.cast.governance, id).await.unwrap().legal_hold);
        assert_eq!(self.stage.read(&self.cast.governance, id, None, None).await.unwrap().1, b"held");
    }

    /// Destroys the keys under which the erased records were wrapped, and leaves what lives readable.
    async fn rotate(&self) {
        self.operate(OperationKind::RotateKeys).await;
        self.is_still_held().await;
        assert!(self.proof(&self.doomed).await.keys_destroyed);
    }
}
