//! The scan role: public HTTP.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mintmark_service::{Context, Launch, StartError, launch};
use mintmark_web::{Edge, Running};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::cache::CodeCache;
use crate::app::directory_state::DirectoryState;
use crate::app::follow::follow;
use crate::app::metrics::ScanMetrics;
use crate::app::scan::Scanner;
use crate::app::telemetry::Telemetry;
use crate::config::ScanConfig;
use crate::http::{ScanSite, routes};
use crate::store::scan::ScanStore;
use crate::store::scan_event::ScanEventSink;

/// The longest that a scan may take: a look-up and an activation, two seconds each, and some room.
const DEADLINE: Duration = Duration::from_secs(5);

/// Runs `resolver scan` until it is told to end.
pub fn run(check_config: bool) -> ExitCode {
    let role = Launch { name: "resolver-scan", default_ops_addr: "127.0.0.1:9181", check_config };
    launch(role, ScanConfig::read, async |config, context| build(config, &context).await?.serve().await)
}

/// A scan role that has its port and answers nothing yet.
pub struct ScanService {
    /// Where it listens.
    pub addr: SocketAddr,
    running: Running,
    context: Context,
    telemetry: JoinHandle<()>,
    finish_telemetry: CancellationToken,
}

/// Takes the port and starts following the directory. The database may be away: scans then say that nothing can be
/// confirmed, and the role is not ready.
///
/// # Errors
/// A sentence when the port cannot be had.
pub async fn build(config: ScanConfig, context: &Context) -> Result<ScanService, StartError> {
    let state = Arc::new(DirectoryState::default());
    let store = ScanStore::start(&config.database, config.connections, context);
    let sink = ScanEventSink::new(config.database.clone(), context.home.clone());
    let (telemetry, writer) = Telemetry::new(sink);
    let finish_telemetry = CancellationToken::new();
    let telemetry_task = context.spawn("scan-telemetry", writer.run(finish_telemetry.clone()));
    context.spawn("scan-state", follow(state.clone(), store.clone(), config.peppers, context.clone()));
    let metrics = ScanMetrics::new(&state);
    let scanner = Scanner::new(state, CodeCache::new(config.cache_entries), store, telemetry, metrics);
    let running = Edge::new(context.name, routes())
        .data(ScanSite { scanner, trusted_proxies: config.trusted_proxies })
        .deadline(DEADLINE)
        .address_variable("SCAN_HTTP_ADDR")
        .bind(config.http_addr, context)
        .await?;
    Ok(ScanService {
        addr: running.addr,
        running,
        context: context.clone(),
        telemetry: telemetry_task,
        finish_telemetry,
    })
}

impl ScanService {
    /// Answers until the end is requested; then finishes what is under way and writes the telemetry that waits.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn serve(self) -> Result<(), StartError> {
        let outcome = self.running.serve(self.context.shutdown.clone()).await;
        self.finish_telemetry.cancel();
        let written = self.telemetry.await;
        outcome?;
        written.map_err(|error| StartError::new("the task that writes telemetry failed").caused_by(error))
    }
}
