//! The history of a batch: entries are added and read, never changed.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Actor;
use mintmark_auth::action::ViewBatch;
use mintmark_auth::policy::Permit;
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{BatchId, EventId};
use serde_json::Value;
use uuid::Uuid;

use super::page::{Slice, Window};
use super::schema::batch_event;
use super::{Mandate, stored};

/// Something that happened to a batch.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: DateTime<Utc>,
    /// In whose name.
    pub actor: Actor,
    /// What: `batch.created`, `export.downloaded` …
    pub kind: String,
    /// Facts about it; never a code of a unit, never a secret.
    pub detail: Value,
}

/// Adds an entry to the history of a batch, in the name of the mandate's actor.
pub async fn append(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    batch: BatchId,
    kind: &'static str,
    detail: Value,
) -> Result<EventId> {
    let id = EventId::new();
    diesel::insert_into(batch_event::table)
        .values((
            batch_event::id.eq(id.as_uuid()),
            batch_event::tenant_id.eq(mandate.tenant().as_str()),
            batch_event::batch_id.eq(batch.as_uuid()),
            batch_event::actor.eq(mandate.actor().to_string()),
            batch_event::kind.eq(kind),
            batch_event::detail.eq(detail),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(id)
}

/// In whose name an entry of this kind was added last; none when there is no such entry.
pub(super) async fn newest_actor(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    batch: BatchId,
    kind: &'static str,
) -> Result<Option<Actor>> {
    let actor: Option<String> = batch_event::table
        .filter(batch_event::tenant_id.eq(mandate.tenant().as_str()))
        .filter(batch_event::batch_id.eq(batch.as_uuid()))
        .filter(batch_event::kind.eq(kind))
        .order(batch_event::id.desc())
        .select(batch_event::actor)
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    actor.map(|actor| stored("batch_event.actor", actor.parse())).transpose()
}

/// The history of a batch, newest first. The permit was made for the brand of this batch.
pub async fn list(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewBatch>,
    batch: BatchId,
    window: Window,
) -> Result<Slice<Event>> {
    type Row = (Uuid, DateTime<Utc>, String, String, Value);
    let rows: Vec<Row> = batch_event::table
        .filter(batch_event::tenant_id.eq(permit.tenant().as_str()))
        .filter(batch_event::batch_id.eq(batch.as_uuid()))
        .filter(batch_event::id.lt(window.below()))
        .order(batch_event::id.desc())
        .limit(window.probe())
        .select((
            batch_event::id,
            batch_event::at,
            batch_event::actor,
            batch_event::kind,
            batch_event::detail,
        ))
        .load(conn)
        .await
        .or_fault()?;
    let slice = window.cut(rows, |row| row.0);
    let next = slice.next;
    let items = slice.items.into_iter().map(read).collect::<Result<_>>()?;
    return Ok(Slice { items, next });

    fn read((id, at, actor, kind, detail): Row) -> Result<Event> {
        Ok(Event {
            id: EventId::from_uuid(id),
            at,
            actor: stored("batch_event.actor", actor.parse::<Actor>())?,
            kind,
            detail,
        })
    }
}
