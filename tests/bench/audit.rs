//! Entries that 64 clients append, each in a transaction of its own, and that the sequencer takes into the log meanwhile,
//! against pgbench with 64 clients that insert the same two rows with nothing consuming them.
//!
//! Each side has a table of its own that grows alike. Ours counts what is in the log, from the first entry until the last is in
//! it; beside it runs a clock that asks how long an entry waits for a signed checkpoint outside.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel_async::AsyncPgConnection;
use mintmark_audit::{AuditEvent, record};
use mintmark_auth::Actor;
use mintmark_db::{DbConfig, Pool, transaction};
use mintmark_ids::{BatchId, ProductId, TenantId, UserId};
use serde_json::json;
use tokio::runtime::Handle;
use tokio_postgres::Client;

use crate::pgbench::Pgbench;
use crate::report::{Better, ROUNDS, Report, Round};
use crate::stage::{CONTROL, Role, Stage};
use crate::{Result, block_on};

const SCRIPT: &str = include_str!("audit.sql");
const CLIENTS: usize = 64;
/// Of each run.
const SECONDS: u32 = 8;
/// What an entry may wait for its checkpoint.
const WITHIN_SECS: f64 = 1.0;
/// How often the clock looks.
const LOOK: Duration = Duration::from_millis(20);
/// The baseline's database: as the control plane's, without a sequencer.
const BASELINE: &str = "mintmark_audit_baseline";

/// Entries a second, and how long one waits for its signature at most.
pub fn audit(report: &mut Report) -> Result {
    block_on(async {
        let mut stage = Stage::open(report).await?;
        stage.copy_control(BASELINE).await?;
        let grant =
            "CREATE SEQUENCE baseline_id CACHE 64; GRANT USAGE ON SEQUENCE baseline_id TO control_app";
        stage.sql(BASELINE).await?.batch_execute(grant).await?;
        let places = (stage.socket_dir(), stage.folder());
        let pgbench = Arc::new(Pgbench::of(SCRIPT, "audit.sql", places, "control_app", BASELINE)?);
        stage.serve(Role::ControlSequencer, &[]).await?;
        let sql = stage.sql(CONTROL).await?;
        let mut database = DbConfig::new(stage.postgres_url("control_app", CONTROL));
        database.max_connections = CLIENTS;
        let pool = Pool::new(&database, &Handle::current())?;
        let outside = stage.folder().join("audit/checkpoints");
        let (mut rounds, mut waits) = (Vec::new(), Vec::new());
        // One that nobody counts, so that both find their connections and plans ready.
        for round in 0..=ROUNDS {
            let (ours, wait) = appended_and_sequenced(&pool, &sql, &outside).await?;
            let run = Arc::clone(&pgbench);
            let baseline = tokio::task::spawn_blocking(move || run.run(SECONDS)).await??.per_second;
            if round > 0 {
                rounds.push(Round { ours, baseline });
                waits.push(Round { ours: wait, baseline: WITHIN_SECS });
            }
        }
        let leaves: i64 = sql.query_one("SELECT count(*) FROM audit_leaf", &[]).await?.get(0);
        report.note(&format!("{leaves} leaves at the end; each run {SECONDS} s with {CLIENTS} clients"));
        report.figure("audit", "entries/s", Better::More, &rounds)?;
        report.figure("audit-checkpoint", "s, longest wait", Better::Less, &waits)
    })
}

async fn appended_and_sequenced(pool: &Pool, sql: &Client, outside: &Path) -> Result<(f64, f64)> {
    let head = "SELECT size FROM audit_head";
    let before: i64 = sql.query_one(head, &[]).await?.get(0);
    let (committed, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let (started, until) = (Instant::now(), Duration::from_secs(SECONDS.into()));
    let clock = tokio::spawn(longest_wait(
        outside.to_owned(),
        u64::try_from(before)?,
        Arc::clone(&committed),
        Arc::clone(&ended),
    ));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (pool, committed) = (pool.clone(), Arc::clone(&committed));
            tokio::spawn(async move {
                let mut conn = pool.get().await?;
                let (tenant, actor) = (TenantId::parse("bench")?, Actor::User(UserId::new()));
                while started.elapsed() < until {
                    append(&mut conn, &tenant, &actor).await?;
                    committed.fetch_add(1, Ordering::Relaxed);
                }
                Result::Ok(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    let made = i64::try_from(committed.load(Ordering::Relaxed))?;
    loop {
        let size: i64 = sql.query_one(head, &[]).await?.get(0);
        if size - before >= made {
            break;
        }
        if started.elapsed() > until * 4 {
            return Err("the sequencer does not come to an end".into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let rate = made as f64 / started.elapsed().as_secs_f64();
    ended.store(true, Ordering::Relaxed);
    Ok((rate, clock.await??.as_secs_f64()))
}

async fn append(conn: &mut AsyncPgConnection, tenant: &TenantId, actor: &Actor) -> Result {
    let detail = json!({ "units": 3, "product": ProductId::new().to_string() });
    let act = AuditEvent::allowed(Some(tenant), actor, "BENCH_ACT", ("batch", BatchId::new()), detail);
    transaction("bench", conn, async |conn: &mut AsyncPgConnection| {
        record(conn, &act).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// Notes how many entries are committed, and how long it takes until a checkpoint outside covers so many.
async fn longest_wait(
    outside: std::path::PathBuf,
    before: u64,
    committed: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
) -> Result<Duration> {
    let mut noted: std::collections::VecDeque<(u64, Instant)> = std::collections::VecDeque::new();
    let mut longest = Duration::ZERO;
    loop {
        let over = ended.load(Ordering::Relaxed);
        let count = before + committed.load(Ordering::Relaxed);
        if noted.back().is_none_or(|(last, _)| *last < count) && count > before {
            noted.push_back((count, Instant::now()));
        }
        let folder = outside.clone();
        let signed = tokio::task::spawn_blocking(move || newest(&folder)).await??;
        while let Some((count, at)) = noted.front()
            && *count <= signed
        {
            longest = longest.max(at.elapsed());
            noted.pop_front();
        }
        if over && noted.is_empty() {
            return Ok(longest);
        }
        if noted.front().is_some_and(|(_, at)| at.elapsed() > Duration::from_secs(30)) {
            return Err("no checkpoint came for 30 seconds".into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The size in the name of the newest checkpoint.
fn newest(outside: &Path) -> Result<u64> {
    let mut newest = 0;
    for file in std::fs::read_dir(outside)? {
        let name = file?.file_name();
        let size = name.to_string_lossy().split_once('-').and_then(|(_, size)| size.parse().ok());
        newest = newest.max(size.unwrap_or(0));
    }
    Ok(newest)
}
