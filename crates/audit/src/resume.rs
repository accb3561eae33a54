//! Opening a new log after a restore: an operator's decision, and the first thing that the new log says.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Actor;
use mintmark_db::{DbConfig, Meaning, Pool, transaction_once};
use mintmark_fault::{Fault, Result};
use mintmark_service::StartError;
use serde_json::json;
use tokio::runtime::Handle;

use crate::checkpoint::Origin;
use crate::leaf::{Leaf, NO_LEAF};
use crate::record::{self, AuditEvent};
use crate::schema::{audit_checkpoint, audit_head, audit_leaf, audit_log, audit_tenant_head};
use crate::standing::{Head, Standing, standing};
use crate::tree::Frontier;
use crate::{Kept, Outside, OutsideConfig};

/// The log that was opened.
#[derive(Clone, Debug)]
pub struct Resumed {
    /// The new log.
    pub origin: Origin,
    /// The signed checkpoint that its first entry names; none where there was none anywhere.
    pub named: Option<String>,
}

/// Opens a new log in a database that was restored: one whose newest checkpoint outside it does not continue. The new log's first
/// entry, `AUDIT_LOG_RESUMED`, names that checkpoint. `database` has the login of the sequencer, which signs the new log as soon
/// as it runs; whoever acts behind a gate goes on then.
///
/// # Errors
/// 409 `AUDIT_NOT_BEHIND` where nothing was restored; 503 when either side is away; `AUDIT_CHECKPOINT_FORGED`.
///
/// # Panics
/// Outside a tokio runtime.
pub async fn resume(
    database: &DbConfig,
    outside: &OutsideConfig,
    actor: &Actor,
) -> std::result::Result<Resumed, StartError> {
    let outside = Outside::open(outside)?;
    let pool = Pool::new(&database.clone().named("audit-resume"), &Handle::current())?;
    let newest = outside.newest().await?;
    let mut conn = pool.get().await?;
    let (origin, newest) = (outside.origin(), newest.as_ref());
    let resumed = transaction_once("resume-audit-log", &mut conn, async |conn| {
        open_next(conn, origin, newest, actor).await
    });
    Ok(resumed.await?)
}

async fn open_next(
    conn: &mut AsyncPgConnection,
    name: &str,
    newest: Option<&Kept>,
    actor: &Actor,
) -> Result<Resumed> {
    let head = Head::lock(conn).await?;
    match standing(conn, &head, newest).await? {
        Standing::Behind | Standing::Split | Standing::Lost => {}
        Standing::New | Standing::Unsigned | Standing::Sound => return Err(not_behind()),
    }
    let named = match newest {
        Some(kept) => Some(kept.note.clone()),
        None => own_newest(conn).await?,
    };
    let after = newest.map_or(0, |kept| kept.checkpoint.origin.epoch).max(head.epoch_number());
    let origin = Origin::new(name, after + 1);
    let epoch = origin.epoch.cast_signed();
    diesel::insert_into(audit_log::table)
        .values((
            audit_log::epoch.eq(epoch),
            audit_log::origin.eq(origin.to_string()),
            audit_log::resumed_from.eq(&named),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    let detail = json!({ "checkpoint": named, "databaseEpoch": head.epoch, "databaseSize": head.size });
    let resource = ("audit_log", &origin);
    let event = AuditEvent::allowed(None, actor, "AUDIT_LOG_RESUMED", resource, detail);
    let (entry, commitment) = record::insert(conn, &event).await?;
    let leaf =
        Leaf { index: 0, prev: NO_LEAF, tenant: None, tenant_number: 1, tenant_prev: NO_LEAF, commitment };
    let hash = leaf.hash();
    diesel::insert_into(audit_leaf::table)
        .values((
            audit_leaf::epoch.eq(epoch),
            audit_leaf::idx.eq(0),
            audit_leaf::entry_id.eq(entry),
            audit_leaf::tenant_id.eq(""),
            audit_leaf::tenant_number.eq(1),
            audit_leaf::prev.eq(NO_LEAF.as_slice()),
            audit_leaf::tenant_prev.eq(NO_LEAF.as_slice()),
            audit_leaf::hash.eq(hash.as_slice()),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    diesel::insert_into(audit_tenant_head::table)
        .values((
            audit_tenant_head::epoch.eq(epoch),
            audit_tenant_head::tenant_id.eq(""),
            audit_tenant_head::number.eq(1),
            audit_tenant_head::hash.eq(hash.as_slice()),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    let mut tree = Frontier::new();
    tree.push(hash, &mut |_, _| {});
    // Whoever holds the lease loses it with the fence.
    diesel::update(audit_head::table)
        .set((
            audit_head::epoch.eq(epoch),
            audit_head::size.eq(1),
            audit_head::frontier.eq(tree.to_bytes()),
            audit_head::last_leaf.eq(hash.as_slice()),
            audit_head::fence.eq(audit_head::fence + 1),
            audit_head::holder.eq(None::<String>),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(Resumed { origin, named })
}

async fn own_newest(conn: &mut AsyncPgConnection) -> Result<Option<String>> {
    audit_checkpoint::table
        .order((audit_checkpoint::epoch.desc(), audit_checkpoint::size.desc()))
        .select(audit_checkpoint::note)
        .first(conn)
        .await
        .optional()
        .or_fault()
}

fn not_behind() -> Fault {
    let sentence =
        "this database continues what was signed, or was resumed already: start its sequencer instead";
    Fault::conflict("AUDIT_NOT_BEHIND", sentence)
}
