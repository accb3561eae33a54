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
use mintmark_service::{Context, telemetry};
use tokio::sync::{OnceCell, Semaphore};
use tokio_postgres::Statement;
use tracing::instrument::Instrumented;
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::find::Finder;
use super::state;
use crate::app::cache::Placement;
use crate::app::directory_state::Changes;
use crate::app::geo::Country;
use crate::app::peppers::Peppers;

/// How long one question may take before a scan says that it cannot be confirmed now.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Questions that wait at once; beyond that a scan says at once that it cannot be confirmed now.
const WAITING_AT_MOST: usize = 4096;
/// Partitions there can be: two Crockford characters.
const PARTITIONS: usize = 1024;
/// How often a lost connection is noticed, and the first pause before another is tried.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// All that is asked here is a few rows by their key, of tables that may grow by a million rows in the next seconds: a plan
/// that was made while one was small must not read it whole. Such plans are neither worth making anew nor compiling.
const BY_KEY: &str = "SET enable_seqscan = off; SET jit = off; SET plan_cache_mode = force_generic_plan";
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
    links: Arc<Links>,
    finder: Arc<Finder>,
    waiting: Semaphore,
}

/// The open connections, taken in turn.
pub(super) struct Links {
    links: Box<[ArcSwapOption<Session>]>,
    next: AtomicUsize,
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
        let links = Arc::new(Links { links, next: AtomicUsize::new(0) });
        for link in 0..connections {
            let keeping = keep_open(links.clone(), link, config.clone(), context.clone());
            context.spawn("scan-connection", keeping);
        }
        let finder = Arc::new(Finder::new(links.clone(), context.home.clone()));
        ScanStore(Arc::new(Inner { links, finder, waiting: Semaphore::new(WAITING_AT_MOST) }))
    }

    /// Where a code stands; `None` when the partition does not have it.
    pub async fn find(&self, partition: u16, hash: StoredHash) -> Result<Option<Placement>> {
        let _place = self.0.waiting.try_acquire().map_err(|_| busy())?;
        followed("find", self.0.finder.find(partition, hash)).await
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
        let question = self.ask(|session| async move {
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
        });
        followed("activate", question).await
    }

    /// When a code was recalled alone; `None` when it was not.
    pub async fn recalled_at(&self, hash: StoredHash) -> Result<Option<DateTime<Utc>>> {
        let question = self.ask(|session| async move {
            let statement = session.client.prepared(RECALLED_AT).await?;
            let hash = Uuid::from_bytes(*hash.as_bytes());
            let row = session.client.query_opt(&statement, &[&hash]).await.map_err(raw_fault)?;
            row.map(|row| row.try_get(0).map_err(raw_fault)).transpose()
        });
        followed("recalled_at", question).await
    }

    /// What changed behind a value of the change counter; `None` when it did not move.
    ///
    /// It needs no place among those who wait: a flood of codes must not make the state stale.
    pub async fn changes_since(&self, counter: i64, peppers: &Peppers) -> Result<Option<Changes>> {
        let links = &self.0.links;
        links
            .put(|session| async move { state::changes_since(&session.client, counter, peppers).await })
            .await
    }

    /// Puts a scan's question, if not too many wait already.
    pub(super) async fn ask<T, Answer>(&self, question: impl FnOnce(Arc<Session>) -> Answer) -> Result<T>
    where
        Answer: Future<Output = Result<T>>,
    {
        let _place = self.0.waiting.try_acquire().map_err(|_| busy())?;
        self.0.links.put(question).await
    }
}

/// A question in a span of its own, where spans are exported; elsewhere it would only cost.
fn followed<Q: Future>(name: &'static str, question: Q) -> Instrumented<Q> {
    let span = if telemetry::exports_traces() {
        tracing::info_span!("db.query", otel.name = name, otel.kind = "client", db.system.name = "postgresql")
    } else {
        Span::none()
    };
    question.instrument(span)
}

impl Links {
    /// Puts a question on one of the connections.
    pub(super) async fn put<T, Answer>(&self, question: impl FnOnce(Arc<Session>) -> Answer) -> Result<T>
    where
        Answer: Future<Output = Result<T>>,
    {
        let (link, session) = self.session().ok_or_else(away)?;
        match tokio::time::timeout(ANSWER_WITHIN, question(session.clone())).await {
            Ok(answer) => answer,
            Err(elapsed) => {
                // Whatever holds this connection up would hold up the next question too.
                self.give_up(link, &session);
                Err(away().caused_by(elapsed))
            }
        }
    }

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
    /// The statement that looks codes of a partition up.
    pub(super) async fn find_in(&self, partition: u16) -> Result<&Statement> {
        let cell = self
            .finds
            .get(usize::from(partition))
            .ok_or_else(|| Fault::internal(format!("there is no partition {partition}")))?;
        cell.get_or_try_init(|| async {
            let sql =
                format!("SELECT hash, publication_id, serial FROM code_{partition:04} WHERE hash = ANY ($1)");
            self.client.prepare(&sql).await.map_err(raw_fault)
        })
        .await
    }
}

async fn open(config: &DbConfig, context: &Context) -> Result<RawClient> {
    let client = connect_raw(config, &context.home).await?;
    client.batch_execute(BY_KEY).await.map_err(raw_fault)?;
    Ok(client)
}

/// Opens a connection, and another whenever it is lost.
async fn keep_open(store: Arc<Links>, link: usize, config: DbConfig, context: Context) {
    let mut pause = LOOK_EVERY;
    loop {
        let lost = store.links[link].load().as_ref().is_none_or(|session| session.client.is_closed());
        if lost {
            store.links[link].store(None);
            match open(&config, &context).await {
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

pub(super) fn away() -> Fault {
    Fault::unavailable(
        "DIRECTORY_UNAVAILABLE",
        "the directory cannot be asked at the moment: try again shortly",
    )
}

fn busy() -> Fault {
    Fault::unavailable("DIRECTORY_BUSY", "too many codes are being looked up at once: try again shortly")
}
