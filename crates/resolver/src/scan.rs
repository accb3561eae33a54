//! The scan role: public HTTP.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use mintmark_service::reload::keep_fresh;
use mintmark_service::{Ask, Context, Launch, StartError, launch};
use mintmark_web::{Edge, Running};

use crate::app::bots::Bots;
use crate::app::cache::CodeCache;
use crate::app::directory_state::DirectoryState;
use crate::app::follow::follow;
use crate::app::geo::Geo;
use crate::app::look::Images;
use crate::app::metrics::ScanMetrics;
use crate::app::scan::Scanner;
use crate::app::telemetry::{Telemetry, TelemetryTasks};
use crate::config::ScanConfig;
use crate::http::{ScanSite, elsewhere, private_headers, routes};
use crate::store::scan::ScanStore;

/// The longest that a scan may take: a look-up and an activation, two seconds each, and some room.
const DEADLINE: Duration = Duration::from_secs(5);

/// Runs `resolver scan` until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let role = Launch { name: "resolver-scan", default_ops_addr: "127.0.0.1:9181", ask };
    launch(role, ScanConfig::read, async |config, context| build(config, &context).await?.serve().await)
}

/// A scan role that has its port and answers nothing yet.
pub struct ScanService {
    /// Where it listens.
    pub addr: SocketAddr,
    running: Running,
    context: Context,
    telemetry: TelemetryTasks,
}

/// Takes the port and starts following the directory. The database may be away: scans then say that nothing can be
/// confirmed, and the role is not ready.
///
/// # Errors
/// A sentence when the port cannot be had.
pub async fn build(config: ScanConfig, context: &Context) -> Result<ScanService, StartError> {
    context.health.expect(&["http"]);
    let state = Arc::new(DirectoryState::default());
    let store = ScanStore::start(&config.database, config.connections, context);
    let (telemetry, telemetry_tasks) = Telemetry::start(&config.database, config.spool.as_ref(), context)?;
    let bots = bots(config.bot_list.as_deref(), context)?;
    let geo = geo(config.geo_file.as_deref(), context)?;
    context.spawn("scan-state", follow(state.clone(), store.clone(), config.peppers, context.clone()));
    let metrics = ScanMetrics::new(&state);
    let images = Images::new(state.clone(), store.clone());
    let scanner = Scanner::new(state, CodeCache::new(config.cache_entries), store, telemetry, metrics);
    let edge = private_headers()
        .into_iter()
        .fold(Edge::new(context.name, routes()), |edge, (name, value)| edge.header(name, value));
    let running = edge
        .not_found(elsewhere)
        .data(ScanSite { scanner, images, bots, geo, trusted_proxies: config.trusted_proxies })
        .deadline(DEADLINE)
        .spans_where_followed()
        .address_variable("SCAN_HTTP_ADDR")
        .bind(config.http_addr, context)
        .await?;
    Ok(ScanService { addr: running.addr, running, context: context.clone(), telemetry: telemetry_tasks })
}

impl ScanService {
    /// Answers until the end is requested; then finishes what is under way and writes the telemetry that waits.
    ///
    /// # Errors
    /// When the server itself fails.
    pub async fn serve(self) -> Result<(), StartError> {
        let outcome = self.running.serve(self.context.shutdown.clone()).await;
        let written = self.telemetry.finish().await;
        outcome?;
        written
    }
}

/// The operator's list, or the one that is compiled in.
fn bots(file: Option<&Path>, context: &Context) -> Result<Bots, StartError> {
    let Some(file) = file else { return Ok(Bots::compiled_in()) };
    let bots = Bots::file(file)
        .map_err(|error| StartError::new("SCAN_BOT_LIST_FILE cannot be used").caused_by(error))?;
    let reloaded = bots.clone();
    keep_fresh(context, "bot-list", move || reloaded.reload());
    Ok(bots)
}

/// The operator's file, or the table that is compiled in.
fn geo(file: Option<&Path>, context: &Context) -> Result<Geo, StartError> {
    match file {
        None => Geo::embedded().map_err(|error| StartError::new("countries cannot be told").caused_by(error)),
        Some(file) => Geo::file(file, context)
            .map_err(|error| StartError::new("SCAN_GEO_FILE cannot be used").caused_by(error)),
    }
}
