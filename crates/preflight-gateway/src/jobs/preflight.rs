//! Reading one file and judging it.
//!
//! A claim may end anywhere: what it leaves behind is a job that runs and, at most, facts that the next claim reuses. Report,
//! facts and the job's end are one fenced transaction. A file that brings the engine down is not tried for ever: what is its
//! own fault ends the job at once, what may be the machine's after [`TRIES`].

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use diesel_async::AsyncPgConnection;
use futures::StreamExt;
use mintmark_auth::Actor;
use mintmark_db::Pool;
use mintmark_fault::{Fault, Kind, Result};
use mintmark_ids::TenantId;
use mintmark_jobs::{JobContext, JobFailure, Worker};
use mintmark_objects::Intake;
use mintmark_preflight_engine::policy::{self, Policy, Report};
use mintmark_preflight_engine::{ENGINE_VERSION, Facts};
use mintmark_service::telemetry;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram};
use ring::digest::{Context as Digest, SHA256};
use tokio::task::spawn_blocking;

use super::{Preflight, PreflightPayload};
use crate::app::job::{self, Job, Verdict};
use crate::app::ruleset;
use crate::engine::{Engine, Failure, Filling, Outcome, SealError, Sealed};
use crate::store::jobs;
use crate::store::results::{self, Facts as Kept};
use crate::store::running::{self, Buried, Success};

/// How often a file is given to an engine that may have ended for another reason than the file.
const TRIES: u32 = 3;

static ENGINE_SECONDS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    telemetry::seconds_histogram("preflight.engine.duration", "Processes of the engine, from start to end.")
});
static FETCH_SECONDS: LazyLock<Histogram<f64>> =
    LazyLock::new(|| telemetry::seconds_histogram("preflight.fetch.duration", "Fetching and hashing files."));
static JOB_SECONDS: LazyLock<Histogram<f64>> = LazyLock::new(|| {
    telemetry::seconds_histogram("preflight.job.duration", "Claims of preflight jobs that ended them.")
});
static ENDED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    telemetry::meter()
        .u64_counter("preflight.jobs.ended")
        .with_description("Preflight jobs by how they ended: a verdict, or the code of a failure")
        .build()
});
static REUSED: LazyLock<Counter<u64>> = LazyLock::new(|| {
    telemetry::meter()
        .u64_counter("preflight.facts.reused")
        .with_description("Jobs whose file an engine of this version had read before")
        .build()
});

/// What the job works with.
pub struct JobDeps {
    /// The gateway's database, with the worker's login.
    pub pool: Pool,
    /// Where files are.
    pub intake: Intake,
    /// Largest file that is read.
    pub max_file_bytes: u64,
    /// What reads them.
    pub engine: Engine,
}

/// Teaches `worker` the one kind of job.
pub fn register(worker: Worker, deps: JobDeps) -> Worker {
    let deps = Arc::new(deps);
    worker
        .handle::<Preflight, _, _>(move |ctx, payload| run(ctx, payload, deps.clone()))
        .on_dead::<Preflight, _>(dead)
        .on_cancelled::<Preflight, _>(cancelled)
}

type Context = JobContext<Preflight>;

/// Why there is nothing to judge.
enum Stop {
    /// Another claim may do better, or an operator must act.
    Job(JobFailure),
    /// The job ends: its file will not get a report. With the file's digest, where it was read.
    Verdict(job::Failure, Option<[u8; 32]>),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        match fault.kind() {
            // What the file, its place or its policy is to blame for.
            Kind::Unprocessable | Kind::InvalidInput | Kind::NotFound => {
                Stop::Verdict(explained(&fault), None)
            }
            _ => Stop::Job(fault.into()),
        }
    }
}

fn explained(fault: &Fault) -> job::Failure {
    job::Failure { code: fault.code().to_owned(), message: fault.message().to_owned() }
}

/// Runs one claim of the job.
async fn run(
    ctx: Arc<Context>,
    payload: PreflightPayload,
    deps: Arc<JobDeps>,
) -> std::result::Result<(), JobFailure> {
    let (begun, id) = (Instant::now(), payload.id);
    let permit = ctx.permit();
    let started = ctx
        .fenced("preflight.start", async |conn: &mut AsyncPgConnection| {
            running::start(conn, permit, id).await
        })
        .await;
    let job = match started {
        Ok(job) => job,
        // It ended before: there is nothing left to do.
        Err(fault) if fault.kind() == Kind::NotFound => return Ok(()),
        Err(fault) => return Err(fault.into()),
    };
    let how = match judged(&ctx, &job, &deps).await {
        Ok(judged) => succeed(&ctx, &job, &judged).await?,
        Err(Stop::Verdict(failure, content)) => {
            let (content, failure) = (content.as_ref(), &failure);
            ctx.complete("preflight.fail", async |conn: &mut AsyncPgConnection| {
                running::fail(conn, permit, id, content, failure).await
            })
            .await?;
            tracing::info!(preflight.id = %id, code = failure.code, "the file gets no report");
            failure.code.clone()
        }
        Err(Stop::Job(failure)) => return Err(failure),
    };
    ENDED.add(1, &[KeyValue::new("outcome", how)]);
    JOB_SECONDS.record(begun.elapsed().as_secs_f64(), &[]);
    Ok(())
}

/// A file that was read and judged.
struct Judged {
    content: [u8; 32],
    verdict: Verdict,
    report: String,
    /// Facts that nobody had found before.
    fresh: Option<Kept>,
}

async fn succeed(ctx: &Context, job: &Job, judged: &Judged) -> Result<String> {
    let (permit, id) = (ctx.permit(), job.id);
    ctx.complete("preflight.succeed", async |conn: &mut AsyncPgConnection| {
        if let Some(fresh) = &judged.fresh {
            results::keep(conn, &judged.content, ENGINE_VERSION, fresh).await?;
        }
        let success = Success {
            content: &judged.content,
            engine: ENGINE_VERSION,
            verdict: judged.verdict,
            report: &judged.report,
        };
        running::succeed(conn, permit, id, &success).await
    })
    .await?;
    Ok(judged.verdict.as_str().to_owned())
}

/// Reads the file and judges it.
async fn judged(ctx: &Context, job: &Job, deps: &JobDeps) -> std::result::Result<Judged, Stop> {
    // Before the file: a policy that is gone makes the rest useless.
    let policy = policy_of(ctx, job, deps).await?;
    let (file, content) = fetch(ctx, job, deps).await?;
    let known = results::known(&mut *deps.pool.get().await?, &content, ENGINE_VERSION).await?;
    let (facts, json) = match known {
        Some(known) => {
            REUSED.add(1, &[]);
            let facts = blocking(move || {
                let json = known.json()?;
                serde_json::from_slice::<Facts>(&json).map_err(Fault::internal)
            });
            (facts.await?, None)
        }
        None => {
            let (facts, json) = read(ctx, deps, &file, content).await?;
            (facts, Some(json))
        }
    };
    drop(file);
    let intent = job.intent.clone().unwrap_or_default().for_engine();
    let judged = blocking(move || {
        let report = policy::evaluate(&policy, &facts, &intent);
        let fresh = json.map(|json| Kept::of(json.as_bytes())).transpose()?;
        let written = serde_json::to_string(&report).map_err(Fault::internal)?;
        Ok(Judged { content, verdict: verdict(&report), report: written, fresh })
    });
    Ok(judged.await?)
}

/// The policy in the version that the job was accepted with.
async fn policy_of(ctx: &Context, job: &Job, deps: &JobDeps) -> Result<Policy> {
    if let Some(ours) = ruleset::find(&job.policy) {
        if ours.version.to_string() == job.policy_version {
            return Ok(ours.clone());
        }
        let sentence = format!(
            "the job was accepted under version {} of the policy {}, and this engine has version {}: create the job anew",
            job.policy_version, job.policy, ours.version
        );
        return Err(Fault::new(Kind::Unprocessable, "POLICY_OUTDATED", sentence));
    }
    let version = job.policy_version.parse().map_err(Fault::internal)?;
    let mut conn = deps.pool.get().await?;
    let document = running::policy(&mut conn, ctx.permit(), &job.policy, version).await?;
    ruleset::kept(&document)
}

/// The very version of the file that was accepted, sealed in memory, with its digest.
async fn fetch(ctx: &Context, job: &Job, deps: &JobDeps) -> std::result::Result<(Sealed, [u8; 32]), Stop> {
    let begun = Instant::now();
    let tenant = ctx.permit().tenant().as_str();
    let mut content = deps.intake.fetch(tenant, &job.target, &job.pin).await?;
    let mut filling = Filling::new(deps.max_file_bytes).map_err(unsealed)?;
    let mut digest = Digest::new(&SHA256);
    while let Some(piece) = content.next().await {
        let piece = piece?;
        digest.update(&piece);
        filling.push(&piece).map_err(unsealed)?;
    }
    let sealed = filling.seal().map_err(unsealed)?;
    let mut content = [0; 32];
    content.copy_from_slice(digest.finish().as_ref());
    FETCH_SECONDS.record(begun.elapsed().as_secs_f64(), &[]);
    Ok((sealed, content))
}

fn unsealed(error: SealError) -> Stop {
    match error {
        SealError::TooLong(most) => {
            let message = format!("the file has more than {most} bytes, which is all that is preflighted");
            Stop::Verdict(job::Failure { code: "TARGET_TOO_LARGE".to_owned(), message }, None)
        }
        SealError::Io(error) => {
            let sentence = "this machine has no memory for the file now; the job is tried again";
            Stop::Job(Fault::unavailable("WORKER_OUT_OF_MEMORY", sentence).caused_by(error).into())
        }
    }
}

/// Has a fresh engine read the file.
async fn read(
    ctx: &Context,
    deps: &JobDeps,
    file: &Sealed,
    content: [u8; 32],
) -> std::result::Result<(Facts, String), Stop> {
    let begun = Instant::now();
    let outcome = deps.engine.facts(file).await;
    ENGINE_SECONDS.record(begun.elapsed().as_secs_f64(), &[]);
    match outcome {
        Outcome::Facts(reading) if reading.engine == ENGINE_VERSION => Ok((reading.facts, reading.json)),
        Outcome::Facts(reading) => {
            let odd = format!("the engine is of version {}, this worker of {ENGINE_VERSION}", reading.engine);
            Err(Stop::Job(Fault::internal(odd).into()))
        }
        Outcome::Failed(failure) => Err(failed(ctx, failure, content)),
    }
}

/// What a failure of the engine means: the file's verdict, or another try.
fn failed(ctx: &Context, failure: Failure, content: [u8; 32]) -> Stop {
    if let Failure::Crashed { how, said } = &failure {
        tracing::error!(how, said, content.sha256 = job::hex(&content), "the engine broke down over a file");
    }
    // The machine's: an operator mends it, and meanwhile no file is to blame.
    let of_machine = matches!(failure, Failure::Open(_) | Failure::NotStarted(_));
    if of_machine || (failure.may_pass() && ctx.permit().attempt() < TRIES) {
        return Stop::Job(Fault::unavailable(failure.code(), failure.to_string()).into());
    }
    let explained = job::Failure { code: failure.code().to_owned(), message: failure.to_string() };
    Stop::Verdict(explained, Some(content))
}

fn verdict(report: &Report) -> Verdict {
    match report.verdict {
        policy::Verdict::Pass => Verdict::Pass,
        policy::Verdict::PassWithWarnings => Verdict::PassWithWarnings,
        policy::Verdict::Fail => Verdict::Fail,
        policy::Verdict::Incomplete => Verdict::Incomplete,
    }
}

/// Work that takes a thread for a while.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(Fault::internal)?
}

/// The queue gave the job up: so do we, and say why.
async fn dead(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    _actor: Actor,
    payload: PreflightPayload,
    reason: Fault,
) -> Result<()> {
    let failure = match reason.code() {
        "INTERNAL" => job::Failure {
            code: "WORKER_FAILED".to_owned(),
            message: "it failed in each attempt, for a reason that stands in the worker's log".to_owned(),
        },
        _ => explained(&reason),
    };
    ENDED.add(1, &[KeyValue::new("outcome", failure.code.clone())]);
    running::fail(conn, &Buried(tenant), payload.id, None, &failure).await
}

/// The job was cancelled while a worker had it.
async fn cancelled(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    _actor: Actor,
    payload: PreflightPayload,
    _reason: Fault,
) -> Result<()> {
    ENDED.add(1, &[KeyValue::new("outcome", "cancelled")]);
    jobs::cancel(conn, &Buried(tenant), payload.id).await
}
