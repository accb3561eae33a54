//! What goes on all the while, counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio_postgres::Client;

use crate::places::Databases;
use crate::schema::connect;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Codes that are scanned.
    Scans,
    /// Looks at a batch; the rate limiter counts each.
    Requests,
    /// Files that are preflighted.
    Preflight,
    /// Disputes, each with evidence that is uploaded and read.
    Evidence,
    /// What the console shows, with a token that it has to exchange.
    Pages,
    /// Chunks of batches that are published.
    Mints,
    /// Entries of the vault's audit log that are signed.
    VaultLog,
    /// Entries of the control plane's.
    ControlLog,
}

/// What people count themselves; the rest is in databases.
const COUNTED: usize = 5;
const PUBLISHED: &str = "SELECT count(*) FROM publication_chunk";
const WRITTEN: &str = "SELECT count(*) FROM audit_entry";
const SIGNED: &str = "SELECT coalesce(max(size), 0) FROM audit_checkpoint";

impl Work {
    /// How much more shows that it goes on: more than can have been under way before.
    fn enough(self) -> u64 {
        match self {
            Self::Scans => 20,
            Self::Requests => 10,
            Self::Mints => 3,
            // One after the other: the second of them began after we looked.
            Self::Preflight | Self::Evidence | Self::Pages => 2,
            Self::VaultLog | Self::ControlLog => 1,
        }
    }
}

/// How far everything is.
#[derive(Default)]
pub struct Progress {
    stop: AtomicBool,
    enough_batches: AtomicBool,
    done: [AtomicU64; COUNTED],
}

/// How far something must come.
pub struct Goal {
    work: Work,
    beyond: u64,
    database: Option<Client>,
}

impl Progress {
    pub fn of(&self, work: Work) -> u64 {
        self.done[work as usize].load(Ordering::Relaxed)
    }

    /// Counts one, and gives how many there were before.
    pub fn one_more(&self, work: Work) -> u64 {
        self.done[work as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// No more batches are ordered.
    pub fn stop_ordering(&self) {
        self.enough_batches.store(true, Ordering::SeqCst);
    }

    pub fn orders(&self) -> bool {
        !self.enough_batches.load(Ordering::SeqCst)
    }

    /// Whoever does something ends when it is done.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Some more than now; of a log: what is not even written now is signed.
    pub async fn goal(&self, databases: &Databases, work: Work) -> Goal {
        let (db, now) = match work {
            Work::Mints => (&databases.resolver, PUBLISHED),
            Work::VaultLog => (&databases.evidence, WRITTEN),
            Work::ControlLog => (&databases.control, WRITTEN),
            _ => return Goal { work, beyond: self.of(work) + work.enough(), database: None },
        };
        let database = connect(&db.superuser_url()).await;
        let beyond = number(&database, now).await + work.enough();
        Goal { work, beyond, database: Some(database) }
    }

    pub async fn has_reached(&self, goal: &Goal) -> bool {
        let now = match (&goal.database, goal.work) {
            (None, work) => self.of(work),
            (Some(database), Work::Mints) => number(database, PUBLISHED).await,
            (Some(database), _) => number(database, SIGNED).await,
        };
        now >= goal.beyond
    }
}

async fn number(database: &Client, sql: &str) -> u64 {
    database.query_one(sql, &[]).await.unwrap().get::<_, i64>(0).unsigned_abs()
}
