//! Key-encryption keys, as the database knows them: which there are and how far their lives are, never a key.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Uuid as SqlUuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, KekId, TenantId};
use uuid::Uuid;

use super::schema::{evidence_wrapping as wrapping, kek};
use super::stored;

/// How far a key's life is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KekState {
    /// The provider has not made it yet, as far as is known.
    Pending,
    /// It takes records.
    Active,
    /// It takes none any more, and is destroyed when none is left.
    Closing,
    /// It is gone.
    Destroyed,
}

impl KekState {
    /// As it stands in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            KekState::Pending => "pending",
            KekState::Active => "active",
            KekState::Closing => "closing",
            KekState::Destroyed => "destroyed",
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// When the table holds another word.
    pub fn read(text: &str) -> Result<Self> {
        match text {
            "pending" => Ok(KekState::Pending),
            "active" => Ok(KekState::Active),
            "closing" => Ok(KekState::Closing),
            "destroyed" => Ok(KekState::Destroyed),
            other => Err(Fault::internal(format!("\"{other}\" is no state of a key"))),
        }
    }
}

/// For what a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// For the records that expire in a period: from its first day to the day after its last.
    Period {
        /// Its first day.
        start: NaiveDate,
        /// The first day after it.
        end: NaiveDate,
    },
    /// For one held record.
    Hold {
        /// Which.
        record: EvidenceId,
    },
}

/// A key-encryption key.
#[derive(Clone, Debug)]
pub struct Kek {
    /// `kek_…`.
    pub id: KekId,
    /// Whose.
    pub tenant: TenantId,
    /// For what.
    pub purpose: Purpose,
    /// How far its life is.
    pub state: KekState,
    /// Invocations of GCM that were reserved.
    pub invocations: u64,
    /// When its row was written.
    pub created_at: DateTime<Utc>,
    /// Since when it takes nothing any more.
    pub closed_at: Option<DateTime<Utc>>,
    /// When it was destroyed.
    pub destroyed_at: Option<DateTime<Utc>>,
    /// What says so: a PS256 JWT.
    pub certificate: Option<String>,
}

/// All columns of a key.
#[derive(Queryable, Selectable)]
#[diesel(table_name = kek, check_for_backend(diesel::pg::Pg))]
pub(super) struct Row {
    id: Uuid,
    tenant_id: String,
    purpose: String,
    period_start: Option<NaiveDate>,
    period_end: Option<NaiveDate>,
    record_id: Option<Uuid>,
    state: String,
    invocations: i64,
    created_at: DateTime<Utc>,
    closed_at: Option<DateTime<Utc>>,
    destroyed_at: Option<DateTime<Utc>>,
    certificate: Option<String>,
}

impl Row {
    pub(super) fn read(self) -> Result<Kek> {
        let purpose = match (self.purpose.as_str(), self.period_start, self.period_end, self.record_id) {
            ("period", Some(start), Some(end), _) => Ok(Purpose::Period { start, end }),
            ("hold", _, _, Some(record)) => Ok(Purpose::Hold { record: EvidenceId::from_uuid(record) }),
            (other, ..) => Err(format!("\"{other}\" without what belongs to it")),
        };
        Ok(Kek {
            id: KekId::from_uuid(self.id),
            tenant: stored("tenant_id", TenantId::parse(&self.tenant_id))?,
            purpose: stored("purpose", purpose)?,
            state: KekState::read(&self.state)?,
            invocations: self.invocations.unsigned_abs(),
            created_at: self.created_at,
            closed_at: self.closed_at,
            destroyed_at: self.destroyed_at,
            certificate: self.certificate,
        })
    }
}

/// A key of the tenant's.
///
/// # Errors
/// 503 when the database is away.
pub async fn find(conn: &mut AsyncPgConnection, tenant: &TenantId, id: KekId) -> Result<Option<Kek>> {
    let row: Option<Row> = kek::table
        .filter(kek::id.eq(id.as_uuid()))
        .filter(kek::tenant_id.eq(tenant.as_str()))
        .select(Row::as_select())
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    row.map(Row::read).transpose()
}

/// Every key that ever wrapped this record's, oldest first.
///
/// # Errors
/// 503 when the database is away.
pub async fn that_wrapped(conn: &mut AsyncPgConnection, record: EvidenceId) -> Result<Vec<Kek>> {
    let rows: Vec<Row> = wrapping::table
        .inner_join(kek::table.on(kek::id.eq(wrapping::kek_id)))
        .filter(wrapping::record_id.eq(record.as_uuid()))
        .order(kek::id)
        .select(Row::as_select())
        .load(conn)
        .await
        .or_fault()?;
    rows.into_iter().map(Row::read).collect()
}

/// The key that takes records for this purpose, `pending` or `active`; it is written down as `pending` where there is none.
///
/// # Errors
/// 503 when the database is away.
pub async fn find_or_begin(conn: &mut AsyncPgConnection, tenant: &TenantId, purpose: Purpose) -> Result<Kek> {
    // Whoever loses a race finds the winner's; two rounds, should that one be closed in the very moment.
    for _ in 0..2 {
        if let Some(kek) = taking(conn, tenant, purpose).await? {
            return Ok(kek);
        }
        let (name, period, record) = match purpose {
            Purpose::Period { start, end } => ("period", Some((start, end)), None),
            Purpose::Hold { record } => ("hold", None, Some(record.as_uuid())),
        };
        diesel::insert_into(kek::table)
            .values((
                kek::id.eq(KekId::new().as_uuid()),
                kek::tenant_id.eq(tenant.as_str()),
                kek::purpose.eq(name),
                kek::period_start.eq(period.map(|(start, _)| start)),
                kek::period_end.eq(period.map(|(_, end)| end)),
                kek::record_id.eq(record),
                kek::state.eq(KekState::Pending.as_str()),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
            .await
            .or_fault()?;
    }
    taking(conn, tenant, purpose).await?.ok_or_else(|| {
        let sentence = "the key for this record was closed in this moment; the same request may work now";
        Fault::unavailable("KEYS_UNAVAILABLE", sentence)
    })
}

async fn taking(conn: &mut AsyncPgConnection, tenant: &TenantId, purpose: Purpose) -> Result<Option<Kek>> {
    let mut query = kek::table
        .filter(kek::tenant_id.eq(tenant.as_str()))
        .filter(kek::state.eq_any([KekState::Pending.as_str(), KekState::Active.as_str()]))
        .select(Row::as_select())
        .into_boxed();
    query = match purpose {
        Purpose::Period { start, end } => query
            .filter(kek::purpose.eq("period"))
            .filter(kek::period_start.eq(start))
            .filter(kek::period_end.eq(end)),
        Purpose::Hold { record } => {
            query.filter(kek::purpose.eq("hold")).filter(kek::record_id.eq(record.as_uuid()))
        }
    };
    let row: Option<Row> = query.first(conn).await.optional().or_fault()?;
    row.map(Row::read).transpose()
}

/// The provider has made a key: true where this call was the one that wrote it down.
///
/// # Errors
/// 503 when the database is away.
pub async fn activate(conn: &mut AsyncPgConnection, id: KekId) -> Result<bool> {
    let pending =
        kek::table.filter(kek::id.eq(id.as_uuid())).filter(kek::state.eq(KekState::Pending.as_str()));
    let changed = diesel::update(pending)
        .set(kek::state.eq(KekState::Active.as_str()))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(changed == 1)
}

/// Reserves `block` invocations of an active key before one of them is made; false where the budget is spent, or the key
/// takes nothing any more.
///
/// # Errors
/// 503 when the database is away.
pub async fn reserve(conn: &mut AsyncPgConnection, id: KekId, block: u64, budget: u64) -> Result<bool> {
    const SQL: &str = "UPDATE kek SET invocations = invocations + $2
        WHERE id = $1 AND state = 'active' AND invocations + $2 <= $3";
    let number = |value: u64| i64::try_from(value).map_err(Fault::internal);
    let reserved = sql_query(SQL)
        .bind::<SqlUuid, _>(id.as_uuid())
        .bind::<BigInt, _>(number(block)?)
        .bind::<BigInt, _>(number(budget)?)
        .execute(conn)
        .await
        .or_fault()?;
    Ok(reserved == 1)
}

/// Whether a key is active, and it stays so until the transaction ends: records commit under this and destruction waits.
///
/// # Errors
/// 503 when the database is away.
pub async fn share_active(conn: &mut AsyncPgConnection, tenant: &TenantId, id: KekId) -> Result<bool> {
    let state: Option<String> = kek::table
        .filter(kek::id.eq(id.as_uuid()))
        .filter(kek::tenant_id.eq(tenant.as_str()))
        .select(kek::state)
        .for_share()
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(state.as_deref() == Some(KekState::Active.as_str()))
}

/// Lets a key take nothing any more; true where it did until now.
///
/// # Errors
/// 503 when the database is away.
pub async fn close(conn: &mut AsyncPgConnection, tenant: &TenantId, id: KekId) -> Result<bool> {
    let open = kek::table
        .filter(kek::id.eq(id.as_uuid()))
        .filter(kek::tenant_id.eq(tenant.as_str()))
        .filter(kek::state.eq_any([KekState::Pending.as_str(), KekState::Active.as_str()]));
    let changed = diesel::update(open)
        .set((
            kek::state.eq(KekState::Closing.as_str()),
            kek::closed_at.eq(diesel::dsl::sql("clock_timestamp()")),
        ))
        .execute(conn)
        .await
        .or_fault()?;
    Ok(changed == 1)
}
