//! Sums of scans: how they come in ([`pulling`]), and what a brand sees of them.

pub mod pulling;

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Date, Nullable, Text, Uuid as SqlUuid};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_auth::action::{ViewBatch, ViewBrand};
use mintmark_auth::policy::Permit;
use mintmark_codes::Gtin;
use mintmark_db::Meaning;
use mintmark_fault::Result;
use mintmark_ids::{BatchId, ProductId, TenantId};
use uuid::Uuid;

use super::schema::scan_cursor;
use super::{stored, unsigned};

/// Days in UTC, both of them included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    /// The first.
    pub from: NaiveDate,
    /// The last.
    pub to: NaiveDate,
}

/// How many scans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// All of them, by people.
    pub scans: u64,
    /// Those that activated their unit.
    pub first_activations: u64,
    /// Those that found no unit on sale: no such code, a batch that is not sealed, a recalled unit.
    pub went_nowhere: u64,
}

/// The scans of one product.
#[derive(Clone, Debug)]
pub struct OfProduct {
    /// The product.
    pub product: ProductId,
    /// Its GTIN.
    pub gtin: Gtin,
    /// Its name.
    pub name: String,
    /// How many.
    pub count: Count,
}

/// The scans of a batch or a brand.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// By day, in order; days without scans are left out.
    pub by_day: Vec<(NaiveDate, Count)>,
    /// By country, most scans first; `None` where no country is known.
    pub by_country: Vec<(Option<String>, Count)>,
    /// By product, most scans first; empty for a batch.
    pub by_product: Vec<OfProduct>,
}

/// What a row of the answer adds up, which says which of its keys counts.
const BY_DAY: i64 = 0;
const BY_COUNTRY: i64 = 1;

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    kind: i64,
    #[diesel(sql_type = Nullable<Date>)]
    day: Option<NaiveDate>,
    #[diesel(sql_type = Nullable<Text>)]
    country: Option<String>,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    product_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Text>)]
    gtin: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
    #[diesel(sql_type = BigInt)]
    scans: i64,
    #[diesel(sql_type = BigInt)]
    first_activations: i64,
    #[diesel(sql_type = BigInt)]
    went_nowhere: i64,
}

/// What every query adds up. One statement gives all groupings, so that they agree with each other.
macro_rules! figures {
    ($keys:literal, $from:literal) => {
        concat!(
            "SELECT CASE WHEN grouping(s.day) = 0 THEN 0 WHEN grouping(s.country) = 0 THEN 1 ELSE 2 END::int8 AS kind, \
                s.day, s.country, ",
            $keys,
            ", sum(s.scans)::int8 AS scans, sum(s.first_activations)::int8 AS first_activations, \
                coalesce(sum(s.scans) FILTER (WHERE s.outcome IN ('unknown', 'unpublished', 'recalled')), 0)::int8 \
                AS went_nowhere FROM ",
            $from
        )
    };
}

/// The scans of a batch. The permit was made for the brand of this batch.
pub async fn of_batch(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewBatch>,
    id: BatchId,
    days: Days,
) -> Result<Figures> {
    const SQL: &str = figures!(
        "NULL::uuid AS product_id, NULL::text AS gtin, NULL::text AS name",
        "scan_summary s WHERE s.tenant_id = $1 AND s.batch_id = $2 AND s.day BETWEEN $3 AND $4 \
         GROUP BY GROUPING SETS ((s.day), (s.country))"
    );
    load(conn, SQL, permit.tenant(), id.as_uuid(), days).await
}

/// The scans of the permit's brand, by product too.
pub async fn of_brand(
    conn: &mut AsyncPgConnection,
    permit: &Permit<ViewBrand>,
    days: Days,
) -> Result<Figures> {
    const SQL: &str = figures!(
        "p.id AS product_id, p.gtin::text AS gtin, p.name",
        "product p JOIN scan_summary s ON s.tenant_id = p.tenant_id AND s.product_id = p.id \
         WHERE p.tenant_id = $1 AND p.brand_id = $2 AND s.day BETWEEN $3 AND $4 \
         GROUP BY GROUPING SETS ((s.day), (s.country), (p.id, p.gtin, p.name))"
    );
    load(conn, SQL, permit.tenant(), permit.brand().as_uuid(), days).await
}

/// When everything that the directory had was last here; `None` before the first time.
pub async fn as_of(conn: &mut AsyncPgConnection, tenant: &TenantId) -> Result<Option<DateTime<Utc>>> {
    let found: Option<Option<DateTime<Utc>>> = scan_cursor::table
        .find(tenant.as_str())
        .select(scan_cursor::pulled_at)
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(found.flatten())
}

async fn load(
    conn: &mut AsyncPgConnection,
    sql: &'static str,
    tenant: &TenantId,
    of: Uuid,
    days: Days,
) -> Result<Figures> {
    let rows: Vec<Row> = sql_query(sql)
        .bind::<Text, _>(tenant.as_str())
        .bind::<SqlUuid, _>(of)
        .bind::<Date, _>(days.from)
        .bind::<Date, _>(days.to)
        .load(conn)
        .await
        .or_fault()?;
    let mut figures = Figures::default();
    for row in rows {
        let count = Count {
            scans: unsigned("scan_summary.scans", row.scans)?,
            first_activations: unsigned("scan_summary.first_activations", row.first_activations)?,
            went_nowhere: unsigned("scan_summary.scans", row.went_nowhere)?,
        };
        match (row.kind, row.day, row.product_id) {
            (BY_DAY, Some(day), _) => figures.by_day.push((day, count)),
            (BY_COUNTRY, ..) => figures.by_country.push((row.country, count)),
            (_, _, Some(product)) => figures.by_product.push(OfProduct {
                product: ProductId::from_uuid(product),
                gtin: stored("product.gtin", Gtin::parse(&row.gtin.unwrap_or_default()))?,
                name: row.name.unwrap_or_default(),
                count,
            }),
            // No other grouping was asked for.
            _ => {}
        }
    }
    figures.by_day.sort_by_key(|(day, _)| *day);
    figures.by_country.sort_by(|a, b| b.1.scans.cmp(&a.1.scans).then_with(|| a.0.cmp(&b.0)));
    figures
        .by_product
        .sort_by(|a, b| b.count.scans.cmp(&a.count.scans).then_with(|| a.gtin.as_str().cmp(b.gtin.as_str())));
    Ok(figures)
}
