//! Pulling a tenant's sums of scans from the directory, again and again: each pull makes the next one.
//!
//! Rows and cursor move in one fenced transaction. A directory that is away is waited for by the queue's own back-off;
//! a job that is given up all the same is followed by a new one.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_db::{Pool, transaction};
use mintmark_fault::{Chain, Fault, Result};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_jobs::{JobContext, JobFailure};
use mintmark_service::Context;
use mintmark_wire::directory::v1::{PullScansRequest, PullScansResponse};

use super::{JobDeps, PullScans, PullScansPayload, stopped};
use crate::store::scans::pulling::{self, Cursor};

/// Rows of one pull and of one transaction; the directory gives no more.
const ROWS: u32 = 5_000;
/// How long a tenant rests when its pull was given up.
const AFTER_DEATH: TimeDelta = TimeDelta::minutes(5);
/// Between tries to look for tenants without a pull while the database is away.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Runs one claim of the job.
pub(super) async fn run(
    ctx: Arc<JobContext<PullScans>>,
    _payload: PullScansPayload,
    deps: Arc<JobDeps>,
) -> std::result::Result<(), JobFailure> {
    let permit = ctx.permit();
    let mut conn = deps.pool.get().await?;
    let cursor = pulling::cursor(&mut conn, permit).await?;
    drop(conn);
    // Another job has this tenant: a dead letter that was replayed, or a second start.
    let Some(mut cursor) = cursor else { return Ok(()) };
    loop {
        let from = cursor.revision;
        let page = match pull(&ctx, &deps, cursor).await {
            // Once at most: whoever asks from 0 without a mark is not told this.
            Err(JobFailure::Retry(fault)) if fault.code() == "SCANS_RESTARTED" => {
                tracing::warn!(
                    "the directory was restored from a backup: the tenant's scans are pulled again"
                );
                ctx.fenced("scans.start_again", async |conn: &mut AsyncPgConnection| {
                    pulling::start_again(conn, permit, from).await
                })
                .await?;
                cursor = Cursor::default();
                continue;
            }
            page => page?,
        };
        let more = page.more;
        cursor = Cursor { revision: page.next_cursor, mark: page.mark.clone() };
        if more {
            ctx.fenced("scans.apply", async |conn: &mut AsyncPgConnection| {
                pulling::apply(conn, permit, from, &page).await
            })
            .await?;
        } else {
            let next = TimeDelta::from_std(deps.scan_pull).unwrap_or(AFTER_DEATH);
            return Ok(ctx
                .complete("scans.pulled", async |conn: &mut AsyncPgConnection| {
                    pulling::apply(conn, permit, from, &page).await?;
                    pulling::pulled(conn, permit, next).await
                })
                .await?);
        }
    }
}

/// One page. Nothing that the directory says is for ever: a refusal may be a key that it has not loaded yet.
async fn pull(
    ctx: &JobContext<PullScans>,
    deps: &JobDeps,
    cursor: Cursor,
) -> std::result::Result<PullScansResponse, JobFailure> {
    let message = PullScansRequest { cursor: cursor.revision, limit: ROWS, mark: cursor.mark };
    tokio::select! {
        () = ctx.lost().cancelled_owned() => Err(stopped()),
        page = deps.directory.pull_scans(ctx.permit().tenant(), message) => page.map_err(JobFailure::Retry),
    }
}

/// Makes the next job of a tenant whose pull was given up or cancelled.
pub(super) async fn ended(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    actor: Actor,
    _payload: PullScansPayload,
    _reason: Fault,
) -> Result<()> {
    pulling::schedule(conn, &tenant, &actor, AFTER_DEATH).await
}

/// Makes a job for each tenant that has sealed batches and none that lives: batches that were sealed by a program that did
/// not pull yet, or a job that an operator has cancelled. Waits for the database.
pub async fn revive(pool: Pool, context: Context) {
    let ended = context.shutdown.token();
    while let Err(fault) = revive_all(&pool).await {
        tracing::debug!(error = %Chain(&fault), "tenants without a pull of scans are looked for again");
        if ended.run_until_cancelled(tokio::time::sleep(AGAIN_AFTER)).await.is_none() {
            return;
        }
    }
}

async fn revive_all(pool: &Pool) -> Result<()> {
    let actor = Actor::Service(ServiceName::ControlPlane);
    let mut conn = pool.get().await?;
    for tenant in pulling::tenants(&mut conn).await? {
        transaction("scans.revive", &mut conn, async |conn: &mut AsyncPgConnection| {
            pulling::ensure(conn, &tenant, &actor).await
        })
        .await?;
    }
    Ok(())
}
