//! A database, a store, a key, sequencers of either kind, and a check of all that they made.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mintmark_audit::checkpoint::Checkpoint;
use mintmark_audit::leaf::{Leaf, NO_LEAF};
use mintmark_audit::note::{Signer, Verifiers};
use mintmark_audit::tree::{Frontier, Hash};
use mintmark_audit::{AuditEvent, Gate, SequencerConfig, record, sequencer};
use mintmark_auth::Actor;
use mintmark_db::{DbConfig, Pool, RawClient, connect_raw};
use mintmark_devstack::testdb::{self, TestDb};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_service::config::Reader;
use mintmark_service::{Context, StartError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ring::rand::SystemRandom;
use ring::signature::Ed25519KeyPair;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::process;

pub const ORIGIN: &str = "mintmark.invalid/tests";
/// The longest that anything here is waited for.
pub const BOUND: Duration = Duration::from_secs(30);
const LEASE_SECS: &str = "1";

pub struct World {
    pub db: TestDb,
    pub folder: TempDir,
    pub signer: Signer,
    pub pool: Pool,
}

/// A new key, as `openssl genpkey` writes one.
pub fn new_key() -> String {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(pkcs8.as_ref()))
}

impl World {
    pub async fn new() -> Self {
        let db = testdb::database("control-plane").await;
        let folder = tempfile::tempdir().unwrap();
        let pem = new_key();
        let signer = Signer::from_pem(ORIGIN, &pem).unwrap();
        std::fs::write(folder.path().join("key.pem"), &pem).unwrap();
        std::fs::write(folder.path().join("keys.txt"), format!("{}\n", signer.verifier())).unwrap();
        let pool = Pool::new(&DbConfig::new(db.url("control_app")), &Handle::current()).unwrap();
        World { db, folder, signer, pool }
    }

    pub fn checkpoints(&self) -> PathBuf {
        self.folder.path().join("outside/checkpoints")
    }

    pub fn variables(&self) -> HashMap<&'static str, String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        HashMap::from([
            ("APP_ENV", "test".to_owned()),
            ("CONTROL_SEQUENCER_DATABASE_URL", self.db.url("control_sequencer")),
            ("AUDIT_CHECKPOINT_URL", format!("file://{}", path("outside"))),
            ("AUDIT_VERIFIER_KEYS_FILE", path("keys.txt")),
            ("AUDIT_SIGNING_KEY_FILE", path("key.pem")),
            ("AUDIT_LEASE_SECS", LEASE_SECS.to_owned()),
        ])
    }

    pub fn config(&self) -> SequencerConfig {
        read(Reader::from_pairs(self.variables()))
    }

    /// A sequencer within this process.
    pub fn sequencer(&self) -> Running {
        let context = Context::for_tests("audit-sequencer");
        let task = tokio::spawn(sequencer::run(self.config(), context.clone()));
        Running { context, task }
    }

    /// A sequencer as a process of its own; `fail_at` names the step that ends it.
    pub fn process(&self, fail_at: Option<&str>) -> Process {
        let mut command = process::sequencer_command();
        command.envs(self.variables());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some(step) = fail_at {
            command.env("AUDIT_FAIL_AT", step);
        }
        Process(command.spawn().unwrap())
    }

    pub fn gate(&self, context: &Context) -> Gate {
        Gate::open(self.pool.clone(), &self.config().outside, context).unwrap()
    }

    /// Entries of a tenant; `None` is the platform.
    pub async fn record(&self, tenant: Option<&str>, count: usize) {
        let tenant: Option<TenantId> = tenant.map(|tenant| tenant.parse().unwrap());
        let actor = Actor::Service(ServiceName::ControlPlane);
        let mut conn = self.pool.get().await.unwrap();
        for n in 0..count {
            let event =
                AuditEvent::allowed(tenant.as_ref(), &actor, "THING_DONE", ("thing", n), json!({ "n": n }));
            record(&mut conn, &event).await.unwrap();
        }
    }

    pub async fn raw(&self) -> RawClient {
        connect_raw(&DbConfig::new(self.db.superuser_url()), &Handle::current()).await.unwrap()
    }

    pub async fn number(&self, sql: &str) -> i64 {
        self.raw().await.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// Waits until a sequencer that may not lead has looked at what stands in its way, from beginning to end and after this call.
    ///
    /// Each look begins by taking the lease, which counts the fence up; one that leads holds its fence, so that a sequencer
    /// that goes on after all is waited for in vain.
    pub async fn until_looked(&self) {
        let fence = async || self.number("SELECT fence FROM audit_head").await;
        let before = fence().await;
        until("the sequencer looked twice", async || fence().await >= before + 2).await;
    }

    /// Processes of Postgres that serve a sequencer.
    pub async fn sequencer_sessions(&self) -> Vec<i32> {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'audit-sequencer'";
        self.raw().await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    /// Waits until every entry is in the log and under a signed checkpoint, inside and outside.
    pub async fn until_signed(&self) {
        let sql = "SELECT (SELECT count(*) FROM audit_pending)
            + (SELECT abs(head.size - coalesce((SELECT max(size) FROM audit_checkpoint c WHERE c.epoch = head.epoch), -1))
               FROM audit_head AS head)";
        until("everything is sequenced and signed", async || self.number(sql).await == 0).await;
    }

    /// The newest checkpoint outside, verified.
    pub fn newest_outside(&self) -> Option<Checkpoint> {
        let entries = std::fs::read_dir(self.checkpoints()).ok()?;
        let newest = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| !path.to_string_lossy().contains('#'))
            .max()?;
        let note = std::fs::read_to_string(newest).unwrap();
        Some(Checkpoint::open(&note, &Verifiers::from(self.signer.verifier().clone())).unwrap())
    }

    /// Everything again from the entries: chains, tree, and every checkpoint that is outside. Gives the number of leaves.
    pub async fn check_log(&self, epoch: i64) -> u64 {
        let sql = "SELECT leaf.idx, leaf.tenant_id, leaf.hash, entry.commitment FROM audit_leaf AS leaf
            JOIN audit_entry AS entry ON entry.id = leaf.entry_id WHERE leaf.epoch = $1 ORDER BY leaf.idx";
        let rows = self.raw().await.query(sql, &[&epoch]).await.unwrap();
        let mut tree = Frontier::new();
        let mut roots = vec![tree.root()];
        let mut prev = NO_LEAF;
        let mut tenants: HashMap<String, (u64, Hash)> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            assert_eq!(row.get::<_, i64>(0), at as i64, "indexes are contiguous");
            let tenant: String = row.get(1);
            let (number, tenant_prev) = tenants.entry(tenant.clone()).or_insert((0, NO_LEAF));
            *number += 1;
            let leaf = Leaf {
                index: at as u64,
                prev,
                tenant: Some(tenant.as_str()).filter(|tenant| !tenant.is_empty()),
                tenant_number: *number,
                tenant_prev: *tenant_prev,
                commitment: row.get::<_, &[u8]>(3).try_into().unwrap(),
            };
            let hash = leaf.hash();
            assert_eq!(hash, row.get::<_, &[u8]>(2), "leaf {at}");
            (prev, *tenant_prev) = (hash, hash);
            tree.push(hash, &mut |_, _| {});
            roots.push(tree.root());
        }
        let keys = Verifiers::from(self.signer.verifier().clone());
        let mut seen = 0;
        for file in std::fs::read_dir(self.checkpoints()).unwrap() {
            let path = file.unwrap().path();
            if path.to_string_lossy().contains('#') {
                continue;
            }
            let checkpoint = Checkpoint::open(&std::fs::read_to_string(path).unwrap(), &keys).unwrap();
            if checkpoint.origin.epoch == epoch as u64 {
                assert_eq!(roots[checkpoint.size as usize], checkpoint.root, "size {}", checkpoint.size);
                seen += 1;
            }
        }
        assert!(seen > 0, "a checkpoint of the log is outside");
        rows.len() as u64
    }

    /// Each entry has exactly one leaf.
    pub async fn check_nothing_lost_or_twice(&self) {
        assert_eq!(self.number("SELECT count(*) FROM audit_pending").await, 0);
        let entries = self.number("SELECT count(*) FROM audit_entry").await;
        assert_eq!(self.number("SELECT count(DISTINCT entry_id) FROM audit_leaf").await, entries);
        assert_eq!(self.number("SELECT count(*) FROM audit_leaf").await, entries);
    }
}

pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < BOUND, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub struct Running {
    pub context: Context,
    task: JoinHandle<Result<(), StartError>>,
}

impl Running {
    /// Waits until it says that it leads, or waits for its turn; or that something stands in its way.
    pub async fn until_ready(&self, ready: bool) {
        until("its readiness changes", async || self.context.health.gates().get("log") == Some(&ready)).await;
    }

    pub async fn stop(self) {
        self.context.shutdown.trigger();
        self.task.await.unwrap().unwrap();
    }
}

/// Killed when it goes away.
pub struct Process(Child);

impl Process {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id() as i32), signal).unwrap();
    }

    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// The signal that it ended by.
    pub fn ended_by(&mut self) -> Option<Signal> {
        let signal = self.0.try_wait().unwrap()?.signal()?;
        Some(Signal::try_from(signal).unwrap())
    }

    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended is gone already.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The configuration of a sequencer.
pub fn read(mut reader: Reader) -> SequencerConfig {
    let config = SequencerConfig::read(&mut reader, "CONTROL_SEQUENCER_DATABASE_URL", ORIGIN);
    reader.finish(config).unwrap()
}
