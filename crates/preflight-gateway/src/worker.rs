//! The worker role: it runs the engine.

use std::process::ExitCode;

use mintmark_db::Pool;
use mintmark_jobs::{Worker, WorkerConfig as QueueConfig};
use mintmark_objects::Intake;
use mintmark_service::telemetry;
use mintmark_service::{Ask, Context, Launch, StartError, launch};
use opentelemetry::KeyValue;

use crate::config::WorkerConfig;
use crate::engine::Engine;
use crate::jobs::{JobDeps, register};

/// Runs `preflight-gateway worker` until it is told to end.
pub fn run(ask: Ask) -> ExitCode {
    let role = Launch { name: "preflight-worker", default_ops_addr: "127.0.0.1:9187", ask };
    launch(role, WorkerConfig::read, async |config, context| build(config, &context).await?.serve().await)
}

/// A worker that has its engine, and no job yet.
pub struct WorkerService {
    worker: Worker,
    context: Context,
}

/// Finds the engine and looks how far it shuts itself in. The database may be away.
///
/// # Errors
/// A sentence when the engine is not there or does not answer; in production also when a layer of its confinement is missing.
pub async fn build(config: WorkerConfig, context: &Context) -> Result<WorkerService, StartError> {
    let engine = Engine::new(config.engine)
        .map_err(|error| StartError::new("there is no engine to run").caused_by(error))?;
    confined(&engine, context).await?;
    let pool = Pool::new(&config.database, &context.home)?;
    let gate = context.health.gate("postgres");
    context.spawn("preflight-database", pool.clone().watch(gate, context.shutdown.clone()));
    let deps = JobDeps {
        pool: pool.clone(),
        intake: Intake::open(&config.buckets)?,
        max_file_bytes: config.max_file_bytes,
        engine,
    };
    let queue = QueueConfig { concurrency: config.workers, lease: config.lease, ..QueueConfig::default() };
    let worker = Worker::new(pool, config.database, queue).ends_within(context.shutdown_grace);
    Ok(WorkerService { worker: register(worker, deps), context: context.clone() })
}

/// Tells health, metrics and log how far the engine shuts itself in; in production all the way or not at all.
async fn confined(engine: &Engine, context: &Context) -> Result<(), StartError> {
    let reached = engine
        .probe()
        .await
        .map_err(|error| StartError::new("the engine cannot be used").caused_by(error))?;
    let gauge = telemetry::meter()
        .u64_gauge("preflight.sandbox.layer")
        .with_description("1 for each layer of the engine's confinement that stands on this machine")
        .build();
    for layer in &reached.layers {
        gauge.record(layer.on.into(), &[KeyValue::new("layer", layer.name.clone())]);
    }
    let level = reached.to_string();
    context.health.note("sandbox", &level);
    if reached.full {
        tracing::info!(sandbox = level, engine = %engine.program().display(), "the engine shuts itself in wholly");
        return Ok(());
    }
    if context.app_env.is_production() {
        return Err(StartError::new(format!(
            "the engine's confinement is {level}: run it on a kernel with all its layers (landlock and seccomp); only \
             APP_ENV=development or test goes without"
        )));
    }
    tracing::warn!(sandbox = level, "the engine does not shut itself in wholly on this machine");
    Ok(())
}

impl WorkerService {
    /// Works until the end is requested, then drains.
    ///
    /// # Errors
    /// When the queue cannot go on.
    pub async fn serve(self) -> Result<(), StartError> {
        let WorkerService { worker, context } = self;
        let gate = context.health.gate("engine");
        gate.set(true);
        worker.run(context.shutdown.clone(), context.home.clone()).await.map_err(StartError::from)
    }
}
