//! The gateway role: HTTP and gRPC.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use mintmark_auth::{ServiceVerifier, TokenSource, TrustStore, audience};
use mintmark_db::Pool;
use mintmark_ids::ServiceName;
use mintmark_objects::Intake;
use mintmark_rpc::client::Ratelimit;
use mintmark_rpc::{GrpcEdge, Target};
use mintmark_service::limit::Unverified;
use mintmark_service::network::Network;
use mintmark_service::reload::keep_fresh;
use mintmark_service::{Ask, Context, Launch, StartError, launch};
use mintmark_web::Edge;

use crate::app::jobs::Jobs;
use crate::app::policies::Policies;
use crate::config::{GatewayConfig, LimitConfig};
use crate::grpc::PreflightRpc;
use crate::http::authenticate::Gate;
use crate::http::limits::{Counted, NAMESPACE};
use crate::http::{openapi, routes};

/// Runs `preflight-gateway gateway` until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let role = Launch { name: "preflight-gateway", default_ops_addr: "127.0.0.1:9182", ask };
    launch(role, GatewayConfig::read, async |config, context| build(config, &context).await?.serve().await)
}

/// A gateway with its ports open, not yet answering.
pub struct GatewayService {
    /// Where HTTP answers.
    pub http_addr: SocketAddr,
    /// Where gRPC answers.
    pub grpc_addr: SocketAddr,
    http: mintmark_web::Running,
    grpc: mintmark_rpc::Running,
    context: Context,
}

/// Takes the ports. The database and the object stores may be away: readiness says when the first is there.
///
/// # Errors
/// A sentence when the trust bundle or a folder cannot be used, or a port cannot be had.
pub async fn build(config: GatewayConfig, context: &Context) -> Result<GatewayService, StartError> {
    let trust = TrustStore::load(&config.trust_bundle).map_err(|error| {
        StartError::new(format!("TRUST_BUNDLE_FILE {} cannot be used", config.trust_bundle.display()))
            .caused_by(error)
    })?;
    let reloaded = trust.clone();
    keep_fresh(context, "trust-bundle", move || reloaded.reload());
    let pool = Pool::new(&config.database, &context.home)?;
    context.health.expect(&["http", "grpc"]);
    let gate = context.health.gate("postgres");
    context.spawn("preflight-database", pool.clone().watch(gate, context.shutdown.clone()));
    let jobs = Jobs::new(pool.clone(), Intake::open(&config.buckets)?, config.max_file_bytes);
    let policies = Policies::new(pool);
    // Both edges share one cache of verified tokens.
    let verifier = ServiceVerifier::new(trust, audience::PREFLIGHT);
    let mut edge = Edge::new(context.name, routes());
    let mut grpc = GrpcEdge::new(context.name, PreflightRpc::METHODS.to_vec(), verifier.clone());
    if let Some(limits) = limits(config.limits, config.trusted_proxies, context)? {
        edge = edge.limits(limits.http);
        grpc = grpc.limits(limits.grpc);
    }
    let http = edge
        .authenticate(Arc::new(Gate(verifier)))
        .data(jobs.clone())
        .data(policies.clone())
        .openapi(openapi::document())
        .address_variable("PREFLIGHT_HTTP_ADDR")
        .bind(config.http_addr, context)
        .await?;
    let grpc = grpc
        .also(&PreflightRpc::ALSO)
        .configured_by("PREFLIGHT_GRPC_ADDR")
        .add(PreflightRpc::server(jobs, policies))
        .reflection(mintmark_wire::DESCRIPTOR_SET)
        .bind(config.grpc_addr, context)
        .await?;
    Ok(GatewayService { http_addr: http.addr, grpc_addr: grpc.addr, http, grpc, context: context.clone() })
}

/// What both edges need to limit their requests: two doors of one budget.
struct Limits {
    http: mintmark_web::Limits,
    grpc: mintmark_rpc::Limits,
}

/// None where nothing is limited.
fn limits(
    config: Option<LimitConfig>,
    trusted_proxies: Vec<Network>,
    context: &Context,
) -> Result<Option<Limits>, StartError> {
    let Some(LimitConfig { url, policy, unverified, window, identity, issuer }) = config else {
        tracing::warn!("RATE_LIMIT_ENABLED is false: nothing is limited");
        return Ok(None);
    };
    policy.mode.announce(context.app_env);
    let reloaded = identity.clone();
    keep_fresh(context, "preflight-signing-key", move || reloaded.reload_alone());
    let tokens = TokenSource::new(ServiceName::PreflightGateway, identity, issuer);
    let limiter = Ratelimit::new(Target::new(&url, context), tokens, policy)?;
    let unverified = Unverified::new(unverified, window);
    let grpc = mintmark_rpc::Limits {
        limiter: limiter.clone(),
        namespace: NAMESPACE,
        unverified: unverified.clone(),
        trusted_proxies: trusted_proxies.clone(),
        own_work: &PreflightRpc::OWN_WORK,
    };
    let http = mintmark_web::Limits { limiter: Arc::new(Counted(limiter)), unverified, trusted_proxies };
    Ok(Some(Limits { http, grpc }))
}

impl GatewayService {
    /// Answers until the end is requested, then drains. The first part that fails ends the other.
    ///
    /// # Errors
    /// When a server itself fails.
    pub async fn serve(self) -> Result<(), StartError> {
        let GatewayService { http, grpc, context, .. } = self;
        tokio::try_join!(http.serve(context.shutdown.clone()), grpc.serve())?;
        Ok(())
    }
}
