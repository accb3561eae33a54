//! What stands between a restored database and those who would act on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::{Meaning, Pool};
use mintmark_fault::{Fault, Kind, Result};
use mintmark_service::{Context, StartError, telemetry};
use tokio::sync::watch;

use crate::outside::Outside;
use crate::schema::audit_head;
use crate::standing::{Head, Standing, behind, standing};
use crate::{Kept, OutsideConfig};

/// How often the store outside is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long a look may take.
const LOOK_WITHIN: Duration = Duration::from_secs(3);
/// An answer older than this says nothing: the store outside is away.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// Open while the database continues the newest checkpoint that is kept outside of it. Cheap to clone.
///
/// Closed when that is not known: at the start, until a sequencer has signed anything, and when the store outside has been away
/// for five seconds.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    outside: Outside,
    seen: Mutex<Seen>,
    open: watch::Sender<bool>,
    /// Whether both sides were ever compared.
    compared: watch::Sender<bool>,
}

struct Seen {
    /// Epoch and size of the newest checkpoint that this process saw; it only grows.
    newest: Option<(i64, i64)>,
    /// What closes it.
    closed: Option<Arc<Fault>>,
    /// When both sides were last compared.
    looked: Option<Instant>,
}

impl Gate {
    /// Opens the store outside and looks at it each second, until shutdown; the gate is closed until the first look. Readiness
    /// has a gate `audit` of the same state.
    ///
    /// # Errors
    /// A store or a file that cannot be used.
    pub fn open(
        pool: Pool,
        config: &OutsideConfig,
        context: &Context,
    ) -> std::result::Result<Self, StartError> {
        let outside = Outside::open(config)?;
        outside.keep_fresh(config, context);
        let gate = Self::closed(outside);
        let (watched, ready) = (gate.clone(), context.health.gate("audit"));
        let shutdown = context.shutdown.token();
        let open = telemetry::meter()
            .u64_gauge("audit.gate.open")
            .with_description("1 while the database continues the newest checkpoint kept outside of it")
            .build();
        context.spawn("audit-gate", async move {
            loop {
                watched.look(&pool).await;
                ready.set(watched.is_open());
                open.record(u64::from(watched.is_open()), &[]);
                if shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                    return;
                }
            }
        });
        Ok(gate)
    }

    fn closed(outside: Outside) -> Self {
        let seen = Seen { newest: None, closed: Some(Arc::new(unknown())), looked: None };
        let (open, compared) = (watch::Sender::new(false), watch::Sender::new(false));
        Self(Arc::new(Inner { outside, seen: Mutex::new(seen), open, compared }))
    }

    /// The log's public keys, one a line, as they are now.
    pub fn verifier_keys(&self) -> String {
        self.0.outside.keys().iter().map(|key| format!("{key}\n")).collect()
    }

    /// Whether it was open at the last look.
    pub fn is_open(&self) -> bool {
        self.state().is_ok()
    }

    /// Waits until it is open.
    pub async fn opened(&self) {
        let mut open = self.0.open.subscribe();
        // The sender lives as long as this does.
        let _open = open.wait_for(|open| *open).await;
    }

    /// Waits until database and store outside were compared once, whatever came of it: until then nothing is known, afterwards
    /// [`Gate::check`] says what is.
    pub async fn compared(&self) {
        let mut compared = self.0.compared.subscribe();
        // The sender lives as long as this does.
        let _compared = compared.wait_for(|compared| *compared).await;
    }

    /// Call it in the transaction of whatever reads, makes or destroys evidence: that this database is not an older one.
    ///
    /// # Errors
    /// 503 with `AUDIT_BEHIND`, `AUDIT_SPLIT`, `AUDIT_CHECKPOINTS_LOST`, `AUDIT_CHECKPOINT_FORGED` or `AUDIT_UNKNOWN`.
    pub async fn check(&self, conn: &mut AsyncPgConnection) -> Result<()> {
        let (epoch, size) = self.state()?;
        let head: (i64, i64) =
            audit_head::table.select((audit_head::epoch, audit_head::size)).first(conn).await.or_fault()?;
        match head {
            // Resumed this very second: the next look says more.
            (now, _) if now > epoch => Err(unknown()),
            (now, _) if now < epoch => Err(behind()),
            (_, now) if now < size => Err(behind()),
            _ => Ok(()),
        }
    }

    /// The newest checkpoint, if all is well.
    fn state(&self) -> Result<(i64, i64)> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(closed) = &seen.closed {
            return Err(Fault::unavailable(closed.code().to_owned(), closed.message().to_owned()));
        }
        let fresh = seen.looked.is_some_and(|at| at.elapsed() < STALE_AFTER);
        seen.newest.filter(|_| fresh).ok_or_else(unknown)
    }

    async fn look(&self, pool: &Pool) {
        let started = Instant::now();
        let looked = tokio::time::timeout(LOOK_WITHIN, compare(pool, &self.0.outside)).await;
        // A failure of ours, such as tables that are not there yet, compared nothing either.
        let compared = match &looked {
            Ok(Ok(_)) => true,
            Ok(Err(fault)) => !is_away(fault) && fault.kind() != Kind::Internal,
            Err(_late) => false,
        };
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.closed.as_ref().map(|fault| fault.code().to_owned());
        match looked {
            Ok(Ok((Some(kept), Standing::Sound))) => {
                let newest = (kept.checkpoint.origin.epoch.cast_signed(), kept.checkpoint.size.cast_signed());
                seen.newest = seen.newest.max(Some(newest));
                (seen.closed, seen.looked) = (None, Some(started));
            }
            Ok(Ok((_, standing))) => {
                seen.closed = Some(Arc::new(standing.fault().unwrap_or_else(unknown)));
                seen.looked = Some(started);
            }
            // The store or the database is away for a moment: what was seen holds for a few seconds more.
            Ok(Err(fault)) if is_away(&fault) => {}
            Err(_) => {}
            Ok(Err(fault)) => seen.closed = Some(Arc::new(fault)),
        }
        let now = seen.closed.as_ref().map(|fault| fault.code().to_owned());
        if now != before {
            match &seen.closed {
                Some(fault) => tracing::error!(code = fault.code(), "the audit's gate is closed: {fault}"),
                None => tracing::info!("the audit's gate is open"),
            }
        }
        drop(seen);
        let open = self.is_open();
        self.0.open.send_if_modified(|was| std::mem::replace(was, open) != open);
        self.0.compared.send_if_modified(|was| compared && !std::mem::replace(was, true));
    }
}

async fn compare(pool: &Pool, outside: &Outside) -> Result<(Option<Kept>, Standing)> {
    let newest = outside.newest().await?;
    let mut conn = pool.get().await?;
    let head = Head::read(&mut conn).await?;
    match standing(&mut conn, &head, newest.as_ref()).await? {
        // The first checkpoint may have been kept after we looked and recorded before we asked: what the database knows now,
        // the store must show now.
        Standing::Lost => {
            let newest = outside.newest().await?;
            let standing = standing(&mut conn, &head, newest.as_ref()).await?;
            Ok((newest, standing))
        }
        standing => Ok((newest, standing)),
    }
}

/// A failure that says nothing of either side.
fn is_away(fault: &Fault) -> bool {
    fault.code().starts_with("STORE_") || fault.code().starts_with("DATABASE_")
}

/// Nothing is known yet, or not lately.
fn unknown() -> Fault {
    let sentence = "it is not known whether this database is the newest one: no checkpoint of its audit log could be read lately; try again shortly";
    Fault::unavailable("AUDIT_UNKNOWN", sentence).retry_after(Duration::from_secs(1))
}
