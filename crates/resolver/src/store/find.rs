//! Look-ups of codes, many in one question.
//!
//! A look-up goes out at once while a connection has nothing to look up; those that come meanwhile gather, and go together
//! with the next question. So one visitor waits for one round trip, and a crowd costs the database an index probe each
//! and not a statement each.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::join_all;
use mintmark_codes::StoredHash;
use mintmark_db::raw_fault;
use mintmark_fault::{Chain, Result};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::scan::{ANSWER_WITHIN, Links, Session, away};
use crate::app::cache::Placement;

/// Questions under way at once: a second one, so that one that is held up does not hold up everybody.
const AT_ONCE: usize = 2;

/// Gathers look-ups for the connections.
pub(super) struct Finder {
    links: Arc<Links>,
    home: Handle,
    gathered: Mutex<Gathered>,
}

#[derive(Default)]
struct Gathered {
    lookups: Vec<Lookup>,
    under_way: usize,
}

/// One look-up, and who waits for it.
struct Lookup {
    partition: u16,
    hash: Uuid,
    answer: oneshot::Sender<Result<Option<Placement>>>,
}

impl Finder {
    /// A finder on these connections, whose work runs on `home`.
    pub(super) fn new(links: Arc<Links>, home: Handle) -> Self {
        Finder { links, home, gathered: Mutex::default() }
    }

    /// Where a code stands; `None` when the partition does not have it.
    pub(super) async fn find(
        self: &Arc<Self>,
        partition: u16,
        hash: StoredHash,
    ) -> Result<Option<Placement>> {
        let (answer, answered) = oneshot::channel();
        let lookup = Lookup { partition, hash: Uuid::from_bytes(*hash.as_bytes()), answer };
        if let Some(turn) = self.gather(lookup) {
            // Not in this request's own task: whoever gives up must not take the others' look-ups along.
            self.home.spawn(turn.ask());
        }
        match tokio::time::timeout(ANSWER_WITHIN, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(gone)) => Err(away().caused_by(gone)),
            Err(elapsed) => Err(away().caused_by(elapsed)),
        }
    }

    /// Adds a look-up; a turn when nobody is there to take it.
    fn gather(self: &Arc<Self>, lookup: Lookup) -> Option<Turn> {
        let mut gathered = self.gathered();
        gathered.lookups.push(lookup);
        (gathered.under_way < AT_ONCE).then(|| {
            gathered.under_way += 1;
            Turn { finder: self.clone(), held: true }
        })
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to have a question under way.
struct Turn {
    finder: Arc<Finder>,
    held: bool,
}

impl Drop for Turn {
    /// A panic must not keep the right for ever.
    fn drop(&mut self) {
        if self.held {
            self.finder.gathered().under_way -= 1;
        }
    }
}

impl Turn {
    /// Asks for what has gathered, until nothing has.
    async fn ask(mut self) {
        while let Some(lookups) = self.next() {
            let mut partitions: HashMap<u16, Vec<Lookup>> = HashMap::new();
            for lookup in lookups {
                partitions.entry(lookup.partition).or_default().push(lookup);
            }
            let asked = partitions.into_iter().map(|(partition, lookups)| self.ask_one(partition, lookups));
            join_all(asked).await;
        }
    }

    /// What has gathered. When nothing has, the turn ends under the same lock: whoever adds a look-up afterwards takes it.
    fn next(&mut self) -> Option<Vec<Lookup>> {
        let mut gathered = self.finder.gathered();
        if gathered.lookups.is_empty() {
            gathered.under_way -= 1;
            self.held = false;
            return None;
        }
        Some(mem::take(&mut gathered.lookups))
    }

    async fn ask_one(&self, partition: u16, lookups: Vec<Lookup>) {
        let hashes: Vec<Uuid> = lookups.iter().map(|lookup| lookup.hash).collect();
        let links = &self.finder.links;
        let found = links.put(|session| async move { find(&session, partition, &hashes).await }).await;
        if let Err(fault) = &found {
            tracing::debug!(codes = lookups.len(), error = %Chain(fault), "codes could not be looked up");
        }
        for lookup in lookups {
            let answer = match &found {
                Ok(found) => Ok(found.get(&lookup.hash).copied()),
                Err(_) => Err(away()),
            };
            // Whoever went away needs no answer.
            let _gone = lookup.answer.send(answer);
        }
    }
}

async fn find(session: &Session, partition: u16, hashes: &[Uuid]) -> Result<HashMap<Uuid, Placement>> {
    let statement = session.find_in(partition).await?;
    let rows = session.client.query(statement, &[&hashes]).await.map_err(raw_fault)?;
    let read = |row: &tokio_postgres::Row| {
        let placement = Placement {
            publication: row.try_get(1)?,
            serial: row.try_get(2)?,
            activated_at: None,
            country: None,
            recalled_at: None,
        };
        Ok((row.try_get(0)?, placement))
    };
    rows.iter().map(read).collect::<std::result::Result<_, _>>().map_err(raw_fault)
}
