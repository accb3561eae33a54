//! How the database stands to the newest checkpoint that is kept outside of it.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};

use crate::outside::{Kept, lost, split};
use crate::schema::{audit_checkpoint, audit_head, audit_log};
use crate::{nodes, tree};

/// How they stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Neither knows of a log: a new installation.
    New,
    /// The log has no checkpoint outside yet: it was just opened, or resumed.
    Unsigned,
    /// The database continues what the newest checkpoint outside says.
    Sound,
    /// The database knows less than was signed: it was restored.
    Behind,
    /// The database has another history than the one that was signed.
    Split,
    /// The database knows of checkpoints, and none is outside.
    Lost,
}

impl Standing {
    /// Why nothing may be signed, decrypted or destroyed.
    pub(crate) fn fault(self) -> Option<Fault> {
        match self {
            Standing::New | Standing::Unsigned | Standing::Sound => None,
            Standing::Behind => Some(behind()),
            Standing::Split => Some(split()),
            Standing::Lost => Some(lost()),
        }
    }
}

/// The database is older than what was signed.
pub(crate) fn behind() -> Fault {
    let sentence = "the database is older than the newest checkpoint of its audit log: it was restored from a backup; an operator decides with `mintmark audit resume`";
    Fault::unavailable("AUDIT_BEHIND", sentence)
}

/// The row of the log's head.
#[derive(Clone, Debug, Queryable)]
pub(crate) struct Head {
    pub(crate) epoch: i64,
    pub(crate) size: i64,
    pub(crate) frontier: Vec<u8>,
    pub(crate) fence: i64,
}

impl Head {
    pub(crate) async fn read(conn: &mut AsyncPgConnection) -> Result<Self> {
        audit_head::table.select(HEAD).first(conn).await.or_fault()
    }

    /// The same, and nobody else appends until this transaction ends.
    pub(crate) async fn lock(conn: &mut AsyncPgConnection) -> Result<Self> {
        audit_head::table.select(HEAD).for_update().first(conn).await.or_fault()
    }

    pub(crate) fn tree(&self) -> Result<tree::Frontier> {
        frontier(self.size, &self.frontier)
    }

    /// Its epoch as origins have it; 0 where no log was opened.
    pub(crate) const fn epoch_number(&self) -> u64 {
        self.epoch.unsigned_abs()
    }

    pub(crate) const fn leaves(&self) -> u64 {
        self.size.unsigned_abs()
    }
}

type HeadColumns = (audit_head::epoch, audit_head::size, audit_head::frontier, audit_head::fence);
const HEAD: HeadColumns = (audit_head::epoch, audit_head::size, audit_head::frontier, audit_head::fence);

/// The tree's right edge as the head's row has it.
pub(crate) fn frontier(size: i64, bytes: &[u8]) -> Result<tree::Frontier> {
    tree::Frontier::from_parts(size.unsigned_abs(), bytes)
        .ok_or_else(|| Fault::internal("the frontier of the audit log does not fit its size"))
}

/// Compares the database with the newest checkpoint outside, which is read first: what is signed was committed before.
pub(crate) async fn standing(
    conn: &mut AsyncPgConnection,
    head: &Head,
    outside: Option<&Kept>,
) -> Result<Standing> {
    let Some(kept) = outside else {
        if head.epoch == 0 {
            return Ok(Standing::New);
        }
        return Ok(if is_signed(conn, head.epoch).await? { Standing::Lost } else { Standing::Unsigned });
    };
    let (epoch, size) = (kept.checkpoint.origin.epoch.cast_signed(), kept.checkpoint.size);
    if head.epoch < epoch || (head.epoch == epoch && head.leaves() < size) {
        return Ok(Standing::Behind);
    }
    if head.epoch > epoch {
        let named = resumed_from(conn, head.epoch).await?;
        return Ok(if named.as_deref() == Some(&kept.note) { Standing::Unsigned } else { Standing::Split });
    }
    let same = nodes::root(conn, epoch, size).await? == kept.checkpoint.root;
    Ok(if same { Standing::Sound } else { Standing::Split })
}

async fn is_signed(conn: &mut AsyncPgConnection, epoch: i64) -> Result<bool> {
    let rows = audit_checkpoint::table.filter(audit_checkpoint::epoch.eq(epoch));
    diesel::select(exists(rows)).get_result(conn).await.or_fault()
}

async fn resumed_from(conn: &mut AsyncPgConnection, epoch: i64) -> Result<Option<String>> {
    let named: Option<Option<String>> = audit_log::table
        .find(epoch)
        .select(audit_log::resumed_from)
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(named.flatten())
}
