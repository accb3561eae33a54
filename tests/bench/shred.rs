//! Erasing records to their end, proofs and audit entries included, against openssl's bare signatures.

use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use mintmark_auth::{DisputeClaim, DisputeState};
use mintmark_ids::{DisputeId, EvidenceId};
use mintmark_wire::evidence::v1::{UploadEnd, UploadHeader, UploadRequest, upload_request::Piece};

use crate::report::{Better, ROUNDS, Report, Round};
use crate::vault::Vault;
use crate::{Result, block_on};

/// Records of a run: four batches.
const RECORDS: usize = 1024;
/// Bytes of each.
const BYTES: usize = 4096;
/// Uploads at once, which nobody measures.
const UPLOADS: usize = 32;
const WITHIN: Duration = Duration::from_secs(120);

/// Records a second, from the first whose erasure begins to the last that is deleted, by the database's clock.
pub fn shred(report: &mut Report) -> Result {
    block_on(async {
        let vault = Vault::start(&[("RETENTION_RUN_SECS", "86400")]).await?;
        let database = vault.sql().await?;
        let mut rounds = Vec::new();
        for round in 0..=ROUNDS {
            upload(&vault).await?;
            let ours = erase(&database).await?;
            let baseline = tokio::task::spawn_blocking(openssl).await??;
            if round > 0 {
                rounds.push(Round { ours, baseline });
            }
        }
        report.note("1,024 records of 4 KiB in batches of 256, RSA of 2048 bits, Postgres and folder on the same disk");
        report.figure("shred", "records/s; the baseline is signatures/s of one core", Better::More, &rounds)
    })
}

async fn upload(vault: &Vault) -> Result {
    let (client, permit) = (vault.client()?, vault.uploader()?);
    let dispute = DisputeClaim { id: DisputeId::new(), state: DisputeState::Open };
    let uploads = (0..RECORDS).map(|_| client.upload(&permit, dispute, messages()));
    stream::iter(uploads).buffer_unordered(UPLOADS).try_for_each(|_| async { Ok(()) }).await?;
    Ok(())
}

fn messages() -> impl futures::Stream<Item = UploadRequest> + Send + 'static {
    let header = UploadHeader {
        evidence_id: EvidenceId::new().to_string(),
        media_type: "application/octet-stream".to_owned(),
        bytes: Some(BYTES as u64),
    };
    let pieces = [
        Piece::Header(header),
        Piece::Data(Bytes::from(vec![7; BYTES])),
        Piece::End(UploadEnd { bytes: BYTES as u64 }),
    ];
    stream::iter(pieces.map(|piece| UploadRequest { piece: Some(piece) }))
}

async fn erase(database: &tokio_postgres::Client) -> Result<f64> {
    database
        .batch_execute("CHECKPOINT; UPDATE evidence SET expires_at = now() WHERE state = 'stored'")
        .await?;
    let sql = "INSERT INTO jobs (id, kind, tenant_id, actor, payload, max_attempts)
        VALUES (gen_random_uuid(), 'data_retention', 'bench', 'service:evidence-vault', '{}', 1)";
    let since: chrono::DateTime<chrono::Utc> =
        database.query_one("SELECT clock_timestamp()", &[]).await?.get(0);
    database.execute(sql, &[]).await?;
    let begun = Instant::now();
    let done = "SELECT count(deleted_at), count(DISTINCT jwt),
            extract(epoch FROM max(deleted_at) - min(erased_at))::float8
        FROM evidence JOIN erasure_proof ON record_id = evidence.id WHERE erased_at > $1";
    loop {
        let row = database.query_one(done, &[&since]).await?;
        let (deleted, proofs): (i64, i64) = (row.get(0), row.get(1));
        if deleted == RECORDS as i64 {
            if proofs != deleted {
                return Err(format!("{deleted} records are erased with {proofs} proofs").into());
            }
            return Ok(RECORDS as f64 / row.get::<_, f64>(2));
        }
        if begun.elapsed() > WITHIN {
            return Err(format!("{deleted} of {RECORDS} records are erased").into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Signatures a second on one core.
fn openssl() -> Result<f64> {
    let output = Command::new("openssl").args(["speed", "-seconds", "2", "rsa2048"]).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        said.lines().find(|line| line.starts_with("rsa 2048 bits")).ok_or("openssl speed said nothing")?;
    let signatures = line.split_whitespace().rev().nth(1).ok_or("openssl speed said something else")?;
    Ok(signatures.parse()?)
}
