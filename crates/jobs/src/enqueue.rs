//! Asking for a job.

use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use mintmark_auth::Actor;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{JobId, TenantId};
use mintmark_service::telemetry;
use tracing::Instrument;

use crate::{JobKind, store};

/// Enqueues a job on the caller's connection: inside the caller's transaction, so that it exists exactly if the change
/// that asks for it does. Workers are told when that commits. The present trace goes on in the job.
///
/// # Errors
/// 503 when the database is away.
pub async fn enqueue<K: JobKind>(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    actor: &Actor,
    payload: &K::Payload,
) -> Result<JobId> {
    insert::<K>(conn, tenant, actor, payload, None).await
}

/// The same for a job that shall not start before `at`.
///
/// # Errors
/// As [`enqueue`].
pub async fn enqueue_at<K: JobKind>(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    actor: &Actor,
    payload: &K::Payload,
    at: DateTime<Utc>,
) -> Result<JobId> {
    insert::<K>(conn, tenant, actor, payload, Some(at)).await
}

async fn insert<K: JobKind>(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    actor: &Actor,
    payload: &K::Payload,
    at: Option<DateTime<Utc>>,
) -> Result<JobId> {
    let id = JobId::new();
    // What the job's own span, of another process and perhaps of tomorrow, is a child of.
    let span = tracing::info_span!(
        "enqueue",
        otel.name = format!("enqueue {}", K::NAME),
        otel.kind = "producer",
        job.id = %id,
        job.kind = K::NAME,
        tenant.id = %tenant,
    );
    let new = store::NewJob {
        id: id.as_uuid(),
        kind: K::NAME,
        tenant_id: tenant.as_str(),
        actor: actor.to_string(),
        payload: serde_json::to_value(payload).map_err(Fault::internal)?,
        max_attempts: i32::try_from(K::MAX_ATTEMPTS).map_err(Fault::internal)?,
        run_at: at,
        trace_parent: telemetry::trace_parent(&span),
    };
    store::insert(conn, new).instrument(span).await?;
    Ok(id)
}
