//! Sums of scans.

use chrono::NaiveDate;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::Permit;
use mintmark_auth::action::ReadDirectory;
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{BatchId, ProductId};
use uuid::Uuid;

use super::schema::{scan_summary, scan_summary_mark};
use crate::app::summaries::{Summary, Summed};

/// The tenant's rows that changed after revision `cursor`, in the order of their changes.
pub async fn changed(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ReadDirectory>,
    cursor: i64,
    limit: i64,
) -> Result<Vec<Summary>> {
    type Row = (NaiveDate, Uuid, Option<Uuid>, Option<String>, String, i64, i64, i64);
    let rows: Vec<Row> = scan_summary::table
        .filter(scan_summary::tenant_id.eq(permit.tenant().as_str()))
        .filter(scan_summary::revision.gt(cursor))
        .order(scan_summary::revision)
        .limit(limit)
        .select((
            scan_summary::day,
            scan_summary::product_id,
            scan_summary::batch_id,
            scan_summary::country,
            scan_summary::outcome,
            scan_summary::scans,
            scan_summary::first_activations,
            scan_summary::revision,
        ))
        .load(conn)
        .await
        .or_fault()?;
    let read = |(day, product, batch, country, outcome, scans, first_activations, revision): Row| Summary {
        day,
        product: ProductId::from_uuid(product),
        batch: batch.map(BatchId::from_uuid),
        country,
        outcome,
        scans,
        first_activations,
        revision,
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Whether this database gave out the cursor, with the mark that came with it.
pub async fn gave_out(conn: &mut AsyncPgConnection, cursor: i64, mark: Option<Uuid>) -> Result<bool> {
    const SQL: &str =
        "SELECT value >= $1 AND ($2 IS NULL OR EXISTS (SELECT FROM scan_summary_mark WHERE id = $2)) AS known
        FROM scan_summary_counter";
    let found: Known = sql_query(SQL)
        .bind::<BigInt, _>(cursor)
        .bind::<Nullable<SqlUuid>, _>(mark)
        .get_result(conn)
        .await
        .or_fault()?;
    Ok(found.known)
}

/// The newest mark; none where nothing was summed yet.
pub async fn newest_mark(conn: &mut AsyncPgConnection) -> Result<Option<Uuid>> {
    scan_summary_mark::table
        .order(scan_summary_mark::revision.desc())
        .select(scan_summary_mark::id)
        .first(conn)
        .await
        .optional()
        .or_fault()
}

/// One process at a time, until the transaction ends; the others have nothing to wait for.
const MY_TURN: &str =
    "SELECT pg_try_advisory_xact_lock(hashtextextended('mintmark.resolver.sum_scans', 0)) AS mine";
/// Segments that are not summed. What is not committed yet is not seen, and comes with its own mark later: there is no
/// horizon to keep, whatever order segments commit in.
const WAITING: &str = "SELECT id, rows FROM scan_segment WHERE summed_at IS NULL ORDER BY seq LIMIT $1";
const MARK: &str = "UPDATE scan_segment SET summed_at = clock_timestamp() WHERE id = ANY($1)";
/// Nobody else is at it, so the counter is what this transaction made of it. The newest mark that is a day old stays
/// until the next one is a day old: whoever pulls daily finds its own.
const NOTE: &str = "INSERT INTO scan_summary_mark (revision) SELECT value FROM scan_summary_counter";
const FORGET_MARKS: &str = "DELETE FROM scan_summary_mark WHERE revision <
    (SELECT max(revision) FROM scan_summary_mark WHERE made_at < clock_timestamp() - interval '1 day')";
/// The segments come as an array, so that each partition is asked by its index. An event whose product nobody knows is
/// nobody's. An unknown code that names a publication belongs to a batch that is not, or will never be, on sale.
const ADD: &str = "WITH events AS (
        SELECT coalesce(u.tenant_id, p.tenant_id) AS tenant_id, (e.at AT TIME ZONE 'UTC')::date AS day,
            coalesce(u.product_id, p.product_id) AS product_id, u.batch_id, e.country,
            CASE WHEN e.outcome = 'unknown' AND u.id IS NOT NULL THEN 'unpublished' ELSE e.outcome END AS outcome
        FROM scan_event e
            LEFT JOIN publication u ON u.id = e.publication_id
            LEFT JOIN product p ON p.product_id = e.product_id
        WHERE e.segment_id = ANY($1)),
    sums AS (
        SELECT tenant_id, day, product_id, batch_id, country, outcome, count(*) AS scans,
            count(*) FILTER (WHERE outcome = 'activated_now') AS first_activations, row_number() OVER () AS number
        FROM events WHERE product_id IS NOT NULL
        GROUP BY tenant_id, day, product_id, batch_id, country, outcome),
    counter AS (
        UPDATE scan_summary_counter SET value = value + (SELECT count(*) FROM sums)
        RETURNING value - (SELECT count(*) FROM sums) AS before)
    INSERT INTO scan_summary AS s
            (tenant_id, day, product_id, batch_id, country, outcome, scans, first_activations, revision)
        SELECT tenant_id, day, product_id, batch_id, country, outcome, scans, first_activations, before + number
        FROM sums, counter
        ON CONFLICT ON CONSTRAINT scan_summary_key DO UPDATE
            SET scans = s.scans + excluded.scans,
                first_activations = s.first_activations + excluded.first_activations,
                revision = excluded.revision";

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Bool)]
    known: bool,
}

#[derive(QueryableByName)]
struct Turn {
    #[diesel(sql_type = Bool)]
    mine: bool,
}

#[derive(QueryableByName)]
struct Segment {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Integer)]
    rows: i32,
}

/// Adds up to `limit` segments to the sums, inside the caller's transaction, which must run alone. `None` when another
/// process is at it.
pub async fn add(conn: &mut AsyncPgConnection, limit: u16) -> Result<Option<Summed>> {
    let turn: Turn = sql_query(MY_TURN).get_result(conn).await.or_fault()?;
    if !turn.mine {
        return Ok(None);
    }
    let segments: Vec<Segment> =
        sql_query(WAITING).bind::<BigInt, _>(i64::from(limit)).load(conn).await.or_fault()?;
    if segments.is_empty() {
        return Ok(Some(Summed::default()));
    }
    let ids: Vec<Uuid> = segments.iter().map(|segment| segment.id).collect();
    let changed = sql_query(ADD).bind::<Array<SqlUuid>, _>(&ids).execute(conn).await.or_fault()?;
    if changed > 0 {
        sql_query(NOTE).execute(conn).await.or_fault()?;
        sql_query(FORGET_MARKS).execute(conn).await.or_fault()?;
    }
    sql_query(MARK).bind::<Array<SqlUuid>, _>(&ids).execute(conn).await.or_fault()?;
    let events = segments.iter().map(|segment| u64::from(segment.rows.unsigned_abs())).sum();
    Ok(Some(Summed { segments: segments.len(), events }))
}
