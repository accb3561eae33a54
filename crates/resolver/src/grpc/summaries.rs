//! Sums of scans, between messages and what the use case speaks.

use mintmark_fault::{Fault, Result};
use mintmark_wire::directory::v1::{PullScansRequest, PullScansResponse, ScanOutcome, ScanSummary};

use uuid::Uuid;

use crate::app::summaries::{Pulled, Summary};

/// Most rows of one answer; about half a megabyte.
const MOST: u16 = 5_000;

/// Cursor, mark and limit.
pub fn window(message: &PullScansRequest) -> Result<(i64, Option<Uuid>, u16)> {
    let cursor = i64::try_from(message.cursor).map_err(|_| {
        Fault::invalid("CURSOR_OUT_OF_RANGE", "cursor", "cursor must be one that a pull answered, or 0")
    })?;
    let limit =
        u16::try_from(message.limit).ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
            Fault::invalid("LIMIT_OUT_OF_RANGE", "limit", format!("limit must be from 1 to {MOST}"))
        })?;
    let mark = match message.mark.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            Fault::invalid("MARK_MALFORMED", "mark", "mark must be one that a pull answered, or empty")
        })?),
    };
    Ok((cursor, mark, limit))
}

/// The answer.
pub fn pulled(pulled: Pulled) -> Result<PullScansResponse> {
    Ok(PullScansResponse {
        summaries: pulled.summaries.into_iter().map(summary).collect::<Result<_>>()?,
        next_cursor: pulled.next_cursor.unsigned_abs(),
        more: pulled.more,
        mark: pulled.mark.map_or_else(String::new, |mark| mark.to_string()),
    })
}

fn summary(row: Summary) -> Result<ScanSummary> {
    Ok(ScanSummary {
        day: row.day.to_string(),
        product_id: row.product.to_string(),
        batch_id: row.batch.map(|batch| batch.to_string()),
        outcome: outcome(&row.outcome)?.into(),
        country: row.country,
        scans: row.scans.unsigned_abs(),
        first_activations: row.first_activations.unsigned_abs(),
        revision: row.revision.unsigned_abs(),
    })
}

fn outcome(word: &str) -> Result<ScanOutcome> {
    Ok(match word {
        "genuine" => ScanOutcome::Genuine,
        "activated_now" => ScanOutcome::ActivatedNow,
        "activated" => ScanOutcome::Activated,
        "recalled" => ScanOutcome::Recalled,
        "unknown" => ScanOutcome::Unknown,
        "unpublished" => ScanOutcome::Unpublished,
        "unconfirmed" => ScanOutcome::Unconfirmed,
        other => return Err(Fault::internal(format!("a sum of scans is of outcome {other:?}"))),
    })
}
