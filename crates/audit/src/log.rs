//! Reading the audit: entries by what they say, each with its place in the log, and proofs of them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use serde_json::Value;
use uuid::Uuid;

use crate::hex::Hex;
use crate::nodes::{self, hash};
use crate::proof::{Consistency, Inclusion, OpenEntry, Place};
use crate::schema::{audit_checkpoint, audit_entry, audit_leaf, audit_log};
use crate::tree::{consistency_path, inclusion_path};

/// Which entries; what is left out does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// In whose name, exactly as entries show it.
    pub actor: Option<String>,
    /// What was done.
    pub action: Option<String>,
    /// To what kind of thing.
    pub resource_kind: Option<String>,
    /// To which one.
    pub resource_id: Option<String>,
    /// Not before.
    pub from: Option<DateTime<Utc>>,
    /// Before.
    pub to: Option<DateTime<Utc>>,
}

/// Where the log holds an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which log: 1, and one more for each restore.
    pub epoch: u64,
    /// The leaf, from 0.
    pub index: u64,
    /// The tenant's own number in that log, from 1.
    pub tenant_number: u64,
}

/// An entry as people read it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// When, by the database's clock.
    pub at: DateTime<Utc>,
    /// In whose name.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub resource_kind: String,
    /// To which one.
    pub resource_id: String,
    /// `allowed` or `refused`.
    pub outcome: String,
    /// The request's trace.
    pub trace_id: Option<String>,
    /// Further facts.
    pub detail: Value,
    /// Its leaf; none for the moment until the sequencer has been there.
    pub position: Option<Position>,
}

type Row = (Uuid, DateTime<Utc>, String, String, String, String, String, Option<String>, Value);

/// Entries of a tenant that a query is about and whose id is below `below`, newest first, at most `limit`.
pub async fn entries(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    query: &Query,
    below: Uuid,
    limit: i64,
) -> Result<Vec<Recorded>> {
    let mut wanted = audit_entry::table
        .filter(audit_entry::tenant_id.eq(tenant.as_str()))
        .filter(audit_entry::id.lt(below))
        .select((
            audit_entry::id,
            audit_entry::at,
            audit_entry::actor,
            audit_entry::action,
            audit_entry::resource_kind,
            audit_entry::resource_id,
            audit_entry::outcome,
            audit_entry::trace_id,
            audit_entry::detail,
        ))
        .into_boxed();
    if let Some(actor) = &query.actor {
        wanted = wanted.filter(audit_entry::actor.eq(actor));
    }
    if let Some(action) = &query.action {
        wanted = wanted.filter(audit_entry::action.eq(action));
    }
    if let Some(kind) = &query.resource_kind {
        wanted = wanted.filter(audit_entry::resource_kind.eq(kind));
    }
    if let Some(id) = &query.resource_id {
        wanted = wanted.filter(audit_entry::resource_id.eq(id));
    }
    if let Some(from) = query.from {
        wanted = wanted.filter(audit_entry::at.ge(from));
    }
    if let Some(to) = query.to {
        wanted = wanted.filter(audit_entry::at.lt(to));
    }
    let rows: Vec<Row> = wanted.order(audit_entry::id.desc()).limit(limit).load(conn).await.or_fault()?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.0).collect();
    let places = positions(conn, &ids).await?;
    let recorded = |row: Row| {
        let (id, at, actor, action, resource_kind, resource_id, outcome, trace_id, detail) = row;
        let position = places.iter().find(|(entry, _)| *entry == id).map(|(_, position)| *position);
        Recorded { id, at, actor, action, resource_kind, resource_id, outcome, trace_id, detail, position }
    };
    Ok(rows.into_iter().map(recorded).collect())
}

/// Where entries stand, each in the newest log that holds it: one that was pending in a backup stands in two.
async fn positions(conn: &mut AsyncPgConnection, ids: &[Uuid]) -> Result<Vec<(Uuid, Position)>> {
    let rows: Vec<(Uuid, i64, i64, i64)> = audit_leaf::table
        .filter(audit_leaf::entry_id.eq_any(ids))
        .order(audit_leaf::epoch.desc())
        .select((audit_leaf::entry_id, audit_leaf::epoch, audit_leaf::idx, audit_leaf::tenant_number))
        .load(conn)
        .await
        .or_fault()?;
    let position = |(id, epoch, index, number): (Uuid, i64, i64, i64)| {
        let (epoch, index, tenant_number) =
            (epoch.unsigned_abs(), index.unsigned_abs(), number.unsigned_abs());
        (id, Position { epoch, index, tenant_number })
    };
    Ok(rows.into_iter().map(position).collect())
}

#[derive(Queryable)]
struct LeafRow {
    epoch: i64,
    idx: i64,
    tenant_number: i64,
    prev: Vec<u8>,
    tenant_prev: Vec<u8>,
}

impl LeafRow {
    fn place(&self) -> Result<Place> {
        Ok(Place {
            index: self.idx.unsigned_abs(),
            prev: Hex(hash(&self.prev)?),
            tenant_number: self.tenant_number.unsigned_abs(),
            tenant_prev: Hex(hash(&self.tenant_prev)?),
        })
    }
}

/// The proof that the log holds an entry of a tenant, or with `None` one of the platform's own.
///
/// # Errors
/// 404 for an entry that is not there or another's; 409 `AUDIT_ENTRY_PENDING` until a signed checkpoint covers it.
pub async fn proof(conn: &mut AsyncPgConnection, tenant: Option<&TenantId>, id: Uuid) -> Result<Inclusion> {
    let mut entry = open_entry(conn, tenant, id).await?;
    let leaf: Option<LeafRow> = audit_leaf::table
        .filter(audit_leaf::entry_id.eq(id))
        .order(audit_leaf::epoch.desc())
        .select((
            audit_leaf::epoch,
            audit_leaf::idx,
            audit_leaf::tenant_number,
            audit_leaf::prev,
            audit_leaf::tenant_prev,
        ))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    let leaf = leaf.ok_or_else(pending)?;
    let newest = newest_checkpoint(conn, leaf.epoch.unsigned_abs()).await?;
    let signed = newest.filter(|signed| leaf.idx.unsigned_abs() < signed.size).ok_or_else(pending)?;
    let path = inclusion_path(leaf.idx.unsigned_abs(), signed.size)
        .ok_or_else(|| Fault::internal("a leaf lies outside its tree"))?;
    let path = nodes::read_path(conn, leaf.epoch, &path).await?;
    entry.leaf = Some(leaf.place()?);
    Ok(Inclusion::new(entry, &path, signed.note))
}

/// A checkpoint as the database has it.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Leaves under it.
    pub size: u64,
    /// As it was signed.
    pub note: String,
}

/// The newest signed checkpoint of a log.
pub async fn newest_checkpoint(conn: &mut AsyncPgConnection, epoch: u64) -> Result<Option<Signed>> {
    let row: Option<(i64, String)> = audit_checkpoint::table
        .filter(audit_checkpoint::epoch.eq(epoch.cast_signed()))
        .order(audit_checkpoint::size.desc())
        .select((audit_checkpoint::size, audit_checkpoint::note))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(row.map(|(size, note)| Signed { size: size.unsigned_abs(), note }))
}

/// The epochs of all logs, in their order.
pub async fn epochs(conn: &mut AsyncPgConnection) -> Result<Vec<u64>> {
    let epochs: Vec<i64> =
        audit_log::table.order(audit_log::epoch).select(audit_log::epoch).load(conn).await.or_fault()?;
    Ok(epochs.into_iter().map(i64::unsigned_abs).collect())
}

/// The hashes from leaf `index` to the root over the first `size` leaves of a log.
pub async fn inclusion(
    conn: &mut AsyncPgConnection,
    epoch: u64,
    index: u64,
    size: u64,
) -> Result<Vec<crate::tree::Hash>> {
    let path = inclusion_path(index, size).ok_or_else(|| Fault::internal("a leaf lies outside its tree"))?;
    nodes::read_path(conn, epoch.cast_signed(), &path).await
}

/// That a log continues the state with `old` leaves, whose signed checkpoint the asker kept as `old_note`.
///
/// # Errors
/// 404 where the log has no checkpoint of its own yet, or is smaller than what was kept.
pub async fn consistency(
    conn: &mut AsyncPgConnection,
    epoch: u64,
    old: u64,
    old_note: String,
) -> Result<Consistency> {
    let newest = newest_checkpoint(conn, epoch).await?.ok_or_else(|| Fault::not_found("checkpoint"))?;
    let path = consistency_path(old, newest.size).ok_or_else(|| Fault::not_found("checkpoint"))?;
    let path = nodes::read_path(conn, epoch.cast_signed(), &path).await?;
    Ok(Consistency::new(old_note, newest.note, &path))
}

async fn open_entry(conn: &mut AsyncPgConnection, tenant: Option<&TenantId>, id: Uuid) -> Result<OpenEntry> {
    type Opened = (Uuid, DateTime<Utc>, Option<String>, String, String, String, String, String);
    type Rest = (Option<String>, Value, Vec<u8>, Vec<u8>);
    let tenant = tenant.map(TenantId::as_str);
    let (opened, rest): (Opened, Rest) = audit_entry::table
        .filter(audit_entry::id.eq(id).and(audit_entry::tenant_id.is_not_distinct_from(tenant)))
        .select((
            (
                audit_entry::id,
                audit_entry::at,
                audit_entry::tenant_id,
                audit_entry::actor,
                audit_entry::action,
                audit_entry::resource_kind,
                audit_entry::resource_id,
                audit_entry::outcome,
            ),
            (audit_entry::trace_id, audit_entry::detail, audit_entry::salt, audit_entry::commitment),
        ))
        .first(conn)
        .await
        .or_not_found("audit entry")?;
    let (id, at, tenant_id, actor, action, resource_kind, resource_id, outcome) = opened;
    let (trace_id, detail, salt, commitment) = rest;
    let salt = salt.as_slice().try_into().map_err(|_| Fault::internal("a stored salt has not 16 bytes"))?;
    Ok(OpenEntry {
        id,
        at,
        tenant_id,
        actor,
        action,
        resource_kind,
        resource_id,
        outcome,
        trace_id,
        detail,
        salt: Hex(salt),
        commitment: Hex(hash(&commitment)?),
        leaf: None,
    })
}

fn pending() -> Fault {
    let sentence =
        "no signed checkpoint covers this entry yet, which takes about a second: ask again shortly";
    Fault::conflict("AUDIT_ENTRY_PENDING", sentence)
}
