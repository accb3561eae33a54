//! Jobs through the gateway with two workers, against the same engine over the same files, two at a time, without a queue.
//!
//! The ratio is the share of the time that is the engine: what is missing to one is the gateway, the queue, the database and
//! the worker.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::stream::{self, StreamExt, TryStreamExt};
use mintmark_auth::{DEFAULT_ISSUER, SigningKey, TokenSource, audience, scope};
use mintmark_ids::{ServiceName, TenantId};
use reqwest::Client;
use serde_json::json;

use crate::print_files::typical;
use crate::report::{Better, ROUNDS, Report, Round};
use crate::stage::{PREFLIGHT, Role, Stage};
use crate::{Result, block_on, preflight};

const TENANT: &str = "bench";
/// Jobs in a round: each kind of file so often.
const TURNS: usize = 40;
/// Requests under way at once.
const CLIENTS: usize = 8;
const WORKERS: usize = 2;
const LONGEST: Duration = Duration::from_secs(120);

/// Jobs a second, from the first request to the last report.
pub fn queue(report: &mut Report) -> Result {
    block_on(async {
        let mut stage = Stage::open(report).await?;
        stage.open_preflight().await?;
        let bucket = stage.folder().join("bucket/incoming");
        fs::create_dir_all(&bucket)?;
        let buckets = json!({ "prints": {
            "store": format!("file://{}", stage.folder().join("bucket").display()),
            "tenants": { TENANT: ["incoming/"] } } })
        .to_string();
        let variables = [("PREFLIGHT_BUCKETS", buckets.as_str()), ("PREFLIGHT_WORKERS", "1")];
        let base = stage.serve(Role::PreflightGateway, &variables).await?.url();
        for _ in 0..WORKERS {
            stage.serve(Role::PreflightWorker, &variables).await?;
        }
        let key = SigningKey::from_pem(&fs::read_to_string(stage.folder().join("control-plane.pem"))?)?;
        let tokens = TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER);
        let client = Client::builder().no_proxy().build()?;
        let tenant = TenantId::parse(TENANT)?;
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            let names = write_files(&bucket, round)?;
            let paths: Vec<PathBuf> = names.iter().map(|name| bucket.join(name)).collect();
            let bearer =
                tokens.for_tenant(audience::PREFLIGHT, &tenant, &scope::PREFLIGHT).expose().to_owned();
            let ours = through_the_queue(&stage, &client, &base, &bearer, &names).await?;
            let baseline = tokio::task::spawn_blocking(move || bare(&paths)).await??;
            if round > 0 {
                rounds.push(Round { ours, baseline });
            }
        }
        report.note(&format!(
            "{} jobs a round, {WORKERS} workers with one job at a time; the baseline is two engines at a time and nothing else",
            TURNS * typical().len()
        ));
        report.figure("preflight-queue", "jobs/s", Better::More, &rounds)
    })
}

/// Files of which no two are alike: the same content would be read once.
fn write_files(bucket: &Path, round: usize) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (kind, file) in typical().into_iter().enumerate() {
        for turn in 0..TURNS {
            let name = format!("{round}-{kind}-{turn}.pdf");
            let mut bytes = file.bytes.clone();
            bytes.extend_from_slice(format!("% {name}\n").as_bytes());
            fs::write(bucket.join(&name), bytes)?;
            names.push(name);
        }
    }
    Ok(names)
}

async fn through_the_queue(
    stage: &Stage,
    client: &Client,
    base: &str,
    bearer: &str,
    names: &[String],
) -> Result<f64> {
    let sql = stage.sql(PREFLIGHT).await?;
    let ended = "SELECT count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'dead') FROM jobs";
    let before: i64 = sql.query_one(ended, &[]).await?.get(0);
    let started = Instant::now();
    stream::iter(names)
        .map(|name| async move {
            let body = json!({
                "jobId": name.trim_end_matches(".pdf"), "targetFile": format!("s3://prints/incoming/{name}"),
                "policy": preflight::POLICY,
            });
            let url = format!("{base}/api/preflight/jobs");
            let answer = client.post(url).bearer_auth(bearer).json(&body).send().await?;
            if answer.status() == 201 {
                return Ok(());
            }
            Err(crate::Failure::from(format!("{}: {}", answer.status(), answer.text().await?)))
        })
        .buffer_unordered(CLIENTS)
        .try_collect::<Vec<()>>()
        .await?;
    loop {
        let row = sql.query_one(ended, &[]).await?;
        let (done, dead): (i64, i64) = (row.get(0), row.get(1));
        if dead > 0 {
            return Err(format!("{dead} jobs failed").into());
        }
        if usize::try_from(done - before)? >= names.len() {
            return Ok(names.len() as f64 / started.elapsed().as_secs_f64());
        }
        if started.elapsed() > LONGEST {
            return Err(format!("{} of {} jobs ended in {LONGEST:?}", done - before, names.len()).into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Two engines at a time over the files.
fn bare(files: &[PathBuf]) -> Result<f64> {
    let engine = preflight::engine()?;
    let started = Instant::now();
    std::thread::scope(|scope| -> Result {
        let half = files.len().div_ceil(WORKERS);
        let engine = &engine;
        let both: Vec<_> = files
            .chunks(half)
            .map(|files| {
                scope.spawn(move || files.iter().try_for_each(|file| preflight::judged(engine, file)))
            })
            .collect();
        both.into_iter().try_for_each(|one| one.join().map_err(|_| "a thread of the baseline panicked")?)
    })?;
    Ok(files.len() as f64 / started.elapsed().as_secs_f64())
}
