//! Holding the lease, and what is done meanwhile.

use std::time::{Duration, Instant};

use mintmark_db::{RawClient, connect_raw, raw_fault};
use mintmark_fault::Result;
use mintmark_service::Gate;
use uuid::Uuid;

use super::batch::{BATCH, End, Search, append, is_pending};
use super::{Ended, Sequencer, complain, lease_lost};
use crate::checkpoint::Origin;
use crate::failpoint::hit;
use crate::nodes::hash;
use crate::outside::Kept;
use crate::standing::{Head, Standing, frontier, standing};
use crate::tree::Frontier;

/// Between batches that were not full: enough entries come together to be worth a transaction.
const BUSY: Duration = Duration::from_millis(50);
/// While nothing comes.
const IDLE: Duration = Duration::from_millis(100);
/// What is new is signed after this long; with the signature and the way out it is well within a second.
const SIGN_EVERY: Duration = Duration::from_millis(500);
/// How often gauges are set.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

const TAKE: &str = "UPDATE audit_head SET fence = fence + 1, holder = $1,
        lease_until = clock_timestamp() + make_interval(secs => $2)
    WHERE lease_until < clock_timestamp() OR holder IS NULL OR holder = $1
    RETURNING fence, epoch, size, frontier, last_leaf";
const RENEW: &str =
    "UPDATE audit_head SET lease_until = clock_timestamp() + make_interval(secs => $2) WHERE fence = $1";
const RELEASE: &str = "UPDATE audit_head SET lease_until = 'epoch', holder = NULL WHERE fence = $1";
const OPEN_LOG: &str = "INSERT INTO audit_log (epoch, origin) VALUES (1, $1)";
const OPEN_HEAD: &str = "UPDATE audit_head SET epoch = 1 WHERE fence = $1 AND epoch = 0";
const PENDING: &str = "SELECT count(*), (SELECT entry_id FROM audit_pending ORDER BY entry_id LIMIT 1)
    FROM (SELECT 1 FROM audit_pending LIMIT 100000) AS waiting";

/// What a leader knows.
pub(super) struct Leader {
    pub(super) client: RawClient,
    pub(super) end: End,
    /// The newest checkpoint outside, as far as it is of this log.
    pub(super) signed: Option<Kept>,
    /// The one that was compared with the database.
    pub(super) compared: Option<Kept>,
    renewed: Instant,
}

impl Sequencer {
    /// Takes the lease if it is free, and works until it is lost, something is wrong, or the process ends.
    pub(super) async fn lead(&self, ready: &Gate, complaint: &mut Option<String>) -> Result<Ended> {
        let client = connect_raw(&self.database, &self.context.home).await?;
        // One that stalls within a transaction holds the head's row no longer than its lease.
        let bound = self.lease.as_millis();
        let settings =
            format!("SET idle_in_transaction_session_timeout = {bound}; SET lock_timeout = {bound}");
        client.batch_execute(&settings).await.map_err(raw_fault)?;
        let Some(end) = self.take(&client).await? else { return Ok(Ended::Standby) };
        hit("lease.taken");
        let mut leader = Leader { client, end, signed: None, compared: None, renewed: Instant::now() };
        self.begin(&mut leader).await?;
        tracing::info!(
            log = %Origin::new(self.outside.origin(), leader.end.epoch.unsigned_abs()),
            size = leader.end.tree.size(),
            fence = leader.end.fence,
            "this sequencer leads the audit log"
        );
        *complaint = None;
        let led = self.go_on(&mut leader, ready, complaint).await;
        if led.is_ok() {
            let _renewed_by_nobody = leader.client.execute(RELEASE, &[&leader.end.fence]).await;
        }
        led.map(|()| Ended::Shutdown)
    }

    async fn take(&self, client: &RawClient) -> Result<Option<End>> {
        let row =
            client.query_opt(TAKE, &[&self.holder, &self.lease.as_secs_f64()]).await.map_err(raw_fault)?;
        let Some(row) = row else { return Ok(None) };
        let tree = frontier(row.get(2), row.get(3))?;
        Ok(Some(End { fence: row.get(0), epoch: row.get(1), tree, last_leaf: hash(row.get(4))? }))
    }

    /// Compares the database with what is outside before anything is appended.
    async fn begin(&self, leader: &mut Leader) -> Result<()> {
        let newest = self.newest().await?;
        let mut conn = self.pool.get().await?;
        let head = Head::read(&mut conn).await?;
        let standing = standing(&mut conn, &head, newest.as_ref()).await?;
        drop(conn);
        if let Some(fault) = standing.fault() {
            return Err(fault);
        }
        match standing {
            Standing::New => self.open_first(leader).await,
            Standing::Sound => {
                // One that died after keeping it left it for us to write down.
                if let Some(kept) = &newest {
                    self.write_down(leader, kept).await?;
                }
                (leader.signed, leader.compared) = (newest.clone(), newest);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The first log of a new installation.
    async fn open_first(&self, leader: &mut Leader) -> Result<()> {
        let origin = Origin::new(self.outside.origin(), 1).to_string();
        let tx = leader.client.transaction().await.map_err(raw_fault)?;
        tx.execute(OPEN_LOG, &[&origin]).await.map_err(raw_fault)?;
        if tx.execute(OPEN_HEAD, &[&leader.end.fence]).await.map_err(raw_fault)? != 1 {
            return Err(lease_lost());
        }
        tx.commit().await.map_err(raw_fault)?;
        hit("log.opened");
        (leader.end.epoch, leader.end.tree) = (1, Frontier::new());
        Ok(())
    }

    async fn go_on(&self, leader: &mut Leader, ready: &Gate, complaint: &mut Option<String>) -> Result<()> {
        let ended = self.context.shutdown.token();
        let mut search = Search::new();
        let mut unsigned_since = (!leader.is_signed()).then(Instant::now);
        if unsigned_since.is_none() {
            // Signed as a whole already, by one before us: nothing may come for hours.
            ready.set(true);
            self.metrics.sound(true);
        }
        let (mut tried, mut measured) = (None::<Instant>, None::<Instant>);
        loop {
            let appended = self.append(leader, &mut search).await?;
            if appended > 0 && unsigned_since.is_none() {
                unsigned_since = Some(Instant::now());
            }
            let due = leader.signed.is_none() || tried.is_none_or(|at| at.elapsed() >= SIGN_EVERY);
            if unsigned_since.is_some() && (due || ended.is_cancelled()) {
                tried = Some(Instant::now());
                self.sign(leader, ready, complaint).await?;
                unsigned_since = unsigned_since.filter(|_| !leader.is_signed());
            }
            self.renew(leader).await?;
            if measured.is_none_or(|at| at.elapsed() >= MEASURE_EVERY) {
                measured = Some(Instant::now());
                self.measure(leader, unsigned_since).await?;
            }
            if ended.is_cancelled() {
                return Ok(());
            }
            let full = i64::try_from(appended).is_ok_and(|count| count == BATCH);
            if !full {
                let pause = if appended > 0 { BUSY } else { IDLE };
                let _cancelled = ended.run_until_cancelled(tokio::time::sleep(pause)).await;
            }
        }
    }

    async fn append(&self, leader: &mut Leader, search: &mut Search) -> Result<usize> {
        if !is_pending(&leader.client, search).await? {
            return Ok(0);
        }
        let started = Instant::now();
        let appended = append(&mut leader.client, search, &mut leader.end, self.lease).await?;
        if appended > 0 {
            leader.renewed = started;
            self.metrics.appended(appended as u64);
        }
        Ok(appended)
    }

    async fn renew(&self, leader: &mut Leader) -> Result<()> {
        if leader.renewed.elapsed() < self.lease / 3 {
            return Ok(());
        }
        let started = Instant::now();
        let statement = leader.client.prepared(RENEW).await?;
        let renewed =
            leader.client.execute(&statement, &[&leader.end.fence, &self.lease.as_secs_f64()]).await;
        if renewed.map_err(raw_fault)? != 1 {
            return Err(lease_lost());
        }
        leader.renewed = started;
        Ok(())
    }

    async fn measure(&self, leader: &Leader, unsigned_since: Option<Instant>) -> Result<()> {
        let row = leader.client.query_one(PENDING, &[]).await.map_err(raw_fault)?;
        self.metrics.pending(row.get(0), row.get::<_, Option<Uuid>>(1));
        self.metrics.unsigned_for(unsigned_since.map(|at| at.elapsed()));
        Ok(())
    }

    /// Signs how far the log is. A store that is away is waited for: entries go on into the log meanwhile, unsigned.
    async fn sign(&self, leader: &mut Leader, ready: &Gate, complaint: &mut Option<String>) -> Result<()> {
        match self.checkpoint(leader).await {
            Ok(()) => {
                ready.set(true);
                self.metrics.sound(true);
                *complaint = None;
                Ok(())
            }
            Err(fault) if fault.code().starts_with("STORE_") => {
                ready.set(false);
                self.metrics.sound(false);
                complain(complaint, &fault);
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }
}

impl Leader {
    /// Whether all that is in the log is signed.
    fn is_signed(&self) -> bool {
        self.signed.as_ref().is_some_and(|kept| {
            (kept.checkpoint.origin.epoch.cast_signed(), kept.checkpoint.size)
                == (self.end.epoch, self.end.tree.size())
        })
    }
}
