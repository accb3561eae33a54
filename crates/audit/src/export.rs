//! A tenant's part of the log as lines of a bundle, page by page: what a verifier needs, and nothing of anybody else's.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bytea, Jsonb, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::TenantId;
use serde_json::Value;
use uuid::Uuid;

use crate::bundle::{Line, Log};
use crate::hex::Hex;
use crate::log;
use crate::nodes::hash;
use crate::proof::{OpenEntry, Place};

/// Entries that are in memory at once.
const PAGE: i64 = 1_000;

/// An export under way. What it shows was signed when it began: entries that came later are not in it.
#[derive(Clone, Debug)]
pub struct Export {
    tenant: TenantId,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
    /// Each log with the size of its newest checkpoint.
    signed: Vec<(i64, i64)>,
    sections: VecDeque<Section>,
    open: Option<Section>,
    /// The last entry that was given of those that no checkpoint covers.
    pending_after: Uuid,
}

#[derive(Clone, Debug)]
struct Section {
    epoch: i64,
    log: Log,
    /// The tenant's numbers that are left, both included.
    next: i64,
    last: i64,
}

impl Export {
    /// Begins with the newest checkpoint of each log. A time narrows to the run of the tenant's entries that has all of that
    /// time: a few at its ends may lie outside, because the log's order is that of commits.
    pub async fn begin(
        conn: &mut AsyncPgConnection,
        tenant: &TenantId,
        from: Option<DateTime<Utc>>,
        to: Option<DateTime<Utc>>,
    ) -> Result<Self> {
        let (mut signed, mut sections) = (Vec::new(), VecDeque::new());
        for epoch in log::epochs(conn).await? {
            let Some(checkpoint) = log::newest_checkpoint(conn, epoch).await? else { continue };
            let (epoch, size) = (epoch.cast_signed(), checkpoint.size.cast_signed());
            signed.push((epoch, size));
            let run = run(conn, tenant, (epoch, size), (from, to)).await?;
            let path = match run {
                None => None,
                Some((_, last)) => {
                    let index = index_of(conn, tenant, epoch, last).await?;
                    let path = log::inclusion(conn, epoch.unsigned_abs(), index, checkpoint.size).await?;
                    Some(path.into_iter().map(Hex).collect())
                }
            };
            let (next, last) = run.unwrap_or((1, 0));
            let entries = (last + 1 - next).unsigned_abs();
            let log = Log { checkpoint: checkpoint.note, entries, path };
            sections.push_back(Section { epoch, log, next, last });
        }
        let (tenant, pending_after) = (tenant.clone(), Uuid::nil());
        Ok(Export { tenant, from, to, signed, sections, open: None, pending_after })
    }

    /// The next lines, at most about a thousand; nothing at the end. First each log with its entries, then the entries that
    /// no checkpoint covered when it began.
    pub async fn next(&mut self, conn: &mut AsyncPgConnection) -> Result<Option<Vec<Line>>> {
        if let Some(section) = &mut self.open {
            let page = section.page(conn, &self.tenant).await?;
            if section.next > section.last {
                self.open = None;
            }
            return Ok(Some(page));
        }
        if let Some(section) = self.sections.pop_front() {
            let line = Line::Log(section.log.clone());
            self.open = (section.next <= section.last).then_some(section);
            return Ok(Some(vec![line]));
        }
        let page = self.pending(conn).await?;
        Ok((!page.is_empty()).then_some(page))
    }

    async fn pending(&mut self, conn: &mut AsyncPgConnection) -> Result<Vec<Line>> {
        let (epochs, sizes): (Vec<i64>, Vec<i64>) = self.signed.iter().copied().unzip();
        let rows: Vec<Row> = sql_query(PENDING)
            .bind::<Text, _>(self.tenant.as_str())
            .bind::<SqlUuid, _>(self.pending_after)
            .bind::<Nullable<Timestamptz>, _>(self.from)
            .bind::<Nullable<Timestamptz>, _>(self.to)
            .bind::<Array<BigInt>, _>(epochs)
            .bind::<Array<BigInt>, _>(sizes)
            .bind::<BigInt, _>(PAGE)
            .load(conn)
            .await
            .or_fault()?;
        if let Some(last) = rows.last() {
            self.pending_after = last.id;
        }
        rows.into_iter().map(|row| row.open().map(Line::Entry)).collect()
    }
}

impl Section {
    async fn page(&mut self, conn: &mut AsyncPgConnection, tenant: &TenantId) -> Result<Vec<Line>> {
        let rows: Vec<Row> = sql_query(LEAVES)
            .bind::<Text, _>(tenant.as_str())
            .bind::<BigInt, _>(self.epoch)
            .bind::<BigInt, _>(self.next)
            .bind::<BigInt, _>(self.last.min(self.next + PAGE - 1))
            .load(conn)
            .await
            .or_fault()?;
        if rows.is_empty() {
            return Err(Fault::internal("the log holds leaves whose entries are not there"));
        }
        self.next += PAGE;
        rows.into_iter().map(|row| row.open().map(Line::Entry)).collect()
    }
}

/// The columns of [`Row`]; the leaf's are null where no leaf is asked for.
const LEAVES: &str = "SELECT e.id, e.at, e.tenant_id, e.actor, e.action, e.resource_kind, e.resource_id, e.outcome, \
    e.trace_id, e.detail, e.salt, e.commitment, l.idx, l.prev, l.tenant_number, l.tenant_prev \
    FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry_id \
    WHERE l.tenant_id = $1 AND l.epoch = $2 AND l.tenant_number BETWEEN $3 AND $4 ORDER BY l.tenant_number";

const PENDING: &str = "SELECT e.id, e.at, e.tenant_id, e.actor, e.action, e.resource_kind, e.resource_id, e.outcome, \
    e.trace_id, e.detail, e.salt, e.commitment, NULL::bigint AS idx, NULL::bytea AS prev, \
    NULL::bigint AS tenant_number, NULL::bytea AS tenant_prev \
    FROM audit_entry e WHERE e.tenant_id = $1 AND e.id > $2 \
    AND ($3::timestamptz IS NULL OR e.at >= $3) AND ($4::timestamptz IS NULL OR e.at < $4) \
    AND NOT EXISTS (SELECT 1 FROM audit_leaf l JOIN unnest($5::bigint[], $6::bigint[]) AS signed (epoch, size) \
        ON signed.epoch = l.epoch AND l.idx < signed.size WHERE l.entry_id = e.id) \
    ORDER BY e.id LIMIT $7";

#[derive(QueryableByName)]
struct Run {
    #[diesel(sql_type = Nullable<BigInt>)]
    first: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    last: Option<i64>,
}

/// The tenant's first and last number of a log within a time; from 1 on where the time has no beginning.
async fn run(
    conn: &mut AsyncPgConnection,
    tenant: &TenantId,
    (epoch, size): (i64, i64),
    (from, to): (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
) -> Result<Option<(i64, i64)>> {
    let found: Run = sql_query(
        "SELECT min(l.tenant_number) AS first, max(l.tenant_number) AS last \
         FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry_id \
         WHERE l.tenant_id = $1 AND l.epoch = $2 AND l.idx < $3 \
         AND ($4::timestamptz IS NULL OR e.at >= $4) AND ($5::timestamptz IS NULL OR e.at < $5)",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<BigInt, _>(epoch)
    .bind::<BigInt, _>(size)
    .bind::<Nullable<Timestamptz>, _>(from)
    .bind::<Nullable<Timestamptz>, _>(to)
    .get_result(conn)
    .await
    .or_fault()?;
    let first = if from.is_none() { found.first.map(|_| 1) } else { found.first };
    Ok(first.zip(found.last))
}

#[derive(QueryableByName)]
struct Index {
    #[diesel(sql_type = BigInt)]
    idx: i64,
}

async fn index_of(conn: &mut AsyncPgConnection, tenant: &TenantId, epoch: i64, number: i64) -> Result<u64> {
    let found: Index =
        sql_query("SELECT idx FROM audit_leaf WHERE tenant_id = $1 AND epoch = $2 AND tenant_number = $3")
            .bind::<Text, _>(tenant.as_str())
            .bind::<BigInt, _>(epoch)
            .bind::<BigInt, _>(number)
            .get_result(conn)
            .await
            .or_fault()?;
    Ok(found.idx.unsigned_abs())
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    at: DateTime<Utc>,
    #[diesel(sql_type = Nullable<Text>)]
    tenant_id: Option<String>,
    #[diesel(sql_type = Text)]
    actor: String,
    #[diesel(sql_type = Text)]
    action: String,
    #[diesel(sql_type = Text)]
    resource_kind: String,
    #[diesel(sql_type = Text)]
    resource_id: String,
    #[diesel(sql_type = Text)]
    outcome: String,
    #[diesel(sql_type = Nullable<Text>)]
    trace_id: Option<String>,
    #[diesel(sql_type = Jsonb)]
    detail: Value,
    #[diesel(sql_type = Bytea)]
    salt: Vec<u8>,
    #[diesel(sql_type = Bytea)]
    commitment: Vec<u8>,
    #[diesel(sql_type = Nullable<BigInt>)]
    idx: Option<i64>,
    #[diesel(sql_type = Nullable<Bytea>)]
    prev: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<BigInt>)]
    tenant_number: Option<i64>,
    #[diesel(sql_type = Nullable<Bytea>)]
    tenant_prev: Option<Vec<u8>>,
}

impl Row {
    fn open(self) -> Result<OpenEntry> {
        let leaf = match (self.idx, self.prev, self.tenant_number, self.tenant_prev) {
            (Some(index), Some(prev), Some(number), Some(tenant_prev)) => Some(Place {
                index: index.unsigned_abs(),
                prev: Hex(hash(&prev)?),
                tenant_number: number.unsigned_abs(),
                tenant_prev: Hex(hash(&tenant_prev)?),
            }),
            _ => None,
        };
        let salt = self.salt.as_slice().try_into();
        Ok(OpenEntry {
            id: self.id,
            at: self.at,
            tenant_id: self.tenant_id,
            actor: self.actor,
            action: self.action,
            resource_kind: self.resource_kind,
            resource_id: self.resource_id,
            outcome: self.outcome,
            trace_id: self.trace_id,
            detail: self.detail,
            salt: Hex(salt.map_err(|_| Fault::internal("a stored salt has not 16 bytes"))?),
            commitment: Hex(hash(&self.commitment)?),
            leaf,
        })
    }
}
