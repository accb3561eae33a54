//! Putting the parts together: the edges, the worker, and what they share.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use mintmark_auth::{
    KeyEnvironment, ServiceVerifier, SessionMinter, SessionVerifier, TokenSource, TrustStore, audience,
};
use mintmark_db::Pool;
use mintmark_ids::ServiceName;
use mintmark_jobs::{Worker, WorkerConfig};
use mintmark_objects::Store;
use mintmark_rpc::client::{Directory, EvidenceVault, Preflight, Ratelimit};
use mintmark_rpc::{GrpcEdge, Target};
use mintmark_service::config::AppEnv;
use mintmark_service::limit::Unverified;
use mintmark_service::network::Network;
use mintmark_service::reload::keep_fresh;
use mintmark_service::{Context, StartError};
use mintmark_web::{Edge, Limits};

use crate::app::admin::Administration;
use crate::app::api_keys::ApiKeys;
use crate::app::audit_exports::AuditExports;
use crate::app::batches::Batches;
use crate::app::brands::Brands;
use crate::app::cancel::Cancellations;
use crate::app::disputes::Disputes;
use crate::app::events::Events;
use crate::app::evidence::Evidence;
use crate::app::evidence_admin::{EvidenceAdmin, EvidenceKeys};
use crate::app::exports::Exports;
use crate::app::memberships::Memberships;
use crate::app::preflight_sync::PreflightSync;
use crate::app::preflight_tokens::PreflightTokens;
use crate::app::presentation::Presentations;
use crate::app::products::Products;
use crate::app::revoke::Revocations;
use crate::app::rights::Rights;
use crate::app::scans::Scans;
use crate::app::secrets::Secrets;
use crate::app::sessions::Sessions;
use crate::app::tenants::Tenants;
use crate::app::tokens::Tokens;
use crate::app::users::Users;
use crate::config::{Config, LimitConfig};
use crate::grpc::PreflightTokenRpc;
use crate::http::authenticate::Gate;
use crate::http::limits::Counted;
use crate::http::objects::signed_for;
use crate::http::{openapi, routes};
use crate::jobs::{JobDeps, register, revive_scan_pulls};

/// Bytes in the largest body: every request of ours is a handful of short fields.
const BODY_LIMIT: usize = 64 * 1024;

/// The service with its ports open, not yet answering.
pub struct Service {
    /// Where HTTP answers; the true port where the configuration said 0.
    pub http_addr: SocketAddr,
    /// Where gRPC answers.
    pub grpc_addr: SocketAddr,
    http: mintmark_web::Running,
    grpc: mintmark_rpc::Running,
    worker: Option<Worker>,
    context: Context,
}

/// Opens the ports and prepares everything that [`Service::run`] runs. Reaches neither the database nor the directory:
/// they may come later, and readiness says when.
pub async fn build(config: Config, context: &Context) -> Result<Service, StartError> {
    context.health.expect(&["http", "grpc"]);
    let database = config.database.clone().named("control-plane");
    let pool = Pool::new(&database, &context.home)?;
    context.spawn(
        "postgres-gate",
        pool.clone().watch(context.health.gate("postgres"), context.shutdown.clone()),
    );
    let store = Store::open(&config.export_store)?;
    let master_key = Arc::new(config.code_master_key);
    let keys = config.keys;
    keys.keep_fresh(context);
    let tokens = TokenSource::new(ServiceName::ControlPlane, keys.identity.clone(), &config.issuer);

    let trust = trust(&config.trust_bundle, context)?;
    let (preflight_tokens, preflight_sync) =
        preflight(&pool, &tokens, trust.clone(), Target::new(&config.preflight_gateway_url, context))?;
    let directory = Directory::new(Target::new(&config.directory_url, context), tokens.clone())?;
    let vault = EvidenceVault::new(Target::new(&config.evidence_vault_url, context), tokens.clone())?;
    let evidence_keys = EvidenceKeys::new(vault.clone()).map_err(StartError::from)?;
    let limits = limits(config.limits, config.trusted_proxies, &tokens, context)?;
    let base = config.code_base;

    let worker = if config.job_workers == 0 {
        None
    } else {
        let deps = JobDeps {
            pool: pool.clone(),
            directory: directory.clone(),
            evidence: vault.clone(),
            identity: keys.identity.clone(),
            code_master_key: master_key.clone(),
            store: store.clone(),
            base: base.clone(),
            retention: config.export_retention,
            scan_pull: config.scan_pull,
        };
        context.spawn("scan-pulls", revive_scan_pulls(pool.clone(), context.clone()));
        let settings = WorkerConfig {
            concurrency: config.job_workers,
            lease: config.job_lease,
            ..WorkerConfig::default()
        };
        let worker =
            Worker::new(pool.clone(), database.clone(), settings).ends_within(context.shutdown_grace);
        Some(register(worker, deps))
    };

    let environment = match config.app_env {
        AppEnv::Production => KeyEnvironment::Live,
        AppEnv::Development | AppEnv::Test => KeyEnvironment::Test,
    };
    let sessions = SessionVerifier::new(keys.session.clone(), &config.issuer);
    let gate = Gate::new(pool.clone(), &context.home, config.control_token, sessions, environment);
    let minter = Arc::new(SessionMinter::new(keys.session.clone(), &config.issuer, config.session_ttl));
    let products = Products::new(pool.clone(), config.app_env);
    let batches = Batches::new(pool.clone(), master_key.clone(), config.mint_chunk_units);
    let audit_exports = AuditExports::new(pool.clone(), store.clone());
    let files = store.clone();
    let exports = Exports::new(pool.clone(), store, config.export_part_units);
    let mut edge = Edge::new(context.name, routes()).signed_for(signed_for(files));
    if let Some(limits) = limits {
        edge = edge.limits(limits);
    }
    let http = edge
        .authenticate(Arc::new(gate))
        .body_limit(BODY_LIMIT)
        .data(Tenants::new(pool.clone()))
        .data(Users::new(pool.clone()))
        .data(Memberships::new(pool.clone()))
        .data(Sessions::new(pool.clone(), minter.clone(), config.session_ttl))
        .data(Brands::new(pool.clone()))
        .data(Administration::new(pool.clone(), minter))
        .data(ApiKeys::new(pool.clone(), environment))
        .data(preflight_tokens.clone())
        .data(preflight_sync)
        .data(Presentations::new(pool.clone()))
        .data(products)
        .data(batches)
        .data(Tokens::new(pool.clone(), master_key, base))
        .data(Rights::new(pool.clone()))
        .data(Cancellations::new(pool.clone()))
        .data(Revocations::new(pool.clone(), directory))
        .data(Secrets::new(pool.clone()))
        .data(Scans::new(pool.clone()))
        .data(Disputes::new(pool.clone()))
        .data(Evidence::new(pool.clone(), vault.clone()))
        .data(EvidenceAdmin::new(pool.clone(), vault))
        .data(evidence_keys)
        .data(Events::new(pool))
        .data(audit_exports)
        .data(exports)
        .data(keys)
        .openapi(openapi::document())
        .address_variable("CONTROL_HTTP_ADDR")
        .bind(config.http_addr, context)
        .await?;
    let registry = ServiceVerifier::new(trust, audience::REGISTRY);
    let grpc = GrpcEdge::new(context.name, PreflightTokenRpc::METHODS.to_vec(), registry)
        .configured_by("CONTROL_GRPC_ADDR")
        .add(PreflightTokenRpc::server(preflight_tokens))
        .reflection(mintmark_wire::DESCRIPTOR_SET)
        .bind(config.grpc_addr, context)
        .await?;
    Ok(Service { http_addr: http.addr, grpc_addr: grpc.addr, http, grpc, worker, context: context.clone() })
}

/// What makes PREFLIGHT_JWTs, and what takes preflight jobs over; both judge tokens that are presented to them.
fn preflight(
    pool: &Pool,
    tokens: &TokenSource,
    trust: TrustStore,
    gateway: Target<'_>,
) -> Result<(PreflightTokens, PreflightSync), StartError> {
    let presented = ServiceVerifier::new(trust, audience::PREFLIGHT);
    let gateway = Preflight::new(gateway)?;
    let made = PreflightTokens::new(pool.clone(), tokens.clone(), presented.clone());
    Ok((made, PreflightSync::new(pool.clone(), gateway, tokens.clone(), presented)))
}

/// Who may sign what, looked at each second.
fn trust(path: &Path, context: &Context) -> Result<TrustStore, StartError> {
    let trust = TrustStore::load(path).map_err(|error| {
        StartError::new(format!("TRUST_BUNDLE_FILE {} cannot be used", path.display())).caused_by(error)
    })?;
    let reloaded = trust.clone();
    keep_fresh(context, "trust-bundle", move || reloaded.reload());
    Ok(trust)
}

/// What the edge needs to limit its requests; none where nothing is limited.
fn limits(
    config: Option<LimitConfig>,
    trusted_proxies: Vec<Network>,
    tokens: &TokenSource,
    context: &Context,
) -> Result<Option<Limits>, StartError> {
    let Some(LimitConfig { url, policy, unverified, window }) = config else {
        tracing::warn!("RATE_LIMIT_ENABLED is false: nothing is limited");
        return Ok(None);
    };
    policy.mode.announce(context.app_env);
    let limiter = Arc::new(Counted(Ratelimit::new(Target::new(&url, context), tokens.clone(), policy)?));
    Ok(Some(Limits { limiter, unverified: Unverified::new(unverified, window), trusted_proxies }))
}

impl Service {
    /// Answers and works until shutdown is requested, then drains. The first part that fails ends the others.
    pub async fn run(self) -> Result<(), StartError> {
        let Service { http, grpc, worker, context, .. } = self;
        let jobs = async {
            match worker {
                Some(worker) => worker.run(context.shutdown.clone(), context.home.clone()).await,
                None => Ok(()),
            }
        };
        tokio::try_join!(http.serve(context.shutdown.clone()), grpc.serve(), async {
            jobs.await.map_err(StartError::from)
        })?;
        Ok(())
    }
}
