//! Claims of idempotency keys.

use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};
use serde_json::Value;

use super::schema::idempotency;
use super::{Mandate, stored};

/// How long a request waits for another one that holds the same key (DESIGN §5).
pub const HOLDER_WAIT: Duration = Duration::from_secs(2);

/// What a key is unique for, besides the tenant and actor of the mandate.
pub struct Claim<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// The concrete path, ids included.
    pub path: &'a str,
    /// What the client sent.
    pub key: &'a str,
    /// SHA-256 of the request's canonical body.
    pub fingerprint: &'a [u8; 32],
}

/// What the first request under a key was, and what it was answered.
pub struct Recorded {
    /// SHA-256 of its body.
    pub fingerprint: Vec<u8>,
    /// The status of its answer.
    pub status: u16,
    /// The body of its answer.
    pub body: Value,
}

/// Claims the key for this transaction: `None` when it is ours now, else what is recorded under it.
///
/// A transaction that holds the same key makes us wait for its end, at most [`HOLDER_WAIT`]; then 409
/// `IDEMPOTENCY_IN_PROGRESS`.
pub async fn claim(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    claim: &Claim<'_>,
) -> Result<Option<Recorded>> {
    let wait = format!("SET LOCAL lock_timeout = '{}ms'", HOLDER_WAIT.as_millis());
    conn.batch_execute(&wait).await.or_fault()?;
    let asked = Instant::now();
    let inserted = diesel::insert_into(idempotency::table)
        .values((
            idempotency::tenant_id.eq(mandate.tenant().as_str()),
            idempotency::actor.eq(mandate.actor().to_string()),
            idempotency::method.eq(claim.method),
            idempotency::path.eq(claim.path),
            idempotency::key.eq(claim.key),
            idempotency::fingerprint.eq(claim.fingerprint.as_slice()),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await;
    match inserted {
        // diesel does not show SQLSTATE 55P03 (lock_not_available) and its text depends on the server's language;
        // an unclassified refusal after the whole wait can be nothing else.
        Err(Error::DatabaseError(DatabaseErrorKind::Unknown, _)) if asked.elapsed() >= HOLDER_WAIT => {
            return Err(in_progress());
        }
        other => {
            // The work that follows waits for its own locks as long as its deadline allows.
            if other.or_fault()? == 1 {
                conn.batch_execute("SET LOCAL lock_timeout = DEFAULT").await.or_fault()?;
                return Ok(None);
            }
        }
    }
    recorded(conn, mandate, claim).await.map(Some)
}

async fn recorded(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    claim: &Claim<'_>,
) -> Result<Recorded> {
    let (fingerprint, status, body): (Vec<u8>, Option<i16>, Option<Value>) = idempotency::table
        .find((mandate.tenant().as_str(), mandate.actor().to_string(), claim.method, claim.path, claim.key))
        .select((idempotency::fingerprint, idempotency::status, idempotency::body))
        .first(conn)
        .await
        .or_fault()?;
    match (status, body) {
        (Some(status), Some(body)) => {
            Ok(Recorded { fingerprint, status: stored("idempotency.status", u16::try_from(status))?, body })
        }
        _ => Err(in_progress()),
    }
}

/// Records the answer under the key that this transaction has claimed.
pub async fn answer(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    claim: &Claim<'_>,
    status: u16,
    body: &Value,
) -> Result<()> {
    let status = stored("idempotency.status", i16::try_from(status))?;
    diesel::update(idempotency::table.find((
        mandate.tenant().as_str(),
        mandate.actor().to_string(),
        claim.method,
        claim.path,
        claim.key,
    )))
    .set((idempotency::status.eq(status), idempotency::body.eq(body)))
    .execute(conn)
    .await
    .or_fault()?;
    Ok(())
}

fn in_progress() -> Fault {
    Fault::conflict(
        "IDEMPOTENCY_IN_PROGRESS",
        "a request with this Idempotency-Key is still being worked on: repeat this one a little later",
    )
    .retry_after(HOLDER_WAIT)
}
