//! The directory role: gRPC, inside.

use std::net::SocketAddr;
use std::process::ExitCode;

use mintmark_auth::{ServiceVerifier, TrustStore, audience};
use mintmark_db::{Pool, RawPool};
use mintmark_rpc::{GrpcEdge, Running};
use mintmark_service::reload::keep_fresh;
use mintmark_service::{Ask, Context, Launch, StartError, launch};

use crate::app::directory::Directory;
use crate::app::metrics::PublishMetrics;
use crate::app::retention::keep_days;
use crate::app::summaries::keep_summing;
use crate::config::DirectoryConfig;
use crate::grpc::DirectoryRpc;

/// Runs `resolver directory` until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let role = Launch { name: "resolver-directory", default_ops_addr: "127.0.0.1:9186", ask };
    launch(role, DirectoryConfig::read, async |config, context| build(config, &context).await?.serve().await)
}

/// A directory role that has its port and answers nothing yet.
pub struct DirectoryService {
    /// Where it listens.
    pub addr: SocketAddr,
    running: Running,
}

/// Takes the port. The database may be away: calls are then refused for now, and the role is not ready.
///
/// # Errors
/// A sentence when the trust bundle cannot be read or the port cannot be had.
pub async fn build(config: DirectoryConfig, context: &Context) -> Result<DirectoryService, StartError> {
    context.health.expect(&["grpc"]);
    let trust = TrustStore::load(&config.trust_bundle).map_err(|error| {
        StartError::new(format!("TRUST_BUNDLE_FILE {} cannot be used", config.trust_bundle.display()))
            .caused_by(error)
    })?;
    let reloaded = trust.clone();
    keep_fresh(context, "trust-bundle", move || reloaded.reload());
    let directory = Directory {
        pool: Pool::new(&config.database, &context.home)?,
        raw: RawPool::new(&config.database, &context.home)?,
        peppers: config.peppers,
        metrics: PublishMetrics::new(),
    };
    let gate = context.health.gate("postgres");
    context.spawn("directory-database", directory.pool.clone().watch(gate, context.shutdown.clone()));
    context.spawn("scan-sums", keep_summing(directory.pool.clone(), context.clone()));
    let days = keep_days(directory.raw.clone(), config.scan_retention_days, context.clone());
    context.spawn("scan-retention", days);
    let verifier = ServiceVerifier::new(trust, audience::RESOLVER);
    let running = GrpcEdge::new(context.name, DirectoryRpc::METHODS.to_vec(), verifier)
        .configured_by("DIRECTORY_GRPC_ADDR")
        .add(DirectoryRpc::server(directory, context.shutdown.clone()))
        .reflection(mintmark_wire::DESCRIPTOR_SET)
        .bind(config.grpc_addr, context)
        .await?;
    Ok(DirectoryService { addr: running.addr, running })
}

impl DirectoryService {
    /// Answers until the end is requested; then finishes what is under way.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn serve(self) -> Result<(), StartError> {
        self.running.serve().await
    }
}
