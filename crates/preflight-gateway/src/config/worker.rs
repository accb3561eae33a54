use std::time::Duration;

use mintmark_db::DbConfig;
use mintmark_objects::IntakeConfig;
use mintmark_service::config::{AppEnv, Reader};

use super::max_file_bytes;
use crate::engine::{EngineConfig, Limits};

/// Configuration of `preflight-gateway worker`.
pub struct WorkerConfig {
    /// The database, as the login `preflight_worker`.
    pub database: DbConfig,
    /// The buckets that files are taken from.
    pub buckets: IntakeConfig,
    /// Largest file that is read.
    pub max_file_bytes: u64,
    /// Jobs worked on at once.
    pub workers: usize,
    /// How long a claim of a job is worth without a heartbeat.
    pub lease: Duration,
    /// The engine, and its limits.
    pub engine: EngineConfig,
}

impl WorkerConfig {
    /// Reads it; problems are kept by the reader.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let database = DbConfig::read(
            reader,
            "PREFLIGHT_WORKER_DATABASE_URL",
            "the gateway's Postgres database, as the login preflight_worker",
        );
        let buckets = IntakeConfig::read(reader, "PREFLIGHT_BUCKETS");
        let max_file_bytes = max_file_bytes(reader);
        let workers = reader.number(
            "PREFLIGHT_WORKERS",
            2,
            1..=64,
            "jobs worked on at once, each with an engine process of its own",
        );
        let lease = reader.seconds(
            "JOB_LEASE_SECS",
            30,
            3..=600,
            "seconds after which another worker takes over a job whose worker is silent",
        );
        let engine = engine(reader, max_file_bytes);
        Some(WorkerConfig {
            database: database?.named("preflight-worker"),
            buckets: buckets?,
            max_file_bytes: max_file_bytes?,
            workers: workers?,
            lease: lease?,
            engine: engine?,
        })
    }
}

fn engine(reader: &mut Reader, input: Option<u64>) -> Option<EngineConfig> {
    let program = reader.optional_path(
        "PREFLIGHT_ENGINE",
        "the program preflight-engine; unset: the one beside this program",
    );
    let memory = reader.number(
        "PREFLIGHT_ENGINE_MEMORY_BYTES",
        1 << 30,
        64 << 20..=64 << 30,
        "address space of one process of the engine, the file included, in bytes",
    );
    let cpu = reader.seconds("PREFLIGHT_ENGINE_CPU_SECS", 30, 1..=600, "processor time for one file");
    let wall =
        reader.seconds("PREFLIGHT_ENGINE_WALL_SECS", 60, 1..=1_800, "time from start to end for one file");
    let output = reader.number(
        "PREFLIGHT_ENGINE_OUTPUT_BYTES",
        64 << 20,
        1 << 20..=512 << 20,
        "the most facts about one file, as JSON in bytes",
    );
    let app_env = reader.app_env();
    Some(EngineConfig {
        program: program?,
        limits: Limits { input: input?, memory: memory?, cpu: cpu?, wall: wall?, output: output? },
        require_full: app_env.is_some_and(AppEnv::is_production),
    })
}
