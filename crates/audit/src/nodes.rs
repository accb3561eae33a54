//! Reading the tree as the database holds it.

use std::collections::{BTreeMap, HashMap};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};

use crate::schema::{audit_leaf, audit_node};
use crate::tree::{Hash, Subtree, assemble, decompose};

/// A stored hash, which a constraint of the table makes 32 bytes long.
pub(crate) fn hash(bytes: &[u8]) -> Result<Hash> {
    bytes.try_into().map_err(|_| Fault::internal("a stored hash has not 32 bytes"))
}

/// The hashes of a path: at most one query for each stored level.
pub(crate) async fn read_path(
    conn: &mut AsyncPgConnection,
    epoch: i64,
    path: &[Vec<Subtree>],
) -> Result<Vec<Hash>> {
    let mut levels: BTreeMap<u32, Vec<(i64, i64)>> = BTreeMap::new();
    for subtree in path.iter().flatten() {
        let (level, first, count) = subtree.stored();
        let (from, to) = (i64::try_from(first), i64::try_from(first + count));
        let (Ok(from), Ok(to)) = (from, to) else { return Err(Fault::internal("a tree larger than 2^63")) };
        levels.entry(level).or_default().push((from, to));
    }
    let mut known: HashMap<Subtree, Hash> = HashMap::new();
    for (level, ranges) in levels {
        for (index, bytes) in read(conn, epoch, level, &ranges).await? {
            known.insert(Subtree { level, index: index.unsigned_abs() }, hash(&bytes)?);
        }
    }
    assemble(path, &|subtree| known.get(&subtree).copied()).map_err(Fault::internal)
}

async fn read(
    conn: &mut AsyncPgConnection,
    epoch: i64,
    level: u32,
    ranges: &[(i64, i64)],
) -> Result<Vec<(i64, Vec<u8>)>> {
    let Some(((from, to), more)) = ranges.split_first() else { return Ok(Vec::new()) };
    if level == 0 {
        let mut wanted = audit_leaf::table
            .filter(audit_leaf::epoch.eq(epoch).and(audit_leaf::idx.ge(from)).and(audit_leaf::idx.lt(to)))
            .select((audit_leaf::idx, audit_leaf::hash))
            .into_boxed();
        for (from, to) in more {
            wanted = wanted.or_filter(
                audit_leaf::epoch.eq(epoch).and(audit_leaf::idx.ge(from)).and(audit_leaf::idx.lt(to)),
            );
        }
        return wanted.load(conn).await.or_fault();
    }
    // Levels of a tree of 2^63 leaves are below 64.
    let level = i16::try_from(level).unwrap_or(i16::MAX);
    let of_level = |from: i64, to: i64| {
        audit_node::epoch
            .eq(epoch)
            .and(audit_node::level.eq(level))
            .and(audit_node::idx.ge(from))
            .and(audit_node::idx.lt(to))
    };
    let mut wanted = audit_node::table
        .filter(of_level(*from, *to))
        .select((audit_node::idx, audit_node::hash))
        .into_boxed();
    for (from, to) in more {
        wanted = wanted.or_filter(of_level(*from, *to));
    }
    wanted.load(conn).await.or_fault()
}

/// The root over the first `size` leaves.
pub(crate) async fn root(conn: &mut AsyncPgConnection, epoch: i64, size: u64) -> Result<Hash> {
    let hashes = read_path(conn, epoch, &[decompose(size)]).await?;
    hashes.into_iter().next().ok_or_else(|| Fault::internal("the path of a root is one hash"))
}
