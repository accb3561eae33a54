//! The sequencer: one process at a time turns pending entries into leaves and signs how far the log is.
//!
//! Who that is a lease in the row of the log's head says, with a fence that counts the holders. Each batch takes that row `FOR
//! UPDATE`, checks the fence, and writes leaves, nodes and head in one transaction: whoever lost the lease without noticing
//! changes nothing. A checkpoint is signed only of what is committed, and kept outside before the database hears of it.

mod batch;
mod lead;
mod metrics;
mod sign;

use std::time::Duration;

use mintmark_db::{DbConfig, Pool};
use mintmark_fault::{Chain, Fault};
use mintmark_service::{Context, StartError};
use uuid::Uuid;

use crate::note::Signer;
use crate::sequencer::metrics::Metrics;
use crate::{Outside, SequencerConfig, config};

/// How long to wait before the lease, or what stands in the way, is looked at again.
const RETRY_EVERY: Duration = Duration::from_secs(1);
/// One for comparing, one for readiness.
const CONNECTIONS: usize = 2;

/// What leading needs.
struct Sequencer {
    database: DbConfig,
    pool: Pool,
    outside: Outside,
    signer: Signer,
    holder: String,
    lease: Duration,
    metrics: Metrics,
    context: Context,
}

/// Why leading ended without anything being wrong.
enum Ended {
    /// Another one leads.
    Standby,
    /// The process is asked to end.
    Shutdown,
}

/// Sequences until shutdown.
///
/// # Errors
/// Keys or a store that cannot be used.
pub async fn run(config: SequencerConfig, context: Context) -> Result<(), StartError> {
    let outside = Outside::open(&config.outside)?;
    let signer = config::signer(&config.signing_key, &config.outside.origin)?;
    if !outside.keys().iter().any(|key| key == signer.verifier()) {
        let sentence = format!(
            "AUDIT_VERIFIER_KEYS_FILE does not hold the public half of AUDIT_SIGNING_KEY_FILE: add the line {}",
            signer.verifier()
        );
        return Err(StartError::new(sentence));
    }
    outside.keep_fresh(&config.outside, &context);
    let mut database = config.database.named("audit-sequencer");
    database.max_connections = CONNECTIONS;
    let pool = Pool::new(&database, &context.home)?;
    context.health.expect(&["log"]);
    context.spawn(
        "postgres-gate",
        pool.clone().watch(context.health.gate("postgres"), context.shutdown.clone()),
    );
    let sequencer = Sequencer {
        database,
        pool,
        outside,
        signer,
        holder: Uuid::new_v4().to_string(),
        lease: config.lease,
        metrics: Metrics::new(),
        context,
    };
    sequencer.work().await;
    Ok(())
}

impl Sequencer {
    async fn work(&self) {
        let ended = self.context.shutdown.token();
        let ready = self.context.health.gate("log");
        let mut complaint = None;
        loop {
            match self.lead(&ready, &mut complaint).await {
                Ok(Ended::Shutdown) => return,
                // Another one leads: this process is as ready as one that waits can be.
                Ok(Ended::Standby) => ready.set(true),
                Err(fault) => {
                    ready.set(false);
                    self.metrics.sound(false);
                    complain(&mut complaint, &fault);
                }
            }
            if ended.run_until_cancelled(tokio::time::sleep(RETRY_EVERY)).await.is_none() {
                return;
            }
        }
    }
}

/// Says what is wrong, once as long as it is the same.
fn complain(complaint: &mut Option<String>, fault: &Fault) {
    if complaint.as_deref() != Some(fault.code()) {
        tracing::error!(code = fault.code(), error = %Chain(fault), "the audit log is not signed: {fault}");
        *complaint = Some(fault.code().to_owned());
    }
}

/// Somebody else went on, or the database is not what it was a moment ago.
fn lease_lost() -> Fault {
    Fault::unavailable("AUDIT_LEASE_LOST", "another sequencer leads this audit log now")
}
