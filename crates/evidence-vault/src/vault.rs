//! The vault role: gRPC, and the work that nobody waits for.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mintmark_audit::Gate;
use mintmark_auth::{ServiceVerifier, TrustStore, audience};
use mintmark_db::Pool;
use mintmark_fault::Chain;
use mintmark_ids::KekId;
use mintmark_jobs::{Worker, WorkerConfig};
use mintmark_objects::Store;
use mintmark_rpc::GrpcEdge;
use mintmark_service::reload::keep_fresh;
use mintmark_service::{Ask, Context, Gate as HealthGate, Launch, Shutdown, StartError, launch};
use mintmark_wire::evidence::v1::GetVerifyingKeysResponse;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::app::evidence::Evidence;
use crate::app::keks::Keks;
use crate::app::lifecycle::{Lifecycle, LifecycleConfig};
use crate::blob::Blobs;
use crate::config::VaultConfig;
use crate::grpc::EvidenceRpc;
use crate::jobs;
use crate::provider::KeyProvider;

/// Uploads that run at once: each has a thread and about 20 MiB; more are told to come back.
const UPLOADS: usize = 32;
/// How often the keys are asked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Runs `evidence-vault vault` until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let role = Launch { name: "evidence-vault", default_ops_addr: "127.0.0.1:9183", ask };
    launch(role, VaultConfig::read, async |config, context| build(config, &context).await?.serve().await)
}

/// A vault with its port, not yet answering.
pub struct VaultService {
    /// Where gRPC answers.
    pub grpc_addr: SocketAddr,
    grpc: mintmark_rpc::Running,
    worker: Worker,
    context: Context,
}

/// Takes the port, and opens it when the log of the audit was looked at: before, every call would be refused here that another
/// replica answers. Database and object store may be away, and the audit's gate may be closed: readiness says so, and every
/// call that needs them is refused meanwhile.
///
/// # Errors
/// A sentence when the trust bundle, the keys or a folder cannot be used, when the bucket keeps versions, or the port cannot
/// be had.
pub async fn build(config: VaultConfig, context: &Context) -> Result<VaultService, StartError> {
    context.health.expect(&["grpc"]);
    let trust = TrustStore::load(&config.trust_bundle).map_err(|error| {
        StartError::new(format!("TRUST_BUNDLE_FILE {} cannot be used", config.trust_bundle.display()))
            .caused_by(error)
    })?;
    let reloaded = trust.clone();
    keep_fresh(context, "trust-bundle", move || reloaded.reload());
    let pool = Pool::new(&config.database, &context.home)?;
    let postgres = context.health.gate("postgres");
    context.spawn("evidence-database", pool.clone().watch(postgres, context.shutdown.clone()));
    let provider = config.provider.clone().open().await?;
    let keys = context.health.gate("keys");
    context.spawn("evidence-keys", watch_keys(Arc::clone(&provider), keys, context.shutdown.clone()));
    let evidence = Evidence {
        keks: Keks::new(pool.clone(), Arc::clone(&provider), config.keks),
        gate: Gate::open(pool.clone(), &config.audit, context)?,
        retention: Arc::new(config.retention.clone()),
        max_bytes: config.max_bytes,
        uploads: Arc::new(Semaphore::new(UPLOADS)),
        blobs: blobs(&config.store, context).await?,
        pool: pool.clone(),
        provider,
    };
    let keys = verifying_keys(&evidence, &config)?;
    let verifier = ServiceVerifier::new(trust, audience::EVIDENCE);
    let gate = evidence.gate.clone();
    let compared = async move { gate.compared().await };
    let grpc = GrpcEdge::new(context.name, EvidenceRpc::METHODS.to_vec(), verifier)
        .configured_by("EVIDENCE_GRPC_ADDR")
        .long(EvidenceRpc::UPLOAD)
        .opens_after(compared)
        .add(EvidenceRpc::server(evidence.clone(), keys, config.audit))
        .reflection(mintmark_wire::DESCRIPTOR_SET)
        .bind(config.grpc_addr, context)
        .await?;
    let queue = WorkerConfig { lease: config.lease, ..WorkerConfig::default() };
    let worker = Worker::new(pool, config.database, queue).ends_within(context.shutdown_grace);
    let lifecycle = Lifecycle::new(evidence, LifecycleConfig::every(config.retention_run));
    context.spawn("evidence-lifecycle", lifecycle.clone().run(context.shutdown.clone()));
    let worker = jobs::register(worker, lifecycle);
    Ok(VaultService { grpc_addr: grpc.addr, grpc, worker, context: context.clone() })
}

/// The object store: a bucket that keeps versions is refused at once where it answers, otherwise as soon as it does.
async fn blobs(config: &mintmark_objects::StoreConfig, context: &Context) -> Result<Blobs, StartError> {
    let store = Store::open(config)
        .map_err(|error| StartError::new("EVIDENCE_STORE_URL cannot be used").caused_by(error))?;
    let blobs = Blobs::new(store);
    match blobs.check().await {
        Err(fault) if fault.code() == "STORE_VERSIONED" => {
            return Err(StartError::new(format!("EVIDENCE_STORE_URL: {}", fault.message())));
        }
        Err(fault) => tracing::warn!(code = fault.code(), "the object store does not answer yet"),
        Ok(()) => {}
    }
    let gate = context.health.gate("store");
    context.spawn("evidence-store", blobs.clone().watch(gate, context.shutdown.clone()));
    Ok(blobs)
}

/// Tells readiness whether the keys can be reached.
async fn watch_keys(provider: Arc<dyn KeyProvider>, gate: HealthGate, shutdown: Shutdown) {
    // No key has this id; whoever says so was reached.
    let nobody = KekId::from_uuid(Uuid::nil());
    loop {
        let before = gate.is_open();
        match provider.exists(nobody).await {
            Ok(_) => gate.set(true),
            Err(fault) => {
                if before {
                    tracing::warn!(code = fault.code(), error = %Chain(&fault), "the keys cannot be reached");
                }
                gate.set(false);
            }
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// What anybody needs to verify proofs and logs.
fn verifying_keys(evidence: &Evidence, config: &VaultConfig) -> Result<GetVerifyingKeysResponse, StartError> {
    let path = &config.audit.verifier_keys;
    let audit_verifier_keys = std::fs::read_to_string(path).map_err(|error| {
        StartError::new(format!("AUDIT_VERIFIER_KEYS_FILE {} cannot be read", path.display()))
            .caused_by(error)
    })?;
    let retired = config.provider.retired_keys.as_deref();
    let jwks = crate::proof::jwks(evidence.provider.as_ref(), retired)?.to_string();
    Ok(GetVerifyingKeysResponse { jwks, audit_verifier_keys })
}

impl VaultService {
    /// Answers until the end is requested, then drains. The first part that fails ends the other.
    ///
    /// # Errors
    /// When a server or the queue itself fails.
    pub async fn serve(self) -> Result<(), StartError> {
        let VaultService { grpc, worker, context, .. } = self;
        let queue = async {
            let ended = worker.run(context.shutdown.clone(), context.home.clone()).await;
            ended.map_err(StartError::from)
        };
        tokio::try_join!(grpc.serve(), queue)?;
        Ok(())
    }
}
