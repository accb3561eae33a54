//! Keeps the days of telemetry: some ahead, and none beyond the retention.

use std::time::Duration;

use mintmark_db::RawPool;
use mintmark_fault::{Chain, Result};
use mintmark_service::Context;

use crate::store::scan_partition;

/// Days that are made ahead: the directory may be away for a week before a scan's row has to stray.
const DAYS_AHEAD: i32 = 7;
/// How often it looks.
const EVERY: Duration = Duration::from_secs(3600);
/// How soon it tries again after a failure.
const AGAIN: Duration = Duration::from_secs(30);

/// Looks each hour, until the process ends; `days` of telemetry are kept beside today's.
pub async fn keep_days(raw: RawPool, days: i32, context: Context) {
    let ended = context.shutdown.token();
    loop {
        let pause = match look(&raw, days).await {
            Ok(()) => EVERY,
            Err(fault) => {
                tracing::warn!(error = %Chain(&fault), "the days of telemetry could not be looked after");
                AGAIN
            }
        };
        if ended.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return;
        }
    }
}

async fn look(raw: &RawPool, days: i32) -> Result<()> {
    let made = scan_partition::ensure(raw, DAYS_AHEAD).await?;
    let dropped = scan_partition::drop_older_than(raw, days).await?;
    if made > 0 || dropped > 0 {
        tracing::info!(made, dropped, "days of telemetry were made and dropped");
    }
    Ok(())
}
