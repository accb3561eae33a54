//! What repairs changed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use serde_json::Value;
use uuid::Uuid;

use super::Mandate;
use super::schema::preflight_telemetry as telemetry;

/// A stored event.
#[derive(Clone, Debug, Queryable)]
pub struct Stored {
    /// Its name within the job.
    pub event_id: String,
    /// What it says.
    pub event: Value,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// The events of a job of the tenant's, in their order; the job is held or cannot have more than `limit`.
pub async fn list(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: Uuid,
    limit: i64,
) -> Result<Vec<Stored>> {
    telemetry::table
        .filter(telemetry::id.eq(id))
        .filter(telemetry::tenant_id.eq(mandate.tenant().as_str()))
        .order((telemetry::created_at, telemetry::event_id))
        .limit(limit)
        .select((telemetry::event_id, telemetry::event, telemetry::created_at))
        .load(conn)
        .await
        .or_fault()
}

/// Adds an event; false when there is one of this name.
pub async fn add(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    id: Uuid,
    (event_id, event): (&str, &Value),
    created_by: &str,
) -> Result<bool> {
    let added = diesel::insert_into(telemetry::table)
        .values((
            telemetry::id.eq(id),
            telemetry::event_id.eq(event_id),
            telemetry::tenant_id.eq(mandate.tenant().as_str()),
            telemetry::event.eq(event),
            telemetry::created_by.eq(created_by),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    Ok(added == 1)
}
