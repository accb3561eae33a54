//! Policies of a tenant's own.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};

use super::Mandate;
use super::schema::{preflight_policy as policy, preflight_policy_head as head};

/// A version of a policy.
#[derive(Clone, Debug, Queryable)]
pub struct OwnPolicy {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// A line for people.
    pub title: String,
    /// JSON.
    pub document: String,
    /// When it was stored.
    pub created_at: DateTime<Utc>,
}

/// The newest version of each of the tenant's policies that is not withdrawn, by name.
pub async fn list(conn: &mut AsyncPgConnection, mandate: &impl Mandate) -> Result<Vec<OwnPolicy>> {
    policy::table
        .inner_join(
            head::table.on(head::tenant_id
                .eq(policy::tenant_id)
                .and(head::name.eq(policy::name))
                .and(head::version.eq(policy::version))),
        )
        .filter(policy::tenant_id.eq(mandate.tenant().as_str()))
        .filter(head::withdrawn_at.is_null())
        .order(policy::name)
        .select((policy::name, policy::version, policy::title, policy::document, policy::created_at))
        .load(conn)
        .await
        .or_fault()
}

/// A policy that is not withdrawn: one version, or the newest.
pub async fn find(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    name: &str,
    version: Option<i32>,
) -> Result<Option<OwnPolicy>> {
    let tenant = mandate.tenant().as_str();
    let newest: Option<(i32, Option<DateTime<Utc>>)> = head::table
        .find((tenant, name))
        .select((head::version, head::withdrawn_at))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    let Some((newest, None)) = newest else { return Ok(None) };
    policy::table
        .find((tenant, name, version.unwrap_or(newest)))
        .select((policy::name, policy::version, policy::title, policy::document, policy::created_at))
        .first(conn)
        .await
        .optional()
        .or_fault()
}

/// Lets no other change of the tenant's policies in until the transaction ends.
pub async fn hold(conn: &mut AsyncPgConnection, mandate: &impl Mandate) -> Result<()> {
    const SQL: &str =
        "SELECT pg_advisory_xact_lock(hashtextextended('mintmark.preflight.policies ' || $1, 0))";
    sql_query(SQL).bind::<Text, _>(mandate.tenant().as_str()).execute(conn).await.or_fault()?;
    Ok(())
}

/// How many names and how many versions in all the tenant has, withdrawn ones too.
pub async fn counts(conn: &mut AsyncPgConnection, mandate: &impl Mandate) -> Result<(i64, i64)> {
    #[derive(QueryableByName)]
    struct Counts {
        #[diesel(sql_type = BigInt)]
        names: i64,
        #[diesel(sql_type = BigInt)]
        versions: i64,
    }
    const SQL: &str = "SELECT count(DISTINCT name) AS names, count(*) AS versions FROM preflight_policy
        WHERE tenant_id = $1";
    let counts: Counts =
        sql_query(SQL).bind::<Text, _>(mandate.tenant().as_str()).get_result(conn).await.or_fault()?;
    Ok((counts.names, counts.versions))
}

/// The newest version of a name, withdrawn or not.
pub async fn newest(conn: &mut AsyncPgConnection, mandate: &impl Mandate, name: &str) -> Result<Option<i32>> {
    let found = head::table.find((mandate.tenant().as_str(), name)).select(head::version);
    found.first(conn).await.optional().or_fault()
}

/// Adds a version and makes it the newest.
pub async fn add(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    name: &str,
    version: i32,
    (title, document): (&str, &str),
    created_by: &str,
) -> Result<()> {
    let tenant = mandate.tenant().as_str();
    diesel::insert_into(policy::table)
        .values((
            policy::tenant_id.eq(tenant),
            policy::name.eq(name),
            policy::version.eq(version),
            policy::title.eq(title),
            policy::document.eq(document),
            policy::created_by.eq(created_by),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    diesel::insert_into(head::table)
        .values((head::tenant_id.eq(tenant), head::name.eq(name), head::version.eq(version)))
        .on_conflict((head::tenant_id, head::name))
        .do_update()
        .set((head::version.eq(version), head::withdrawn_at.eq(None::<DateTime<Utc>>)))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// Withdraws a policy; one that is withdrawn stays so.
///
/// # Errors
/// 404 when the tenant has none of this name.
pub async fn withdraw(conn: &mut AsyncPgConnection, mandate: &impl Mandate, name: &str) -> Result<()> {
    const SQL: &str =
        "UPDATE preflight_policy_head SET withdrawn_at = coalesce(withdrawn_at, clock_timestamp())
        WHERE tenant_id = $1 AND name = $2";
    let changed = sql_query(SQL)
        .bind::<Text, _>(mandate.tenant().as_str())
        .bind::<Text, _>(name)
        .execute(conn)
        .await
        .or_fault()?;
    if changed == 1 { Ok(()) } else { Err(Fault::not_found("policy")) }
}
