//! The scan role's database: a few connections on which all workers' statements are pipelined.
//!
//! A connection for each client would let a flood of unknown codes take all of Postgres; a pool would make scans queue.
//! Statements on one connection run in order, so a few connections keep one slow statement from holding up everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, Utc};
use mintmark_codes::StoredHash;
use mintmark_db::{DbConfig, RawClient, connect_raw, raw_fault};
use mintmark_fault::{Chain, Fault, Result};
use mintmark_service::Context;
use tokio::sync::{OnceCell, Semaphore};
use tokio_postgres::Statement;
use uuid::Uuid;

use super::state;
use crate::app::cache::Placement;
use crate::app::directory_state::Changes;
use crate::app::geo::Country;
use crate::app::peppers::Peppers;

/// How long one question may take before a scan says that it cannot be confirmed now.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Questions that wait at once; beyond that a scan says at once that it cannot be confirmed now.
const WAITING_AT_MOST: usize = 4096;
/// Partitions there can be: two Crockford characters.
const PARTITIONS: usize = 1024;
/// How often a lost connection is noticed, and the first pause before another is tried.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

const ACTIVATE: &str = "SELECT won, activated_at, activated_in FROM activate($1, $2, $3, $4, $5)";
const RECALLED_AT: &str = "SELECT revoked_at FROM revoked_code WHERE hash = $1";

/// What an attempt to activate came to.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// This attempt activated the code.
    pub won: bool,
    /// Since when it is activated; `None` when it is not, and may not be or was not confirmed.
    pub activated_at: Option<DateTime<Utc>>,
    /// Where, if that is known.
    pub country: Option<Country>,
}

/// The connections. Cheap to clone.
#[derive(Clone)]
pub struct ScanStore(Arc<Inner>);

struct Inner {
    links: Box<[ArcSwapOption<Session>]>,
    next: AtomicUsize,
    waiting: Semaphore,
}

/// One open connection and what was prepared on it.
pub(super) struct Session {
    pub(super) client: RawClient,
    finds: Box<[OnceCell<Statement>]>,
}

impl ScanStore {
    /// Keeps so many connections open, from now until the process ends.
    pub fn start(config: &DbConfig, connections: usize, context: &Context) -> Self {
        let links = (0..connections).map(|_| ArcSwapOption::empty()).collect();
        let store = ScanStore(Arc::new(Inner {
            links,
            next: AtomicUsize::new(0),
            waiting: Semaphore::new(WAITING_AT_MOST),
        }));
        for link in 0..connections {
            let keeping = keep_open(store.0.clone(), link, config.clone(), context.clone());
            context.spawn("scan-connection", keeping);
        }
        store
    }

    /// Where a code stands; `None` when the partition does not have it.
    pub async fn find(&self, partition: u16, hash: StoredHash) -> Result<Option<Placement>> {
        self.ask(|session| async move {
            let statement = session.find_in(partition).await?;
            let hash = Uuid::from_bytes(*hash.as_bytes());
            let row = session.client.query_opt(statement, &[&hash]).await.map_err(raw_fault)?;
            row.map(|row| {
                Ok(Placement {
                    publication: row.try_get(0).map_err(raw_fault)?,
                    serial: row.try_get(1).map_err(raw_fault)?,
                    activated_at: None,
                    country: None,
                    recalled_at: None,
                })
            })
            .transpose()
        })
        .await
    }

    /// Activates a code, if nobody did before and its publication allows it; where that asks for a confirmation,
    /// only when `confirmed`.
    pub async fn activate(
        &self,
        hash: StoredHash,
        placement: Placement,
        confirmed: bool,
        country: Option<Country>,
    ) -> Result<Attempt> {
        self.ask(|session| async move {
            let statement = session.client.prepared(ACTIVATE).await?;
            let hash = Uuid::from_bytes(*hash.as_bytes());
            let country = country.as_ref().map(Country::as_str);
            let row = session
                .client
                .query_one(
                    &statement,
                    &[&hash, &placement.publication, &placement.serial, &confirmed, &country],
                )
                .await
                .map_err(raw_fault)?;
            Ok(Attempt {
                won: row.try_get(0).map_err(raw_fault)?,
                activated_at: row.try_get(1).map_err(raw_fault)?,
                country: row.try_get::<_, Option<&str>>(2).map_err(raw_fault)?.and_then(Country::parse),
            })
        })
        .await
    }

    /// When a code was recalled alone; `None` when it was not.
    pub async fn recalled_at(&self, hash: StoredHash) -> Result<Option<DateTime<Utc>>> {
        self.ask(|session| async move {
            let statement = session.client.prepared(RECALLED_AT).await?;
            let hash = Uuid::from_bytes(*hash.as_bytes());
            let row = session.client.query_opt(&statement, &[&hash]).await.map_err(raw_fault)?;
            row.map(|row| row.try_get(0).map_err(raw_fault)).transpose()
        })
        .await
    }

    /// What changed behind a value of the change counter; `None` when it did not move.
    ///
    /// It needs no place among those who wait: a flood of codes must not make the state stale.
    pub async fn changes_since(&self, counter: i64, peppers: &Peppers) -> Result<Option<Changes>> {
        self.put(|session| async move { state::changes_since(&session.client, counter, peppers).await }).await
    }

    /// Puts a scan's question, if not too many wait already.
    pub(super) async fn ask<T, Answer>(&self, question: impl FnOnce(Arc<Session>) -> Answer) -> Result<T>
    where
        Answer: Future<Output = Result<T>>,
    {
        let _place = self.0.waiting.try_acquire().map_err(|_| busy())?;
        self.put(question).await
    }

    /// Puts a question on one of the connections.
    async fn put<T, Answer>(&self, question: impl FnOnce(Arc<Session>) -> Answer) -> Result<T>
    where
        Answer: Future<Output = Result<T>>,
    {
        let (link, session) = self.0.session().ok_or_else(away)?;
        match tokio::time::timeout(ANSWER_WITHIN, question(session.clone())).await {
            Ok(answer) => answer,
            Err(elapsed) => {
                // Whatever holds this connection up would hold up the next question too.
                self.0.give_up(link, &session);
                Err(away().caused_by(elapsed))
            }
        }
    }
}

impl Inner {
    fn session(&self) -> Option<(usize, Arc<Session>)> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.links.len()).find_map(|step| {
            let link = first.wrapping_add(step) % self.links.len();
            let session = self.links[link].load_full()?;
            (!session.client.is_closed()).then_some((link, session))
        })
    }

    fn give_up(&self, link: usize, session: &Arc<Session>) {
        // Only this very session: its successor may stand there already.
        self.links[link].compare_and_swap(&Some(session.clone()), None);
    }
}

impl Session {
    async fn find_in(&self, partition: u16) -> Result<&Statement> {
        let cell = self
            .finds
            .get(usize::from(partition))
            .ok_or_else(|| Fault::internal(format!("there is no partition {partition}")))?;
        cell.get_or_try_init(|| async {
            let sql = format!("SELECT publication_id, serial FROM code_{partition:04} WHERE hash = $1");
            self.client.prepare(&sql).await.map_err(raw_fault)
        })
        .await
    }
}

/// Opens a connection, and another whenever it is lost.
async fn keep_open(store: Arc<Inner>, link: usize, config: DbConfig, context: Context) {
    let mut pause = LOOK_EVERY;
    loop {
        let lost = store.links[link].load().as_ref().is_none_or(|session| session.client.is_closed());
        if lost {
            store.links[link].store(None);
            match connect_raw(&config, &context.home).await {
                Ok(client) => {
                    let finds = (0..PARTITIONS).map(|_| OnceCell::new()).collect();
                    store.links[link].store(Some(Arc::new(Session { client, finds })));
                    pause = LOOK_EVERY;
                }
                Err(fault) => {
                    tracing::warn!(error = %Chain(&fault), "the scan database cannot be reached");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        tokio::time::sleep(pause).await;
    }
}

fn away() -> Fault {
    Fault::unavailable(
        "DIRECTORY_UNAVAILABLE",
        "the directory cannot be asked at the moment: try again shortly",
    )
}

fn busy() -> Fault {
    Fault::unavailable("DIRECTORY_BUSY", "too many codes are being looked up at once: try again shortly")
}
