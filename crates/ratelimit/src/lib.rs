#![doc = include_str!("../README.md")]

pub mod app;
pub mod config;
pub mod grpc;
pub mod store;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use mintmark_auth::{ServiceVerifier, TrustStore, audience};
use mintmark_rpc::{GrpcEdge, Running};
use mintmark_service::reload::keep_fresh;
use mintmark_service::{Ask, Context, Launch, StartError, launch};

use crate::app::envoy::{EnvoyLimiter, RuleStore};
use crate::app::limiter::Limiter;
use crate::config::{EnvoyConfig, RatelimitConfig};
use crate::grpc::{EnvoyRpc, RatelimitRpc};
use crate::store::Counters;

/// Runs the service until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let service = Launch { name: "ratelimit", default_ops_addr: "127.0.0.1:9184", ask };
    launch(service, RatelimitConfig::read, async |config, context| {
        build(config, &context).await?.serve().await
    })
}

/// A limiter that has its port and answers nothing yet.
pub struct RatelimitService {
    /// Where it listens.
    pub addr: SocketAddr,
    running: Running,
}

/// Takes the port. Redis may be away: the service is ready all the same, and decides as RATE_LIMIT_FAIL_OPEN says.
///
/// # Errors
/// A sentence when the trust bundle or a certificate cannot be read, or the port cannot be had.
pub async fn build(config: RatelimitConfig, context: &Context) -> Result<RatelimitService, StartError> {
    let trust = TrustStore::load(&config.trust_bundle).map_err(|error| {
        StartError::new(format!("TRUST_BUNDLE_FILE {} cannot be used", config.trust_bundle.display()))
            .caused_by(error)
    })?;
    let reloaded = trust.clone();
    keep_fresh(context, "trust-bundle", move || reloaded.reload());
    config.fail_mode.announce(context.app_env);
    let counters = Counters::new(&config.redis, context)?;
    let limiter = Limiter::new(&config, counters);
    let verifier = ServiceVerifier::new(trust.clone(), audience::RATELIMIT);
    let mut edge = GrpcEdge::new(context.name, RatelimitRpc::METHODS.to_vec(), verifier)
        .configured_by("RATELIMIT_GRPC_ADDR")
        .spans_where_exported()
        .add(RatelimitRpc::server(limiter.clone()))
        .reflection(mintmark_wire::DESCRIPTOR_SET);
    if let Some(envoy) = config.envoy {
        edge = answer_envoys(edge, envoy, trust, limiter, context)?;
    }
    let running = edge.bind(config.grpc_addr, context).await?;
    Ok(RatelimitService { addr: running.addr, running })
}

fn answer_envoys(
    edge: GrpcEdge,
    config: EnvoyConfig,
    trust: TrustStore,
    limiter: Limiter,
    context: &Context,
) -> Result<GrpcEdge, StartError> {
    let EnvoyConfig { rules: file, credentials } = config;
    let rules = RuleStore::load(file.clone()).map_err(|error| {
        StartError::new(format!("RATE_LIMIT_ENVOY_FILE {} cannot be used", file.display())).caused_by(error)
    })?;
    let rules = Arc::new(rules);
    let reloaded = Arc::clone(&rules);
    keep_fresh(context, "envoy-rules", move || reloaded.reload());
    let edge = match credentials {
        Some(credentials) => edge.admit(EnvoyRpc::PATH, move |presented| credentials.verify(presented)),
        None => edge,
    };
    // Nobody shows a certificate where connections are in the clear.
    Ok(edge
        .admit_certificates(EnvoyRpc::PATH, move |certificate| trust.envoy(certificate))
        .add(EnvoyRpc::server(EnvoyLimiter::new(limiter, rules))))
}

impl RatelimitService {
    /// Answers until the end is requested; then finishes what is under way.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn serve(self) -> Result<(), StartError> {
        self.running.serve().await
    }
}
