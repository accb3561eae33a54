//! Making the parts of an export, one after the other.
//!
//! A part exists once its row does, and the row is written after its object is complete. A claim that takes over starts
//! at the first part without a row and writes the very same bytes that a lost worker may be writing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{TimeDelta, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_fault::Fault;
use mintmark_ids::{ExportId, TenantId};
use mintmark_jobs::{JobContext, JobFailure, enqueue, enqueue_at};
use mintmark_objects::fault_of_io;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::{ExpireExport, ExpireExportPayload, ExportPack, ExportPackPayload, JobDeps, explain, stopped};
use crate::app::exports::{index_path, part_path};
use crate::app::pack::{self, Gauge, IndexedPart, PackError, PackSource, PartRange};
use crate::store::exports::{self, ExportToMake, StoredIndex, StoredPart};
use crate::store::minting::EndedClaim;

/// How often the progress of a part is written down.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// How long the parts of a failed export stay, so that an operator's replay need not make them again.
const FAILED_STAYS: TimeDelta = TimeDelta::days(1);

type Context = JobContext<ExportPack>;

/// Runs one claim of the job.
pub(super) async fn run(
    ctx: Arc<Context>,
    payload: ExportPackPayload,
    deps: Arc<JobDeps>,
) -> Result<(), JobFailure> {
    let (permit, id) = (ctx.permit(), payload.export_id);
    let export = ctx
        .fenced("export.start", async |conn: &mut AsyncPgConnection| exports::start(conn, permit, id).await)
        .await?;
    let ranges = PartRange::cut(export.first_serial, export.units, export.part_units);
    let units = export.units;
    let mut parts: Vec<IndexedPart> = export.finished.iter().map(|stored| stored.part.clone()).collect();
    let source = Arc::new(source(&deps, permit.tenant(), export, ranges.len())?);
    for range in ranges {
        if parts.iter().any(|part| part.range == range) {
            continue;
        }
        let before = parts.iter().map(|part| part.range.units).sum();
        let object_path = part_path(permit.tenant(), id, &range);
        let part = make(&ctx, &deps, &source, range, &object_path, Progress { id, before, units }).await?;
        let stored = StoredPart { part: part.clone(), object_path };
        ctx.fenced("export.part", async |conn: &mut AsyncPgConnection| {
            exports::put_part(conn, permit, id, &stored).await
        })
        .await?;
        parts.push(part);
    }
    parts.sort_by_key(|part| part.range.part);
    finish(&ctx, &deps, id, &source, &parts).await
}

struct StopOnDrop(Arc<Gauge>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Where a part stands in the whole.
#[derive(Clone, Copy)]
struct Progress {
    id: ExportId,
    before: u64,
    units: u64,
}

/// Makes one part and stores it.
async fn make(
    ctx: &Context,
    deps: &JobDeps,
    source: &Arc<PackSource>,
    range: PartRange,
    object_path: &str,
    progress: Progress,
) -> Result<IndexedPart, JobFailure> {
    let gauge = Arc::new(Gauge::default());
    // The blocking thread outlives a handler that is dropped, and must not go on for nobody.
    let _stop = StopOnDrop(gauge.clone());
    let writer = deps.store.writer(object_path)?;
    let mut making = spawn_blocking({
        let (source, gauge) = (source.clone(), gauge.clone());
        move || -> Result<_, JobFailure> {
            let writer = pack::write_part(&source, &range, &gauge, writer).map_err(pack_failure)?;
            Ok(writer.finish()?)
        }
    });
    let lost = ctx.lost();
    let mut tick = interval(PROGRESS_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = 0;
    let made = loop {
        tokio::select! {
            made = &mut making => break made,
            () = lost.cancelled(), if !gauge.stopped() => gauge.stop(),
            _ = tick.tick() => {
                // The heartbeat would say so too, some seconds later.
                if is_cancelled(ctx, deps, progress.id).await {
                    gauge.stop();
                }
                let done = gauge.done();
                if done > told {
                    told = done;
                    // A lease that is lost shows in `lost`; there is nothing else to do about a failure here.
                    let _ = ctx.progress(progress.before + done, progress.units).await;
                }
            }
        }
    };
    let written = made.map_err(Fault::internal)??;
    ctx.progress(progress.before + range.units, progress.units).await?;
    Ok(IndexedPart { range, bytes: written.bytes, sha256: written.sha256 })
}

/// Whether the export was cancelled; a database that is away does not say so.
async fn is_cancelled(ctx: &Context, deps: &JobDeps, id: ExportId) -> bool {
    let Ok(mut conn) = deps.pool.get().await else { return false };
    exports::is_cancelled(&mut conn, ctx.permit(), id).await.unwrap_or(false)
}

/// Writes the index, and marks the export ready together with the job that will delete it.
async fn finish(
    ctx: &Context,
    deps: &JobDeps,
    id: ExportId,
    source: &PackSource,
    parts: &[IndexedPart],
) -> Result<(), JobFailure> {
    let permit = ctx.permit();
    let object_path = index_path(permit.tenant(), id);
    let json = pack::write_index(source, parts).map_err(pack_failure)?;
    let index = StoredIndex { object_path, bytes: json.len() as u64, sha256: pack::sha256(&json) };
    deps.store.put(&index.object_path, Bytes::from(json)).await?;
    let expires_at = Utc::now() + retention(deps);
    ctx.complete("export.ready", async |conn: &mut AsyncPgConnection| {
        exports::ready(conn, permit, id, &index, expires_at).await?;
        let payload = ExpireExportPayload { export_id: id };
        enqueue_at::<ExpireExport>(conn, permit.tenant(), permit.actor(), &payload, expires_at).await?;
        Ok(())
    })
    .await?;
    Ok(())
}

/// Deletes what the worker of a cancelled export may have finished after the request to cancel had deleted the rest.
pub(super) async fn cancelled(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    actor: Actor,
    payload: ExportPackPayload,
    reason: Fault,
) -> mintmark_fault::Result<()> {
    let claim = EndedClaim { tenant: &tenant, actor: &actor };
    if !exports::is_cancelled(conn, &claim, payload.export_id).await? {
        // The job alone was cancelled, by an operator.
        return dead(conn, tenant, actor, payload, reason).await;
    }
    let expire = ExpireExportPayload { export_id: payload.export_id };
    enqueue::<ExpireExport>(conn, &tenant, &actor, &expire).await?;
    Ok(())
}

/// Writes down why an export was not made. Its parts stay a while for a replay.
pub(super) async fn dead(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    actor: Actor,
    payload: ExportPackPayload,
    reason: Fault,
) -> mintmark_fault::Result<()> {
    let claim = EndedClaim { tenant: &tenant, actor: &actor };
    exports::fail(conn, &claim, payload.export_id, reason.code(), explain(&reason)).await?;
    let expire = ExpireExportPayload { export_id: payload.export_id };
    enqueue_at::<ExpireExport>(conn, &tenant, &actor, &expire, Utc::now() + FAILED_STAYS).await?;
    Ok(())
}

fn source(
    deps: &JobDeps,
    tenant: &TenantId,
    export: ExportToMake,
    parts: usize,
) -> Result<PackSource, JobFailure> {
    let secret = deps.code_master_key.unwrap(&export.wrapped_secret, tenant, export.batch_id).map_err(|error| {
        JobFailure::Fatal(
            Fault::conflict(
                "SECRET_UNREADABLE",
                "the batch's secret cannot be unwrapped with the present CODE_MASTER_KEY; restore the key that the batch was made with",
            )
            .caused_by(error),
        )
    })?;
    Ok(PackSource {
        batch_id: export.batch_id,
        product_id: export.product_id,
        product_name: export.product_name,
        gtin: export.gtin,
        base: deps.base.clone(),
        partition: export.partition,
        secret,
        formats: export.formats,
        parts: u32::try_from(parts).unwrap_or(u32::MAX),
    })
}

fn retention(deps: &JobDeps) -> TimeDelta {
    TimeDelta::from_std(deps.retention).unwrap_or(TimeDelta::MAX)
}

/// A symbol that cannot be drawn will not be drawn the next time either; whatever ails the store may pass.
fn pack_failure(error: PackError) -> JobFailure {
    match error {
        PackError::Stopped => stopped(),
        PackError::Symbol(_) => {
            JobFailure::Fatal(Fault::conflict("SYMBOL_TOO_LARGE", error.to_string()).caused_by(error))
        }
        PackError::Label => JobFailure::Fatal(Fault::conflict("SYMBOL_TOO_LARGE", error.to_string())),
        // The object writer's errors carry the fault that says what is wrong with the store.
        PackError::Io(error) => fault_of_io(error).into(),
        PackError::Zip(_) | PackError::Csv(_) | PackError::Json(_) | PackError::Drawing => {
            JobFailure::Retry(Fault::internal(error))
        }
    }
}
