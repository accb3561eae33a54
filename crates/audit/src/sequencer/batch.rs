//! One batch: pending entries become leaves, in one transaction.

use std::collections::HashMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use mintmark_db::{RawClient, raw_fault};
use mintmark_fault::{Fault, Result};
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use uuid::{NoContext, Timestamp, Uuid};

use super::lease_lost;
use crate::failpoint::hit;
use crate::leaf::{Leaf, NO_LEAF};
use crate::nodes::hash;
use crate::standing::frontier;
use crate::tree::{Frontier, Hash, STORED_LEVELS, Subtree};

/// The most that one transaction appends.
pub(super) const BATCH: i64 = 4096;
/// An entry's id says when it was made, and it is visible with its transaction's commit: rarely later than this. Older ones are
/// looked for once a second; the rest of the time what was deleted lately need not be walked through.
const STRAGGLE: Duration = Duration::from_secs(5);
const LOOK_FOR_STRAGGLERS: Duration = Duration::from_secs(1);

const LOCK: &str = "SELECT epoch, size, frontier, last_leaf FROM audit_head WHERE fence = $1 FOR UPDATE";
const CLAIM: &str = "WITH claimed AS (
        DELETE FROM audit_pending WHERE entry_id = ANY (ARRAY(
            SELECT entry_id FROM audit_pending WHERE entry_id >= $1 ORDER BY entry_id LIMIT $2))
        RETURNING entry_id)
    SELECT entry.id, coalesce(entry.tenant_id, ''), entry.commitment
    FROM claimed JOIN audit_entry AS entry ON entry.id = claimed.entry_id ORDER BY entry.id";
const TENANTS: &str =
    "SELECT tenant_id, number, hash FROM audit_tenant_head WHERE epoch = $1 AND tenant_id = ANY ($2)";
const COPY: &str = "COPY audit_leaf (epoch, idx, entry_id, tenant_id, tenant_number, prev, tenant_prev, hash)
    FROM STDIN BINARY";
const NODES: &str = "INSERT INTO audit_node (epoch, level, idx, hash)
    SELECT $1, * FROM unnest($2::int2[], $3::int8[], $4::bytea[])";
const PUT_TENANTS: &str = "INSERT INTO audit_tenant_head (epoch, tenant_id, number, hash)
    SELECT $1, * FROM unnest($2::text[], $3::int8[], $4::bytea[])
    ON CONFLICT (epoch, tenant_id) DO UPDATE SET number = excluded.number, hash = excluded.hash";
const PUT_HEAD: &str = "UPDATE audit_head SET size = $2, frontier = $3, last_leaf = $4,
    lease_until = clock_timestamp() + make_interval(secs => $5) WHERE fence = $1";
const OLDEST: &str = "SELECT entry_id FROM audit_pending WHERE entry_id >= $1 ORDER BY entry_id LIMIT 1";

/// The log's end as this process knows it: what the database must still say when it goes on.
#[derive(Clone)]
pub(super) struct End {
    pub(super) fence: i64,
    pub(super) epoch: i64,
    pub(super) tree: Frontier,
    pub(super) last_leaf: Hash,
}

/// From where pending entries are looked for.
pub(super) struct Search {
    from: Uuid,
    looked_everywhere: Option<Instant>,
}

impl Search {
    pub(super) fn new() -> Self {
        Self { from: Uuid::nil(), looked_everywhere: None }
    }

    fn start(&mut self) -> Uuid {
        if self.looked_everywhere.is_none_or(|at| at.elapsed() >= LOOK_FOR_STRAGGLERS) {
            self.looked_everywhere = Some(Instant::now());
            return Uuid::nil();
        }
        self.from
    }

    fn found(&mut self, newest: Uuid) {
        let Some(made) = newest.get_timestamp() else { return };
        let (seconds, nanos) = made.to_unix();
        let seconds = seconds.saturating_sub(STRAGGLE.as_secs());
        // Without its random part: the least id of that moment.
        let at = Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, nanos)).as_u128();
        self.from = self.from.max(Uuid::from_u128(at & !((1 << 80) - 1)));
    }
}

/// Whether anything waits. Cheap, and takes no lock.
pub(super) async fn is_pending(client: &RawClient, search: &mut Search) -> Result<bool> {
    let statement = client.prepared(OLDEST).await?;
    Ok(client.query_opt(&statement, &[&search.start()]).await.map_err(raw_fault)?.is_some())
}

/// Appends what waits, at most [`BATCH`]; says how many, and moves `end` there.
pub(super) async fn append(
    client: &mut RawClient,
    search: &mut Search,
    end: &mut End,
    lease: Duration,
) -> Result<usize> {
    // The statements of the transaction, prepared once a connection.
    let (lock, claim) = (client.prepared(LOCK).await?, client.prepared(CLAIM).await?);
    let (tenants, copy) = (client.prepared(TENANTS).await?, client.prepared(COPY).await?);
    let (nodes, put_tenants) = (client.prepared(NODES).await?, client.prepared(PUT_TENANTS).await?);
    let put_head = client.prepared(PUT_HEAD).await?;

    let tx = client.transaction().await.map_err(raw_fault)?;
    let head = tx.query_opt(&lock, &[&end.fence]).await.map_err(raw_fault)?.ok_or_else(lease_lost)?;
    still_the_end(&head, end)?;
    let from = search.start();
    let rows = tx.query(&claim, &[&from, &BATCH]).await.map_err(raw_fault)?;
    let Some(newest) = rows.last() else { return Ok(0) };
    let newest: Uuid = newest.get(0);
    hit("batch.claimed");

    let claimed: Vec<(Uuid, &str, Hash)> =
        rows.iter().map(|row| Ok((row.get(0), row.get(1), hash(row.get(2))?))).collect::<Result<_>>()?;
    let mut wanted: Vec<&str> = claimed.iter().map(|(_, tenant, _)| *tenant).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let known = tx.query(&tenants, &[&end.epoch, &wanted]).await.map_err(raw_fault)?;
    let mut heads: HashMap<&str, (i64, Hash)> = HashMap::with_capacity(wanted.len());
    for row in &known {
        heads.insert(row.get(0), (row.get(1), hash(row.get(2))?));
    }
    let grown = grow(end, &claimed, &mut heads);

    let sink = tx.copy_in(&copy).await.map_err(raw_fault)?;
    write_leaves(sink, end.epoch, &grown.leaves).await?;
    hit("batch.leaves");
    write_nodes(&tx, &nodes, end.epoch, &grown.nodes).await?;
    let tenants: Vec<&str> = heads.keys().copied().collect();
    let numbers: Vec<i64> = heads.values().map(|(number, _)| *number).collect();
    let hashes: Vec<&[u8]> = heads.values().map(|(_, hash)| hash.as_slice()).collect();
    tx.execute(&put_tenants, &[&end.epoch, &tenants, &numbers, &hashes]).await.map_err(raw_fault)?;
    hit("batch.nodes");
    let (size, right_edge) = (grown.end.tree.size().cast_signed(), grown.end.tree.to_bytes());
    let last_leaf = grown.end.last_leaf.as_slice();
    tx.execute(&put_head, &[&end.fence, &size, &right_edge, &last_leaf, &lease.as_secs_f64()])
        .await
        .map_err(raw_fault)?;
    hit("batch.head");
    tx.commit().await.map_err(raw_fault)?;
    hit("batch.committed");
    search.found(newest);
    let count = claimed.len();
    *end = grown.end;
    Ok(count)
}

/// Another end under the same fence is another database: a restored one.
fn still_the_end(head: &tokio_postgres::Row, end: &End) -> Result<()> {
    let (epoch, size): (i64, i64) = (head.get(0), head.get(1));
    let (right_edge, last_leaf): (&[u8], &[u8]) = (head.get(2), head.get(3));
    let same = epoch == end.epoch
        && frontier(size, right_edge)? == end.tree
        && last_leaf == end.last_leaf.as_slice();
    if same { Ok(()) } else { Err(lease_lost()) }
}

struct Grown<'r> {
    end: End,
    leaves: Vec<(Uuid, Leaf<'r>, Hash)>,
    nodes: Vec<(Subtree, Hash)>,
}

/// Chains and hashes the entries; `heads` has the tenants' ends, which move.
fn grow<'r>(
    end: &End,
    claimed: &[(Uuid, &'r str, Hash)],
    heads: &mut HashMap<&'r str, (i64, Hash)>,
) -> Grown<'r> {
    let mut grown = Grown { end: end.clone(), leaves: Vec::with_capacity(claimed.len()), nodes: Vec::new() };
    for (id, tenant, commitment) in claimed {
        let (number, tenant_prev) = heads.entry(tenant).or_insert((0, NO_LEAF));
        *number += 1;
        let leaf = Leaf {
            index: grown.end.tree.size(),
            prev: grown.end.last_leaf,
            tenant: Some(*tenant).filter(|tenant| !tenant.is_empty()),
            tenant_number: number.unsigned_abs(),
            tenant_prev: *tenant_prev,
            commitment: *commitment,
        };
        let hash = leaf.hash();
        let nodes = &mut grown.nodes;
        grown.end.tree.push(hash, &mut |subtree, root| {
            if subtree.level > 0 && subtree.level.is_multiple_of(STORED_LEVELS) {
                nodes.push((subtree, root));
            }
        });
        (grown.end.last_leaf, *tenant_prev) = (hash, hash);
        grown.leaves.push((*id, leaf, hash));
    }
    grown
}

async fn write_leaves(
    sink: tokio_postgres::CopyInSink<bytes::Bytes>,
    epoch: i64,
    leaves: &[(Uuid, Leaf<'_>, Hash)],
) -> Result<()> {
    const TYPES: [Type; 8] =
        [Type::INT8, Type::INT8, Type::UUID, Type::TEXT, Type::INT8, Type::BYTEA, Type::BYTEA, Type::BYTEA];
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &TYPES));
    for (id, leaf, hash) in leaves {
        let (index, number) = (leaf.index.cast_signed(), leaf.tenant_number.cast_signed());
        let tenant = leaf.tenant.unwrap_or_default();
        let (prev, tenant_prev, hash) = (leaf.prev.as_slice(), leaf.tenant_prev.as_slice(), hash.as_slice());
        writer
            .as_mut()
            .write(&[&epoch, &index, id, &tenant, &number, &prev, &tenant_prev, &hash])
            .await
            .map_err(raw_fault)?;
    }
    let written = writer.finish().await.map_err(raw_fault)?;
    if written != leaves.len() as u64 {
        return Err(Fault::internal("COPY took another number of leaves than it was given"));
    }
    Ok(())
}

async fn write_nodes(
    tx: &Transaction<'_>,
    statement: &tokio_postgres::Statement,
    epoch: i64,
    nodes: &[(Subtree, Hash)],
) -> Result<()> {
    if nodes.is_empty() {
        return Ok(());
    }
    // Levels of a tree of 2^63 leaves are below 64.
    let levels: Vec<i16> =
        nodes.iter().map(|(node, _)| i16::try_from(node.level).unwrap_or(i16::MAX)).collect();
    let indexes: Vec<i64> = nodes.iter().map(|(node, _)| node.index.cast_signed()).collect();
    let hashes: Vec<&[u8]> = nodes.iter().map(|(_, hash)| hash.as_slice()).collect();
    tx.execute(statement, &[&epoch, &levels, &indexes, &hashes]).await.map_err(raw_fault)?;
    Ok(())
}
