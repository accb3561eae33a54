//! One chunk of a publication: the ledger's row and the codes, in one transaction.
//!
//! It runs on a raw connection, because diesel-async has no COPY and does not share its client.

use bytes::Bytes;
use mintmark_auth::Permit;
use mintmark_auth::action::PublishCodes;
use mintmark_codes::StoredHash;
use mintmark_db::raw_fault;
use mintmark_fault::{Fault, Kind};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Transaction};
use tracing::Instrument;

use super::copy::{self, CopyRows};
use crate::app::publication::{Publication, closed, stale_fence};

/// Bytes of one row of a code table in the format of COPY.
const ROW_BYTES: usize = 2 + (4 + 16) + (4 + 8) + (4 + 4);

/// A chunk that is ready to be written.
pub struct PreparedChunk {
    /// Its number.
    pub chunk: u32,
    /// How many units it has.
    pub units: usize,
    /// SHA-256 of its digests, end to end.
    pub digest: [u8; 32],
    /// Its rows.
    pub rows: Bytes,
}

/// The rows of a code table; `codes` are hash and serial number of each unit.
pub fn code_rows(publication: i32, codes: &[(StoredHash, i64)]) -> Bytes {
    let mut rows = CopyRows::with_capacity(codes.len(), ROW_BYTES);
    for (hash, serial) in codes {
        rows.row(3);
        rows.uuid(hash.as_bytes());
        rows.bigint(*serial);
        rows.integer(publication);
    }
    rows.finish()
}

/// Writes a chunk, unless the ledger has it: then its digest must be the same. Answers whether it was written now.
///
/// # Errors
/// `STALE_FENCE`, `FENCE_NOT_OPENED`, `PUBLICATION_CLOSED`, `CHUNK_DIFFERS`, `CODE_EXISTS`; nothing is written then.
pub async fn write(
    client: &mut Client,
    permit: &Permit<PublishCodes>,
    publication: &Publication,
    fence: i64,
    chunk: &PreparedChunk,
) -> Result<bool, Fault> {
    let number = i32::try_from(chunk.chunk).map_err(Fault::internal)?;
    let units = i32::try_from(chunk.units).map_err(Fault::internal)?;
    let digest: &[u8] = &chunk.digest;

    let transaction = client.transaction().await.map_err(raw_fault)?;
    let tenant = permit.tenant().as_str();
    let lock: [(&(dyn ToSql + Sync), Type); 2] = [(&publication.id, Type::INT4), (&tenant, Type::TEXT)];
    let enter: [(&(dyn ToSql + Sync), Type); 4] =
        [(&publication.id, Type::INT4), (&number, Type::INT4), (&digest, Type::BYTEA), (&units, Type::INT4)];
    // Sent together: the server takes the lock first and enters the chunk under it; a refusal takes both back.
    let (locked, entered) = futures::try_join!(
        transaction.query_typed(
            "SELECT fence, state, revoked_at IS NOT NULL FROM publication
             WHERE id = $1 AND tenant_id = $2 FOR NO KEY UPDATE",
            &lock,
        ),
        transaction.query_typed(
            "INSERT INTO publication_chunk (publication_id, chunk, digest, units) VALUES ($1, $2, $3, $4)
             ON CONFLICT DO NOTHING RETURNING chunk",
            &enter,
        ),
    )
    .map_err(raw_fault)?;
    check(&locked, fence)?;
    if entered.is_empty() {
        compare(&transaction, publication, number, digest).await?;
        return Ok(false);
    }
    let span = tracing::info_span!(
        "db.copy",
        otel.name = "COPY code",
        otel.kind = "client",
        db.system.name = "postgresql",
        units,
    );
    copy_codes(&transaction, publication, chunk).instrument(span).await?;
    let count: [(&(dyn ToSql + Sync), Type); 2] =
        [(&publication.id, Type::INT4), (&i64::from(units), Type::INT8)];
    transaction
        .query_typed("UPDATE publication SET units_published = units_published + $2 WHERE id = $1", &count)
        .await
        .map_err(raw_fault)?;
    transaction.commit().await.map_err(raw_fault)?;
    Ok(true)
}

fn check(locked: &[Row], fence: i64) -> Result<(), Fault> {
    let row = locked.first().ok_or_else(|| Fault::not_found("publication"))?;
    let held: i64 = row.try_get(0).map_err(raw_fault)?;
    let state: &str = row.try_get(1).map_err(raw_fault)?;
    let revoked: bool = row.try_get(2).map_err(raw_fault)?;
    if fence < held {
        return Err(stale_fence());
    }
    if fence > held {
        return Err(Fault::conflict(
            "FENCE_NOT_OPENED",
            "this fence has not taken the publication over; open the publication with it first",
        ));
    }
    match state {
        _ if revoked => Err(closed("recalled")),
        "open" => Ok(()),
        "sealed" => Err(closed("sealed")),
        _ => Err(closed("aborted")),
    }
}

/// The ledger has the chunk: it must be this one.
async fn compare(
    transaction: &Transaction<'_>,
    publication: &Publication,
    number: i32,
    digest: &[u8],
) -> Result<(), Fault> {
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&publication.id, Type::INT4), (&number, Type::INT4), (&digest, Type::BYTEA)];
    let same = transaction
        .query_typed(
            "SELECT FROM publication_chunk WHERE publication_id = $1 AND chunk = $2 AND digest = $3",
            &parameters,
        )
        .await
        .map_err(raw_fault)?;
    if same.is_empty() {
        return Err(Fault::conflict(
            "CHUNK_DIFFERS",
            "this chunk was published with other digests; the batch must fail",
        )
        .with("chunk", number));
    }
    Ok(())
}

async fn copy_codes(
    transaction: &Transaction<'_>,
    publication: &Publication,
    chunk: &PreparedChunk,
) -> Result<(), Fault> {
    let statement = format!(
        "COPY code_{:04} (hash, serial, publication_id) FROM STDIN (FORMAT binary)",
        publication.partition
    );
    let sink = transaction.copy_in(statement.as_str()).await.map_err(raw_fault)?;
    let counted = copy::send(sink, chunk.rows.clone()).await.map_err(|error| {
        if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
            tracing::error!(
                batch.id = %publication.terms.batch,
                chunk = chunk.chunk,
                "a code is in the directory already: at 90 bits this is a defect, not chance"
            );
            return Fault::new(
                Kind::Conflict,
                "CODE_EXISTS",
                "a code of this chunk is in the directory already; the batch must fail",
            )
            .with("chunk", chunk.chunk);
        }
        raw_fault(error)
    })?;
    if counted != chunk.units as u64 {
        return Err(copy::miscounted(chunk.units, counted));
    }
    Ok(())
}
