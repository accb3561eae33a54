//! Jobs that changed, in the order of their changes.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::Result;
use uuid::Uuid;

use super::Mandate;
use super::jobs::Row;
use super::schema::preflight_job as job;
use crate::app::job::Job;

#[derive(QueryableByName)]
struct Known {
    #[diesel(sql_type = Bool)]
    known: bool,
}

#[derive(QueryableByName)]
struct Mark {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
}

/// Whether this database gave out the cursor, with the mark that came with it.
pub async fn gave_out(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    cursor: i64,
    mark: Option<Uuid>,
) -> Result<bool> {
    const SQL: &str = "SELECT coalesce((SELECT revision FROM preflight_tenant WHERE tenant_id = $1), 0) >= $2
            AND ($3 IS NULL OR EXISTS (SELECT FROM preflight_mark WHERE tenant_id = $1 AND id = $3)) AS known";
    let found: Known = sql_query(SQL)
        .bind::<Text, _>(mandate.tenant().as_str())
        .bind::<BigInt, _>(cursor)
        .bind::<Nullable<SqlUuid>, _>(mark)
        .get_result(conn)
        .await
        .or_fault()?;
    Ok(found.known)
}

/// Up to `limit` of the tenant's jobs that changed after revision `cursor`.
pub async fn changed(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    cursor: i64,
    limit: i64,
) -> Result<Vec<Job>> {
    let rows: Vec<Row> = job::table
        .filter(job::tenant_id.eq(mandate.tenant().as_str()))
        .filter(job::revision.gt(cursor))
        .order(job::revision)
        .limit(limit)
        .select(Row::as_select())
        .load(conn)
        .await
        .or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// A mark that is committed after everything that this transaction has read: a restore that has the mark has all of it. None
/// where the tenant never had a job. Marks of pulls that are a day old go, but for the newest of them.
pub async fn mark(conn: &mut AsyncPgConnection, mandate: &impl Mandate) -> Result<Option<Uuid>> {
    const NOTE: &str = "INSERT INTO preflight_mark (tenant_id, revision)
        SELECT tenant_id, revision FROM preflight_tenant WHERE tenant_id = $1 ON CONFLICT DO NOTHING";
    const NEWEST: &str = "SELECT id FROM preflight_mark WHERE tenant_id = $1 ORDER BY revision DESC LIMIT 1";
    const FORGET: &str = "DELETE FROM preflight_mark WHERE tenant_id = $1 AND revision <
        (SELECT max(revision) FROM preflight_mark
            WHERE tenant_id = $1 AND made_at < clock_timestamp() - interval '1 day')";
    let tenant = mandate.tenant().as_str();
    if sql_query(NOTE).bind::<Text, _>(tenant).execute(conn).await.or_fault()? > 0 {
        sql_query(FORGET).bind::<Text, _>(tenant).execute(conn).await.or_fault()?;
    }
    let newest: Option<Mark> =
        sql_query(NEWEST).bind::<Text, _>(tenant).get_result(conn).await.optional().or_fault()?;
    Ok(newest.map(|mark| mark.id))
}
