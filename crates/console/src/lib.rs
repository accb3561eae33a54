#![doc = include_str!("../README.md")]

pub mod app;
pub mod config;
pub mod http;

use std::net::SocketAddr;
use std::process::ExitCode;

use mintmark_auth::{ServiceVerifier, TokenSource, TrustStore, audience};
use mintmark_ids::ServiceName;
use mintmark_rpc::Target;
use mintmark_rpc::client::{ControlPlane, Preflight};
use mintmark_service::reload::keep_fresh;
use mintmark_service::{Ask, Context, Launch, Shutdown, StartError, launch};
use mintmark_web::Running;

use crate::app::desk::Desk;
use crate::config::ConsoleConfig;

/// Runs the service until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let service = Launch { name: "console", default_ops_addr: "127.0.0.1:9185", ask };
    launch(service, ConsoleConfig::read, async |config, context| build(config, &context).await?.serve().await)
}

/// A console that has its port and answers nothing yet.
pub struct ConsoleService {
    /// Where it listens.
    pub addr: SocketAddr,
    running: Running,
    shutdown: Shutdown,
}

/// Takes the port. Control plane and gateway may be away: pages say so.
///
/// # Errors
/// A sentence when the trust bundle cannot be read, a URL is none, or the port cannot be had.
pub async fn build(config: ConsoleConfig, context: &Context) -> Result<ConsoleService, StartError> {
    let trust = TrustStore::load(&config.trust_bundle).map_err(|error| {
        StartError::new(format!("TRUST_BUNDLE_FILE {} cannot be used", config.trust_bundle.display()))
            .caused_by(error)
    })?;
    let reloaded = trust.clone();
    keep_fresh(context, "trust-bundle", move || reloaded.reload());
    let keys = config.keys.clone();
    keep_fresh(context, "signing-keys", move || keys.reload_alone());
    let tokens = TokenSource::new(ServiceName::Console, config.keys, &config.issuer);
    let desk = Desk::new(
        ServiceVerifier::new(trust, audience::PREFLIGHT),
        ControlPlane::new(Target::new(&config.control_plane_url, context), tokens)?,
        Preflight::new(Target::new(&config.gateway_url, context))?,
    );
    let running = http::edge(desk, config.secure_cookies).bind(config.http_addr, context).await?;
    Ok(ConsoleService { addr: running.addr, running, shutdown: context.shutdown.clone() })
}

impl ConsoleService {
    /// Answers until the end is requested; then finishes what is under way.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn serve(self) -> Result<(), StartError> {
        self.running.serve(self.shutdown).await
    }
}
