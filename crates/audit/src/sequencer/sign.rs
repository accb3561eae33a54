//! A checkpoint: compared, signed, kept outside, written down, in this order.

use std::future::Future;
use std::time::Duration;

use mintmark_db::raw_fault;
use mintmark_fault::{Fault, Result};

use super::lead::Leader;
use super::{Sequencer, lease_lost};
use crate::checkpoint::{Checkpoint, Origin};
use crate::failpoint::hit;
use crate::outside::Kept;
use crate::standing::{Head, standing};

/// How long the store outside may take; less than the shortest useful lease.
const OUTSIDE_WITHIN: Duration = Duration::from_secs(2);
/// Old checkpoints are looked through each time that so many were signed.
const PRUNE_EVERY: u64 = 512;

const WRITE_DOWN: &str = "INSERT INTO audit_checkpoint (epoch, size, root, note) VALUES ($1, $2, $3, $4)
    ON CONFLICT (epoch, size) DO NOTHING";
/// As outside: all but the last hundred, the last of each day, and the last of each log.
const PRUNE: &str = "DELETE FROM audit_checkpoint AS old USING (
        SELECT epoch, size,
            row_number() OVER (ORDER BY epoch DESC, size DESC) AS place,
            row_number() OVER (PARTITION BY (at AT TIME ZONE 'UTC')::date ORDER BY epoch DESC, size DESC) AS of_day,
            row_number() OVER (PARTITION BY epoch ORDER BY size DESC) AS of_log
        FROM audit_checkpoint) AS seen
    WHERE (old.epoch, old.size) = (seen.epoch, seen.size)
        AND seen.place > 100 AND seen.of_day > 1 AND seen.of_log > 1";

impl Sequencer {
    /// Signs the log as it is, if the database still continues what is outside.
    pub(super) async fn checkpoint(&self, leader: &mut Leader) -> Result<()> {
        let newest = self.newest().await?;
        let mut conn = self.pool.get().await?;
        let head = Head::read(&mut conn).await?;
        if (head.fence, head.epoch) != (leader.end.fence, leader.end.epoch) {
            return Err(lease_lost());
        }
        // What was compared once is not read again, as long as the database only grew.
        let compared =
            newest.is_some() && newest == leader.compared && head.leaves() >= leader.end.tree.size();
        if !compared && let Some(fault) = standing(&mut conn, &head, newest.as_ref()).await?.fault() {
            return Err(fault);
        }
        let tree = head.tree()?;
        drop(conn);
        let origin = Origin::new(self.outside.origin(), head.epoch_number());
        let checkpoint = Checkpoint { origin, size: tree.size(), root: tree.root() };
        if leader.signed.as_ref().is_some_and(|kept| kept.checkpoint == checkpoint) {
            return Ok(());
        }
        let note = checkpoint.sign(&self.signer);
        hit("checkpoint.signed");
        let kept = within(self.outside.keep(&checkpoint, &note)).await?;
        hit("checkpoint.kept");
        self.write_down(leader, &kept).await?;
        hit("checkpoint.recorded");
        self.metrics.signed();
        let before = leader.signed.as_ref().map_or(0, |kept| kept.checkpoint.size);
        (leader.signed, leader.compared) = (Some(kept.clone()), Some(kept));
        if before / PRUNE_EVERY != checkpoint.size / PRUNE_EVERY {
            self.prune(leader).await;
        }
        Ok(())
    }

    /// The newest checkpoint outside, soon or not at all.
    pub(super) async fn newest(&self) -> Result<Option<Kept>> {
        within(self.outside.newest()).await
    }

    pub(super) async fn write_down(&self, leader: &Leader, kept: &Kept) -> Result<()> {
        let (epoch, size) = (kept.checkpoint.origin.epoch.cast_signed(), kept.checkpoint.size.cast_signed());
        let statement = leader.client.prepared(WRITE_DOWN).await?;
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&epoch, &size, &kept.checkpoint.root.as_slice(), &kept.note];
        leader.client.execute(&statement, &values).await.map_err(raw_fault)?;
        Ok(())
    }

    /// Best effort: what stays is deleted next time.
    async fn prune(&self, leader: &Leader) {
        if let Err(error) = leader.client.execute(PRUNE, &[]).await.map_err(raw_fault) {
            tracing::warn!(code = error.code(), "old checkpoints could not be deleted from the database");
        }
        if let Err(error) = within(self.outside.prune()).await {
            tracing::warn!(code = error.code(), "old checkpoints could not be deleted outside");
        }
    }
}

async fn within<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(OUTSIDE_WITHIN, work).await {
        Ok(done) => done,
        Err(elapsed) => {
            let sentence = "the store that keeps the audit log's checkpoints does not answer";
            Err(Fault::unavailable("STORE_UNAVAILABLE", sentence).caused_by(elapsed))
        }
    }
}
